package functions

import (
	"testing"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"pgregory.net/rapid"
)

// TestConvert: values are converted as go-cty converts them, or not at all.
func TestConvert(t *testing.T) {
	names := rapid.SampledFrom([]string{"a", "b", "1"})
	var value func(depth int) *rapid.Generator[cty.Value]
	value = func(depth int) *rapid.Generator[cty.Value] {
		simple := rapid.SampledFrom([]cty.Value{
			cty.StringVal("a"), cty.StringVal("1"), cty.StringVal("true"), cty.NumberIntVal(1), cty.True, cty.EmptyTupleVal, cty.EmptyObjectVal,
			cty.NullVal(cty.DynamicPseudoType), cty.NullVal(cty.String), cty.UnknownVal(cty.Number), cty.DynamicVal, cty.ListValEmpty(cty.Bool), cty.SetVal([]cty.Value{cty.Zero}),
		})
		if depth == 0 {
			return simple
		}
		return rapid.OneOf(simple,
			rapid.Map(rapid.SliceOfN(value(depth-1), 0, 4), cty.TupleVal),
			rapid.Map(rapid.MapOfN(names, value(depth-1), 0, 3), cty.ObjectVal),
			rapid.Custom(func(r *rapid.T) cty.Value { // all of one kind
				e := value(depth-1).Draw(r, "element")
				return rapid.SampledFrom([]cty.Value{cty.TupleVal([]cty.Value{e, e, e}), cty.ListVal([]cty.Value{e, e}), cty.ObjectVal(map[string]cty.Value{"a": e, "b": e}), cty.MapVal(map[string]cty.Value{"a": e})}).Draw(r, "of")
			}))
	}
	var typ func(depth int) *rapid.Generator[cty.Type]
	typ = func(depth int) *rapid.Generator[cty.Type] {
		simple := rapid.SampledFrom([]cty.Type{cty.String, cty.Number, cty.Bool, cty.DynamicPseudoType})
		if depth == 0 {
			return simple
		}
		in := typ(depth - 1)
		return rapid.OneOf(simple, rapid.Map(in, cty.List), rapid.Map(in, cty.List), rapid.Map(in, cty.Map), rapid.Map(in, cty.Map), rapid.Map(in, cty.Set),
			rapid.Map(rapid.SliceOfN(in, 0, 3), cty.Tuple),
			rapid.Map(rapid.MapOfN(names, in, 0, 3), func(m map[string]cty.Type) cty.Type { return cty.ObjectWithOptionalAttrs(m, optional(m)) }))
	}
	rapid.Check(t, func(r *rapid.T) {
		v, to := value(3).Draw(r, "value"), typ(3).Draw(r, "type")
		want, wrong := convert.Convert(v, to)
		got, err := convert.Convert(level(v, to), to)
		if (wrong == nil) != (err == nil) || err == nil && !got.RawEquals(want) {
			r.Fatalf("%#v to %#v: %#v (%v), want %#v (%v)", v, to, got, err, want, wrong)
		}
	})
}

// optional is "b", where a type has it.
func optional(m map[string]cty.Type) []string {
	if _, ok := m["b"]; ok {
		return []string{"b"}
	}
	return nil
}
