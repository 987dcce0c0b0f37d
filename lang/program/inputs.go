package program

import (
	"fmt"
	"iter"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Inputs yields all of a stage that its result depends on, under the names by which a run's manifest holds it: a [Call] for a part, a
// *[Dataset] and a *[Model] (which have files), and plain values. The tag `input` of each field says how it counts:
//
//	input:"lr_updater"        under this name, behind that of what it is in
//	input:""                  its own fields count as if they were in its place
//	input:"-"                 not at all
//	input:"activation,written" and the names of the attributes that are written in it
//	input:"target,nonzero"     only if it is not zero
//	input:"loss,first"         the first element of the list without a number
//
// A field without the tag panics: whoever adds one decides.
func Inputs(s *Stage) iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		w := inputWalk{yield: yield, more: true}
		w.fields("", reflect.ValueOf(*s))
	}
}

type inputWalk struct {
	yield func(string, any) bool
	more  bool
}

func (w *inputWalk) put(key string, v any) { w.more = w.more && w.yield(key, v) }

// fields yields the fields of a struct under key.
func (w *inputWalk) fields(key string, v reflect.Value) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		tag, tagged := f.Tag.Lookup("input")
		if !tagged {
			panic(fmt.Sprintf("program: %s.%s does not say whether a stage's result depends on it: it has no tag `input`", v.Type(), f.Name))
		}
		name, option, _ := strings.Cut(tag, ",")
		if name == "-" {
			continue
		}
		at := key
		if name != "" {
			at = strings.TrimPrefix(key+"."+name, ".")
		}
		if option == "written" && !v.Field(i).IsNil() {
			origin := v.Field(i).Elem().FieldByName("Origin").Interface().(Origin)
			w.put(at, slices.Sorted(maps.Keys(origin.Attrs)))
		}
		switch x := v.Field(i); {
		case option == "nonzero" && x.IsZero():
		case option == "first" && x.Len() > 0:
			w.value(at, x.Index(0))
			for k := 1; k < x.Len(); k++ {
				w.value(fmt.Sprintf("%s[%d]", at, k), x.Index(k))
			}
		default:
			w.value(at, x)
		}
	}
}

// value yields a value under key: a part of the pipeline as it is, a block by its fields, a list with numbers.
func (w *inputWalk) value(key string, v reflect.Value) {
	switch x := v.Interface().(type) {
	case Call, *Dataset, *Model:
		if v.Kind() != reflect.Pointer || !v.IsNil() {
			w.put(key, x)
		}
		return
	case Schedule:
		w.put(key, x.Text)
		return
	case Selector:
		w.put(key, x.Text)
		return
	case []Selector:
		var texts []string
		for _, s := range x {
			texts = append(texts, s.Text)
		}
		if x != nil {
			w.put(key, texts)
		}
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			w.value(key, v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			w.value(fmt.Sprintf("%s[%d]", key, i), v.Index(i))
		}
	case reflect.Struct:
		w.fields(key, v)
	default:
		w.put(key, v.Interface())
	}
}
