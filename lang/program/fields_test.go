package program_test

import (
	"reflect"
	"slices"
	"testing"

	"qpipe/lang/program"
)

type shared struct {
	LR    float64 `arg:"lr" doc:"The rate."`
	inner int     `arg:"inner"` //nolint:unused // it is not an argument
}

type more struct {
	From program.Checkpoint `arg:"from,optional"`
}

type args struct {
	Mode string `arg:"mode,optional" oneof:"a b"`
	shared
	Deep struct{ more }
	more
	Note string
	Last []int `arg:"last"`
}

// TestFields: the tagged fields are arguments, those of embedded structs where these stand; others are none.
func TestFields(t *testing.T) {
	var names []string
	a := &args{Mode: "b"}
	a.LR, a.From.Path = 0.5, "f"
	for f, v := range program.Arguments(a) {
		names = append(names, f.Name)
		if f.Name == "lr" {
			v.SetFloat(2 * v.Float())
		}
		if f.Optional != (f.Name == "mode" || f.Name == "from") || (len(f.OneOf) > 0) != (f.Name == "mode") || f.Type != v.Type() {
			t.Errorf("%+v", f)
		}
	}
	if want := []string{"mode", "lr", "from", "last"}; !slices.Equal(names, want) || a.LR != 1 {
		t.Errorf("%v, want %v; lr is %g", names, want, a.LR)
	}
	for attr, from := range program.Checkpoints(*a) {
		if attr != "from" || from.Path != "f" {
			t.Errorf("%s: %+v", attr, from)
		}
	}
	for _, none := range []any{nil, 3, "text", (*args)(nil)} {
		for f := range program.Arguments(none) {
			t.Errorf("%v has the argument %s", none, f.Name)
		}
	}
	if program.Fields(nil) != nil || program.Fields(reflect.TypeFor[int]()) != nil {
		t.Error("what is no struct has fields")
	}
}
