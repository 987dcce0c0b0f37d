package program_test

import (
	"reflect"
	"testing"

	"qpipe/lang/program"
)

// TestEveryFieldSaysWhetherItCounts: all that a stage is made of has the tag by which it counts for the stage's hash, or does not.
func TestEveryFieldSaysWhetherItCounts(t *testing.T) {
	whole := map[reflect.Type]bool{ // they count as they are
		reflect.TypeFor[program.Call](): true, reflect.TypeFor[program.Dataset](): true, reflect.TypeFor[program.Model](): true,
		reflect.TypeFor[program.Schedule](): true, reflect.TypeFor[program.Selector](): true,
	}
	fields := 0
	var look func(typ reflect.Type)
	look = func(typ reflect.Type) {
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct || whole[typ] {
			return
		}
		for i := range typ.NumField() {
			f := typ.Field(i)
			tag, tagged := f.Tag.Lookup("input")
			if fields++; !tagged {
				t.Errorf("%s.%s has no tag `input`: does a stage's result depend on it?", typ, f.Name)
			}
			if tag != "-" {
				look(f.Type)
			}
		}
	}
	look(reflect.TypeFor[program.Stage]())
	if fields < 40 {
		t.Errorf("only %d fields", fields)
	}
}
