package functions

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2/ext/customdecode"
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
func replaceFunc(b *Budget) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{
			parameter("string", cty.String), parameter("substring", cty.String), parameter("replacement", cty.String),
		},
		Type: function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			s, old, with := args[0].AsString(), args[1].AsString(), args[2].AsString()
			if !pattern(args[1]) {
				return cty.StringVal(strings.ReplaceAll(s, old, with)), nil
			}
			out, err := replaceAll(s, old[1:len(old)-1], with, b)
			return cty.StringVal(out), err
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

// distinctFunc keeps the first of equal elements.
func distinctFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{parameter("list", cty.List(cty.DynamicPseudoType))},
		Type:   func(args []cty.Value) (cty.Type, error) { return args[0].Type(), nil },
		Impl: func(args []cty.Value, ty cty.Type) (cty.Value, error) {
			if !args[0].IsWhollyKnown() {
				return cty.UnknownVal(ty), nil
			}
			seen := map[string]bool{}
			var out []cty.Value
			for it := args[0].ElementIterator(); it.Next(); {
				_, e := it.Element()
				if k := string(appendKey(nil, e)); !seen[k] {
					seen[k] = true
					out = append(out, e)
				}
			}
			if len(out) == 0 {
				return cty.ListValEmpty(ty.ElementType()), nil
			}
			return cty.ListVal(out), nil
		},
	})
}

// appendKey appends a text that equal values of a type have in common and others do not.
func appendKey(to []byte, v cty.Value) []byte {
	ty := v.Type()
	switch {
	case v.IsNull():
		return append(to, '~')
	case ty == cty.String:
		s := v.AsString()
		to = append(strconv.AppendInt(to, int64(len(s)), 10), '"')
		return append(to, s...)
	case ty == cty.Number:
		return append(v.AsBigFloat().Append(to, 'p', 0), ';') // exact, whatever its precision
	case ty == cty.Bool:
		return append(strconv.AppendBool(to, v.True()), ';')
	case v.CanIterateElements():
		to = append(strconv.AppendInt(to, int64(v.LengthInt()), 10), '[')
		for it := v.ElementIterator(); it.Next(); {
			k, e := it.Element()
			if ty.IsMapType() || ty.IsObjectType() {
				to = appendKey(to, k)
			}
			to = appendKey(to, e)
		}
		return append(to, ']')
	}
	return fmt.Appendf(to, "%p;", v.EncapsulatedValue()) // a capsule, such as a reference to a block
}

// tryFunc returns the first argument that can be evaluated, and canFunc reports whether its
// argument can. The family's own evaluate their arguments twice, and so four times where
// one is inside another, and so on.
func tryFunc() function.Function {
	return function.New(&function.Spec{
		VarParam: &function.Parameter{Name: "expressions", Type: customdecode.ExpressionClosureType},
		Type:     function.StaticReturnType(cty.DynamicPseudoType),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			var why []string
			for _, a := range args {
				v, diags := customdecode.ExpressionClosureFromVal(a).Value()
				switch {
				case !diags.HasErrors() && v.IsWhollyKnown():
					return v, nil
				case !diags.HasErrors():
					return cty.DynamicVal, nil
				}
				const most = 5
				if len(why) < most {
					why = append(why, fmt.Sprintf("%s: %s", diags[0].Summary, diags[0].Detail))
				}
			}
			if len(args) == 0 {
				return cty.NilVal, errors.New("at least one argument is required")
			}
			return cty.NilVal, fmt.Errorf("none of the expressions can be evaluated:\n- %s", strings.Join(why, "\n- "))
		},
	})
}

func canFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{parameter("expression", customdecode.ExpressionClosureType)},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			v, diags := customdecode.ExpressionClosureFromVal(args[0]).Value()
			switch {
			case diags.HasErrors():
				return cty.False, nil
			case !v.IsWhollyKnown():
				return cty.UnknownVal(cty.Bool), nil
			}
			return cty.True, nil
		},
	})
}
