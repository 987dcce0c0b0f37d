package program

import (
	"iter"
	"reflect"
	"strings"
)

// Field is an argument of a part: a tagged field of its Args struct, or of a struct that this one embeds.
type Field struct {
	Name     string
	Optional bool
	OneOf    []string // the only values allowed; empty: any
	Doc      string
	Type     reflect.Type
	Index    []int // for [reflect.Value.FieldByIndex]
}

// Fields lists the arguments of a type of Args, in the order in which they are declared. A type
// that is no struct has none.
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
			name, option, _ := strings.Cut(tag, ",")
			out = append(out, Field{name, option == "optional", strings.Fields(f.Tag.Get("oneof")), f.Tag.Get("doc"), f.Type, []int{i}})
		case f.Anonymous:
			for _, inner := range Fields(f.Type) {
				inner.Index = append([]int{i}, inner.Index...)
				out = append(out, inner)
			}
		}
	}
	return out
}

// Arguments yields the arguments of an Args value, or of the one that a pointer points to; a part without a struct has none.
func Arguments(args any) iter.Seq2[Field, reflect.Value] {
	v := reflect.Indirect(reflect.ValueOf(args))
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

// Checkpoints yields the arguments that are checkpoints, by name; one that was not given is the zero Checkpoint.
func Checkpoints(args any) iter.Seq2[string, Checkpoint] {
	return func(yield func(string, Checkpoint) bool) {
		for f, v := range Arguments(args) {
			if c, ok := v.Interface().(Checkpoint); ok && !yield(f.Name, c) {
				return
			}
		}
	}
}
