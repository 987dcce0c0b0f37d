package functions

import (
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// Convert converts a value to a type as go-cty does, but most lists in time that grows with their
// length: go-cty compares the type of every element of a tuple or an object with that of every other.
func Convert(v cty.Value, to cty.Type) (cty.Value, error) {
	out, err := convert.Convert(level(v, to), to)
	if err != nil && typesCost(v, smallTypes) <= smallTypes {
		return convert.Convert(v, to) // its message is about the value as it was
	}
	return out, err
}

// smallTypes is how many units may be spent for the sake of a message.
const smallTypes = 1 << 10

// level makes a list of a tuple, and a map of an object, that is to become one and whose elements
// are of one type, or can be; also of those within. Other values stay as they are.
func level(v cty.Value, to cty.Type) cty.Value {
	from := v.Type()
	if v.IsMarked() || !v.IsKnown() || v.IsNull() || !v.CanIterateElements() || v.LengthInt() == 0 || to == cty.DynamicPseudoType || from.Equals(to) {
		return v
	}
	keyed := from.IsObjectType() || from.IsMapType()
	if keyed != (to.IsObjectType() || to.IsMapType()) || from.IsSetType() {
		return v
	}
	keys, elements := make([]string, 0, v.LengthInt()), make([]cty.Value, 0, v.LengthInt())
	same := true
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		want := elementType(to, k)
		e = level(e, want)
		if want.IsPrimitiveType() && to.IsCollectionType() {
			var err error
			if e, err = convert.Convert(e, want); err != nil {
				return v // go-cty says what is wrong
			}
		}
		if keyed {
			keys = append(keys, k.AsString())
		}
		same = same && (len(elements) == 0 || e.Type().Equals(elements[0].Type()))
		elements = append(elements, e)
	}
	named := func() map[string]cty.Value {
		out := make(map[string]cty.Value, len(keys))
		for i, k := range keys {
			out[k] = elements[i]
		}
		return out
	}
	switch collection := to.IsCollectionType() || from.IsCollectionType(); {
	case collection && same && keyed:
		return cty.MapVal(named())
	case collection && same:
		return cty.ListVal(elements)
	case from.IsCollectionType():
		return v
	case keyed:
		return cty.ObjectVal(named())
	}
	return cty.TupleVal(elements)
}

// levels reports whether level makes a collection of a value, so that go-cty compares no types.
func levels(v cty.Value, to cty.Type) bool {
	if from := v.Type(); from.IsCollectionType() {
		return !from.IsMapType() || to.ElementType().IsPrimitiveType() || to.ElementType() == cty.DynamicPseudoType
	}
	if to.ElementType().IsPrimitiveType() {
		return true
	}
	var first cty.Type
	n := 0
	for it := v.ElementIterator(); it.Next(); n++ {
		_, e := it.Element()
		if n == 0 {
			first = e.Type()
		} else if !e.Type().Equals(first) {
			return false
		}
	}
	return true
}

// typesCost is what it costs to find a type that all elements of a value have in common: each is compared
// with every other, and so are the elements within.
func typesCost(v cty.Value, limit int) int {
	n := 0
	var walk func(ty cty.Type, depth int)
	walk = func(ty cty.Type, depth int) {
		if n++; n > limit || depth > maxNested {
			return
		}
		switch {
		case ty.IsCollectionType():
			walk(ty.ElementType(), depth+1)
		case ty.IsTupleType():
			for _, e := range ty.TupleElementTypes() {
				walk(e, depth+1)
			}
		case ty.IsObjectType():
			for _, e := range ty.AttributeTypes() {
				walk(e, depth+1)
			}
		}
	}
	walk(v.Type(), 0)
	return times(n, n/typePairs, limit)
}

// typePairs is how many pairs of types are compared in a unit.
const typePairs = 32
