package scope

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"qpipe/lang/program"
)

// errUnknown is for a value that only a run will know.
var errUnknown = errors.New("known only after the run")

// assign decodes a value into a Go variable of one of the types that arguments
// may have (see program.Signature). A null leaves it as it is. Numbers and
// strings convert into each other as everywhere in HCL.
func assign(v cty.Value, to reflect.Value) error {
	if !v.IsWhollyKnown() {
		return errUnknown
	}
	if v.IsNull() {
		return nil
	}
	switch to.Type() {
	case reflect.TypeFor[program.Checkpoint]():
		return assignCheckpoint(v, to)
	case reflect.TypeFor[program.Source]():
		if !v.Type().Equals(datasetType) {
			return mismatch("a dataset", v)
		}
		to.Set(reflect.ValueOf(program.Source{Name: v.EncapsulatedValue().(*declared).name}))
		return nil
	}
	switch to.Kind() {
	case reflect.Bool:
		b, err := simple(v, cty.Bool)
		if err != nil {
			return err
		}
		to.SetBool(b.True())
	case reflect.String:
		s, err := simple(v, cty.String)
		if err != nil {
			return err
		}
		to.SetString(s.AsString())
	case reflect.Int, reflect.Int64:
		return assignInt(v, to)
	case reflect.Float64:
		return assignFloat(v, to)
	case reflect.Slice:
		return assignSlice(v, to)
	case reflect.Map:
		return assignMap(v, to)
	default:
		return fmt.Errorf("cannot be given here (its Go type is %s)", to.Type())
	}
	return nil
}

func simple(v cty.Value, want cty.Type) (cty.Value, error) {
	const longest = 400 // digits: reading more takes time quadratic in them
	if want == cty.Number && v.Type() == cty.String && v.IsKnown() && !v.IsNull() && len(v.AsString()) > longest {
		return v, mismatch(word(want), v)
	}
	out, err := convert.Convert(v, want)
	if err != nil || out.IsNull() {
		return out, mismatch(word(want), v)
	}
	return out, nil
}

func mismatch(want string, v cty.Value) error {
	return fmt.Errorf("needs %s, not %s", want, describe(v))
}

func word(t cty.Type) string {
	switch t {
	case cty.Bool:
		return "true or false"
	case cty.Number:
		return "a number"
	}
	return "a string"
}

// describe says what a value is, for messages.
func describe(v cty.Value) string {
	ty := v.Type()
	switch {
	case v.IsNull():
		return "null"
	case ty == cty.String && v.IsKnown() && len(v.AsString()) <= 40:
		return fmt.Sprintf("the string %q", v.AsString())
	case ty == cty.Number && v.IsKnown():
		return "the number " + v.AsBigFloat().Text('g', 10)
	case ty == cty.Bool && v.IsKnown():
		return fmt.Sprint(v.True())
	case ty.IsTupleType() || ty.IsListType():
		return "a list"
	case ty.IsObjectType() || ty.IsMapType():
		return "an object"
	}
	return "a " + ty.FriendlyName()
}

func assignInt(v cty.Value, to reflect.Value) error {
	n, err := simple(v, cty.Number)
	if err != nil {
		return mismatch("a whole number", v)
	}
	f := n.AsBigFloat()
	if !f.IsInt() {
		return mismatch("a whole number", v)
	}
	i, accuracy := f.Int64()
	if accuracy != big.Exact || to.OverflowInt(i) {
		return mismatch("a number of at most 63 bits", v)
	}
	to.SetInt(i)
	return nil
}

func assignFloat(v cty.Value, to reflect.Value) error {
	n, err := simple(v, cty.Number)
	if err != nil {
		return err
	}
	f, _ := n.AsBigFloat().Float64()
	if math.IsInf(f, 0) {
		return mismatch("a number that fits in a float64", v)
	}
	to.SetFloat(f)
	return nil
}

func assignSlice(v cty.Value, to reflect.Value) error {
	ty := v.Type()
	if !ty.IsTupleType() && !ty.IsListType() && !ty.IsSetType() {
		return mismatch("a list", v)
	}
	out := reflect.MakeSlice(to.Type(), 0, v.LengthInt())
	for it := v.ElementIterator(); it.Next(); {
		i, e := it.Element()
		elem := reflect.New(to.Type().Elem()).Elem()
		if err := element(e, elem); err != nil {
			if ty.IsSetType() {
				return fmt.Errorf("has an element that %w", err)
			}
			return fmt.Errorf("has at position %s an element that %w", i.AsBigFloat().Text('f', 0), err)
		}
		out = reflect.Append(out, elem)
	}
	to.Set(out)
	return nil
}

// assignOnly decodes the only element of a list.
func assignOnly(v cty.Value, to reflect.Value) error {
	elem := reflect.New(to.Type().Elem()).Elem()
	if err := assign(v, elem); err != nil {
		return err
	}
	to.Set(reflect.Append(reflect.MakeSlice(to.Type(), 0, 1), elem))
	return nil
}

func assignMap(v cty.Value, to reflect.Value) error {
	ty := v.Type()
	if !ty.IsObjectType() && !ty.IsMapType() {
		return mismatch(`an object, as { "a" = "b" }`, v)
	}
	out := reflect.MakeMapWithSize(to.Type(), v.LengthInt())
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		elem := reflect.New(to.Type().Elem()).Elem()
		if err := element(e, elem); err != nil {
			return fmt.Errorf("has under %q an element that %w", k.AsString(), err)
		}
		out.SetMapIndex(reflect.ValueOf(k.AsString()), elem)
	}
	to.Set(out)
	return nil
}

func element(v cty.Value, to reflect.Value) error {
	if v.IsNull() {
		return errors.New("is null")
	}
	return assign(v, to)
}

func assignCheckpoint(v cty.Value, to reflect.Value) error {
	if v.Type().Equals(checkpointType) {
		to.Set(reflect.ValueOf(*v.EncapsulatedValue().(*program.Checkpoint)))
		return nil
	}
	s, err := convert.Convert(v, cty.String)
	if err != nil || v.Type() != cty.String || s.AsString() == "" {
		return mismatch("a checkpoint (stage.n.checkpoint.best) or the path of a file", v)
	}
	to.Set(reflect.ValueOf(program.Checkpoint{Path: s.AsString()}))
	return nil
}

// Plain turns a value into what JSON can say.
func Plain(v cty.Value) (any, error) {
	ty := v.Type()
	switch {
	case !v.IsWhollyKnown():
		return nil, errUnknown
	case v.IsNull():
		return nil, nil
	case ty == cty.String:
		return v.AsString(), nil
	case ty == cty.Bool:
		return v.True(), nil
	case ty == cty.Number:
		f, _ := v.AsBigFloat().Float64()
		return f, nil
	case ty.IsObjectType() || ty.IsMapType():
		out := map[string]any{}
		for it := v.ElementIterator(); it.Next(); {
			k, e := it.Element()
			x, err := Plain(e)
			if err != nil {
				return nil, err
			}
			out[k.AsString()] = x
		}
		return out, nil
	case v.CanIterateElements():
		out := []any{}
		for it := v.ElementIterator(); it.Next(); {
			_, e := it.Element()
			x, err := Plain(e)
			if err != nil {
				return nil, err
			}
			out = append(out, x)
		}
		return out, nil
	}
	return nil, fmt.Errorf("is %s, which is not a value that can be printed", describe(v))
}
