package functions

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"

	"qpipe/lang/syntax"
)

// The functions of the HCL family that go-cty does not bring, or brings in
// another form.

func parameter(name string, ty cty.Type) function.Parameter {
	return function.Parameter{Name: name, Type: ty}
}

// stringTest makes a predicate of two strings.
func stringTest(test func(s, part string) bool) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{parameter("string", cty.String), parameter("part", cty.String)},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return cty.BoolVal(test(args[0].AsString(), args[1].AsString())), nil
		},
	})
}

func prefixFunc() function.Function   { return stringTest(strings.HasPrefix) }
func suffixFunc() function.Function   { return stringTest(strings.HasSuffix) }
func containsFunc() function.Function { return stringTest(strings.Contains) }

// replaceFunc takes a pattern between slashes as a regular expression.
func replaceFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{
			parameter("string", cty.String), parameter("substring", cty.String), parameter("replacement", cty.String),
		},
		Type: function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			s, old, with := args[0].AsString(), args[1].AsString(), args[2].AsString()
			if len(old) < 2 || old[0] != '/' || old[len(old)-1] != '/' {
				return cty.StringVal(strings.ReplaceAll(s, old, with)), nil
			}
			re, err := regexp.Compile(old[1 : len(old)-1])
			if err != nil {
				return cty.NilVal, function.NewArgError(1, err)
			}
			return cty.StringVal(re.ReplaceAllString(s, with)), nil
		},
	})
}

func sumFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{parameter("list", cty.DynamicPseudoType)},
		Type:   function.StaticReturnType(cty.Number),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if !args[0].CanIterateElements() {
				return cty.NilVal, function.NewArgErrorf(0, "needs a list of numbers")
			}
			total := cty.Zero
			for it := args[0].ElementIterator(); it.Next(); {
				_, e := it.Element()
				n, err := convert.Convert(e, cty.Number)
				if err != nil || n.IsNull() {
					return cty.NilVal, function.NewArgErrorf(0, "needs a list of numbers")
				}
				if !n.IsKnown() {
					return cty.UnknownVal(cty.Number), nil
				}
				if total, err = syntax.Sum(total, n); err != nil {
					return cty.NilVal, err
				}
			}
			return total, nil
		},
	})
}

// everyFunc is alltrue (want true) or anytrue (want false).
func everyFunc(all bool) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{parameter("list", cty.List(cty.Bool))},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			for it := args[0].ElementIterator(); it.Next(); {
				_, e := it.Element()
				if !e.IsKnown() {
					return cty.UnknownVal(cty.Bool), nil
				}
				if !e.IsNull() && e.True() != all {
					return cty.BoolVal(!all), nil
				}
				if e.IsNull() && all {
					return cty.False, nil
				}
			}
			return cty.BoolVal(all), nil
		},
	})
}

// coalesceFunc returns its first argument that is neither null nor "".
func coalesceFunc() function.Function {
	return function.New(&function.Spec{
		VarParam: &function.Parameter{
			Name: "values", Type: cty.DynamicPseudoType, AllowNull: true, AllowUnknown: true, AllowDynamicType: true,
		},
		Type: func(args []cty.Value) (cty.Type, error) {
			types := make([]cty.Type, len(args))
			for i, a := range args {
				types[i] = a.Type()
			}
			ty, _ := convert.UnifyUnsafe(types)
			if len(args) == 0 || ty == cty.NilType {
				return cty.NilType, errors.New("all arguments must have the same type")
			}
			return ty, nil
		},
		Impl: func(args []cty.Value, ty cty.Type) (cty.Value, error) {
			for _, a := range args {
				v, err := convert.Convert(a, ty)
				switch {
				case err != nil:
					return cty.NilVal, err
				case !v.IsKnown():
					return cty.UnknownVal(ty), nil
				case v.IsNull() || ty == cty.String && v.AsString() == "":
					continue
				}
				return v, nil
			}
			return cty.NilVal, errors.New("no argument is set")
		},
	})
}

// indexFunc returns the position of a value in a list.
func indexFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{parameter("list", cty.DynamicPseudoType), parameter("value", cty.DynamicPseudoType)},
		Type:   function.StaticReturnType(cty.Number),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if ty := args[0].Type(); !ty.IsListType() && !ty.IsTupleType() {
				return cty.NilVal, function.NewArgErrorf(0, "needs a list")
			}
			for it := args[0].ElementIterator(); it.Next(); {
				i, e := it.Element()
				eq, err := stdlib.Equal(e, args[1])
				if err != nil {
					return cty.NilVal, err
				}
				if !eq.IsKnown() {
					return cty.UnknownVal(cty.Number), nil
				}
				if eq.True() {
					return i, nil
				}
			}
			return cty.NilVal, errors.New("the list does not hold the value")
		},
	})
}

// lengthFunc counts the elements of a collection or the characters of a string.
func lengthFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{parameter("value", cty.DynamicPseudoType)},
		Type:   function.StaticReturnType(cty.Number),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if args[0].Type() == cty.String {
				return stdlib.Strlen(args[0])
			}
			if !args[0].CanIterateElements() {
				return cty.NilVal, function.NewArgErrorf(0, "needs a collection or a string")
			}
			return cty.NumberIntVal(int64(args[0].LengthInt())), nil
		},
	})
}

// lookupFunc returns the element of a map, or the default.
func lookupFunc() function.Function {
	return function.New(&function.Spec{
		Params:   []function.Parameter{parameter("map", cty.DynamicPseudoType), parameter("key", cty.String)},
		VarParam: &function.Parameter{Name: "default", Type: cty.DynamicPseudoType, AllowNull: true, AllowUnknown: true, AllowDynamicType: true},
		Type:     function.StaticReturnType(cty.DynamicPseudoType),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if len(args) > 3 {
				return cty.NilVal, errors.New("takes a map, a key and at most one default")
			}
			m, key := args[0], args[1].AsString()
			switch ty := m.Type(); {
			case ty.IsObjectType() && ty.HasAttribute(key):
				return m.GetAttr(key), nil
			case ty.IsMapType() && m.HasIndex(args[1]).True():
				return m.Index(args[1]), nil
			case !ty.IsObjectType() && !ty.IsMapType():
				return cty.NilVal, function.NewArgErrorf(0, "needs a map or an object")
			case len(args) == 3:
				return args[2], nil
			}
			return cty.NilVal, fmt.Errorf("the map has no key %q; a third argument gives a default", key)
		},
	})
}

// oneFunc takes the only element out of a collection: null when it is empty.
func oneFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{parameter("list", cty.DynamicPseudoType)},
		Type:   function.StaticReturnType(cty.DynamicPseudoType),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if !args[0].CanIterateElements() || args[0].Type().IsObjectType() || args[0].Type().IsMapType() {
				return cty.NilVal, function.NewArgErrorf(0, "needs a list, set or tuple")
			}
			it := args[0].ElementIterator()
			if !it.Next() {
				return cty.NullVal(cty.DynamicPseudoType), nil
			}
			_, e := it.Element()
			if it.Next() {
				return cty.NilVal, function.NewArgErrorf(0, "has more than one element")
			}
			return e, nil
		},
	})
}
