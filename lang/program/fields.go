package program

import (
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strings"
)

// Field is an argument of a part: a tagged field of its Args struct, or of a struct that this one embeds.
type Field struct {
	Name     string
	Optional bool
	Block    bool     // it is written as a block: a pointer to a struct once, a slice of structs any number of times
	Label    bool     // it is a label of the struct's block
	Network  bool     // a [Network]: the blocks of the part's body are its layers
	Single   bool     // a list that may be written as its only element
	OneOf    []string // the only values allowed; empty: any
	Before   string   // of an argument that was added later: the value, as text, with which everything is as it was before; "" for none
	Doc      string
	Type     reflect.Type
	Index    []int // for [reflect.Value.FieldByIndex]
}

// Many reports whether the block may be written more than once.
func (f Field) Many() bool { return f.Type.Kind() == reflect.Slice }

// Inside is the struct of a block's own arguments.
func (f Field) Inside() reflect.Type { return f.Type.Elem() }

// Labels are the names of a block's labels, in order.
func (f Field) Labels() []string {
	var names []string
	for _, inner := range Fields(f.Inside()) {
		if inner.Label {
			names = append(names, inner.Name)
		}
	}
	return names
}

// Defaulter is implemented by the pointer to a block's struct: SetDefaults sets the defaults before the written
// arguments are read.
type Defaulter interface{ SetDefaults() }

// NewBlock returns the struct of a block with its defaults.
func NewBlock(t reflect.Type) reflect.Value {
	v := reflect.New(t)
	if d, ok := v.Interface().(Defaulter); ok {
		d.SetDefaults()
	}
	return v.Elem()
}

// Fields lists the arguments of a type of Args, in the order of declaration. A type that is not a struct has none.
func Fields(args reflect.Type) []Field {
	if args == nil || args.Kind() != reflect.Struct {
		return nil
	}
	var out []Field
	for i := range args.NumField() {
		f := args.Field(i)
		tag, tagged := f.Tag.Lookup("arg")
		switch {
		case tagged && f.IsExported():
			out = append(out, field(f, tag, i))
		case f.Anonymous:
			for _, inner := range Fields(f.Type) {
				inner.Index = append([]int{i}, inner.Index...)
				out = append(out, inner)
			}
		}
	}
	return out
}

func field(f reflect.StructField, tag string, i int) Field {
	words := strings.Split(tag, ",")
	name, options := words[0], words[1:]
	if name == "" {
		name = strings.ToLower(f.Name)
	}
	return Field{
		Name: name, Optional: slices.Contains(options, "optional"), Label: slices.Contains(options, "label"),
		Block:   slices.Contains(options, "block") && holdsBlocks(f.Type),
		Network: slices.Contains(options, "network") && f.Type == networkType,
		Single:  slices.Contains(options, "single") && f.Type.Kind() == reflect.Slice,
		OneOf:   strings.Fields(f.Tag.Get("oneof")), Before: f.Tag.Get("before"), Doc: f.Tag.Get("doc"), Type: f.Type, Index: []int{i},
	}
}

func holdsBlocks(t reflect.Type) bool {
	return (t.Kind() == reflect.Slice || t.Kind() == reflect.Pointer) && t.Elem().Kind() == reflect.Struct
}

// Arguments yields the arguments of an Args value, or of the one that a pointer points to; a part without a struct has
// none. Arguments inside of blocks are not included.
func Arguments(args any) iter.Seq2[Field, reflect.Value] {
	return arguments(reflect.Indirect(reflect.ValueOf(args)))
}

func arguments(v reflect.Value) iter.Seq2[Field, reflect.Value] {
	return func(yield func(Field, reflect.Value) bool) {
		if !v.IsValid() {
			return
		}
		for _, f := range Fields(v.Type()) {
			if !yield(f, v.FieldByIndex(f.Index)) {
				return
			}
		}
	}
}

// FieldAt finds an argument of a type of Args by its path.
func FieldAt(args reflect.Type, path string) (Field, bool) {
	name, rest, deeper := strings.Cut(path, ".")
	name, _, _ = strings.Cut(name, "[")
	for _, f := range Fields(args) {
		switch {
		case f.Label || f.Name != name:
		case deeper && f.Block:
			return FieldAt(f.Inside(), rest)
		default:
			return f, !deeper
		}
	}
	return Field{}, false
}

// Argument is an argument at any depth.
type Argument struct {
	Field
	Value  reflect.Value // for a block its struct
	Labels []string      // of a block; of a layer its type and what it reads
}

// Walk yields all arguments of an Args value with their paths, such as "width" and "layer[1].width". A block
// comes, under "layer[1]", before what is inside of it.
func Walk(args any) iter.Seq2[string, Argument] {
	return func(yield func(string, Argument) bool) {
		walk("", reflect.Indirect(reflect.ValueOf(args)), yield)
	}
}

func walk(prefix string, v reflect.Value, yield func(string, Argument) bool) bool {
	for f, value := range arguments(v) {
		switch {
		case f.Label:
		case f.Network:
			if !walkNetwork(prefix, value.Interface().(Network), yield) {
				return false
			}
		case f.Block:
			for i, block := range blocksOf(value) {
				path := BlockPath(prefix, f, i)
				if !yield(path, Argument{f, block, labelsOf(block)}) || !walk(path+".", block, yield) {
					return false
				}
			}
		case !yield(prefix+f.Name, Argument{Field: f, Value: value}):
			return false
		}
	}
	return true
}

// BlockPath is the path of the i-th block of an argument in a struct whose path is prefix: "layer[1]", or "head" for a
// block that is written once.
func BlockPath(prefix string, f Field, i int) string {
	if !f.Many() {
		return prefix + f.Name
	}
	return fmt.Sprintf("%s%s[%d]", prefix, f.Name, i)
}

// blocksOf lists the structs of an argument that is written as blocks.
func blocksOf(v reflect.Value) []reflect.Value {
	var out []reflect.Value
	if v.Kind() == reflect.Pointer {
		if !v.IsNil() {
			out = append(out, v.Elem())
		}
		return out
	}
	for i := range v.Len() {
		out = append(out, v.Index(i))
	}
	return out
}

// labelsOf are the labels of a block's struct.
func labelsOf(block reflect.Value) []string {
	labels := []string{}
	for f, v := range arguments(block) {
		if f.Label {
			labels = append(labels, v.String())
		}
	}
	return labels
}

// Checkpoints yields the arguments that are checkpoints, by path; a missing one is the zero Checkpoint.
func Checkpoints(args any) iter.Seq2[string, Checkpoint] {
	return func(yield func(string, Checkpoint) bool) {
		for path, a := range Walk(args) {
			if c, ok := a.Value.Interface().(Checkpoint); ok && !yield(path, c) {
				return
			}
		}
	}
}
