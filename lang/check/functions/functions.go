// Package functions has the functions that a pipeline's expressions can call, and
// meters what they make, so that no text grows without bound. It knows values and
// files beside the pipeline; it knows no block and no part.
package functions

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"

	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"

	"qpipe/lang/syntax"
)

// Table builds the table of functions, metered by b; those that read files
// start from dir. It is the usual set of the HCL family without what would make
// a pipeline depend on the moment (timestamp, uuid).
func Table(dir string, b *Budget) map[string]function.Function {
	table := Meter(b)
	for _, set := range []map[string]function.Function{
		numeric(), text(), collections(), encodings(), fileFuncs(dir, b),
	} {
		for name, f := range set {
			table[name] = metered(f, b, cost(name))
		}
	}
	table["try"], table["can"] = tryfunc.TryFunc, tryfunc.CanFunc
	return table
}

// Meter is the table for a text that calls no function.
func Meter(b *Budget) map[string]function.Function {
	return map[string]function.Function{syntax.Charge: b.chargeFunction()}
}

func numeric() map[string]function.Function {
	return map[string]function.Function{
		"abs": stdlib.AbsoluteFunc, "ceil": stdlib.CeilFunc, "floor": stdlib.FloorFunc, "log": stdlib.LogFunc,
		"max": stdlib.MaxFunc, "min": stdlib.MinFunc, "parseint": stdlib.ParseIntFunc, "pow": stdlib.PowFunc,
		"signum": stdlib.SignumFunc, "sum": sumFunc(), "tonumber": stdlib.MakeToFunc(cty.Number),
	}
}

func text() map[string]function.Function {
	return map[string]function.Function{
		"chomp": stdlib.ChompFunc, "endswith": suffixFunc(), "format": stdlib.FormatFunc, "formatlist": stdlib.FormatListFunc,
		"indent": stdlib.IndentFunc, "join": stdlib.JoinFunc, "lower": stdlib.LowerFunc, "regex": stdlib.RegexFunc,
		"regexall": stdlib.RegexAllFunc, "replace": replaceFunc(), "split": stdlib.SplitFunc, "startswith": prefixFunc(),
		"strcontains": containsFunc(), "strrev": stdlib.ReverseFunc, "substr": stdlib.SubstrFunc, "title": stdlib.TitleFunc,
		"tobool": stdlib.MakeToFunc(cty.Bool), "tostring": stdlib.MakeToFunc(cty.String), "trim": stdlib.TrimFunc,
		"trimprefix": stdlib.TrimPrefixFunc, "trimspace": stdlib.TrimSpaceFunc, "trimsuffix": stdlib.TrimSuffixFunc,
		"upper": stdlib.UpperFunc, "formatdate": stdlib.FormatDateFunc, "timeadd": stdlib.TimeAddFunc,
	}
}

func collections() map[string]function.Function {
	return map[string]function.Function{
		"alltrue": everyFunc(true), "anytrue": everyFunc(false), "chunklist": stdlib.ChunklistFunc,
		"coalesce": coalesceFunc(), "coalescelist": stdlib.CoalesceListFunc, "compact": stdlib.CompactFunc,
		"concat": stdlib.ConcatFunc, "contains": stdlib.ContainsFunc, "distinct": stdlib.DistinctFunc,
		"element": stdlib.ElementFunc, "flatten": stdlib.FlattenFunc, "index": indexFunc(), "keys": stdlib.KeysFunc,
		"length": lengthFunc(), "lookup": lookupFunc(), "merge": stdlib.MergeFunc, "one": oneFunc(),
		"range": stdlib.RangeFunc, "reverse": stdlib.ReverseListFunc, "setintersection": stdlib.SetIntersectionFunc,
		"setproduct": stdlib.SetProductFunc, "setsubtract": stdlib.SetSubtractFunc, "setunion": stdlib.SetUnionFunc,
		"slice": stdlib.SliceFunc, "sort": stdlib.SortFunc, "tolist": stdlib.MakeToFunc(cty.List(cty.DynamicPseudoType)),
		"tomap": stdlib.MakeToFunc(cty.Map(cty.DynamicPseudoType)), "toset": stdlib.MakeToFunc(cty.Set(cty.DynamicPseudoType)),
		"values": stdlib.ValuesFunc, "zipmap": stdlib.ZipmapFunc,
	}
}

// coster tells how many units a call handles, given what remains of the budget.
type coster func(args []cty.Value, limit int) int

// cost returns the coster of a function: the size of the arguments, and more for
// those that multiply.
func cost(name string) coster {
	switch name {
	case "setproduct":
		return productCost
	case "replace":
		return replaceCost
	case "format", "formatlist":
		return formatCost
	case "indent":
		return indentCost
	case "join", "formatdate":
		return joinCost
	}
	return argsCost
}

func argsCost(args []cty.Value, limit int) int {
	n := 0
	for _, a := range args {
		if n += Size(a, limit-n); n > limit {
			break
		}
	}
	return n
}

func productCost(args []cty.Value, limit int) int {
	n := len(args)
	for _, a := range args {
		if a.IsKnown() && !a.IsNull() && a.CanIterateElements() {
			if n *= max(a.LengthInt(), 1); n > limit {
				break
			}
		}
	}
	return n
}

func replaceCost(args []cty.Value, limit int) int {
	n := argsCost(args, limit)
	if len(args) != 3 || n > limit {
		return n
	}
	return n + bytesCost(length(args[0])+1, length(args[2])+1, limit)
}

func indentCost(args []cty.Value, limit int) int {
	n := argsCost(args, limit)
	if len(args) != 2 || n > limit || !args[0].IsKnown() || args[0].IsNull() || args[0].Type() != cty.Number {
		return n
	}
	spaces, _ := args[0].AsBigFloat().Float64()
	if !(spaces < float64(limit)) {
		return limit + 1
	}
	return n + bytesCost(length(args[1])+1, max(int(spaces), 0)+1, limit)
}

// joinCost: the separator stands between all elements.
func joinCost(args []cty.Value, limit int) int {
	n := argsCost(args, limit)
	if len(args) == 0 || n > limit {
		return n
	}
	return n + bytesCost(n, length(args[0])+1, limit)
}

// widths finds the numbers of a format string that are long.
func widths() *regexp.Regexp { return regexp.MustCompile(`[0-9]{4,}`) }

// formatCost: a verb may have a width, and every verb may take the same argument.
func formatCost(args []cty.Value, limit int) int {
	n := argsCost(args, limit)
	if len(args) == 0 || n > limit || length(args[0]) == 0 {
		return n
	}
	wide := 0
	for _, w := range widths().FindAllString(args[0].AsString(), -1) {
		v, err := strconv.Atoi(w)
		if err != nil || v > limit {
			return limit + 1
		}
		wide += v
	}
	return min(n+bytesCost(n, length(args[0])/2+1, limit)+bytesCost(n, wide+1, limit), limit+1)
}

// length is the length of a known string, else 0.
func length(v cty.Value) int {
	if v.Type() != cty.String || !v.IsKnown() || v.IsNull() {
		return 0
	}
	return len(v.AsString())
}

// bytesCost is the cost of a·b bytes, at most limit+1.
func bytesCost(a, b, limit int) int {
	if a/unitBytes > limit/b {
		return limit + 1
	}
	return a * b / unitBytes
}

// metered makes a function pay before it works.
func metered(f function.Function, b *Budget, c coster) function.Function {
	pay := func(args []cty.Value) error {
		if b.Overdrawn() || !b.take(c(args, b.left)) {
			return errTooMuch
		}
		return nil
	}
	return function.New(&function.Spec{
		Description: f.Description(), Params: f.Params(), VarParam: f.VarParam(),
		Type: func(args []cty.Value) (cty.Type, error) {
			if err := pay(args); err != nil {
				return cty.DynamicPseudoType, err
			}
			t, err := f.ReturnTypeForValues(args)
			return t, calm(err)
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			v, err := f.Call(args)
			return v, calm(err)
		},
	})
}

// calm keeps the trace of a function that has panicked from whoever wrote the call.
func calm(err error) error {
	var p function.PanicError
	if errors.As(err, &p) {
		return fmt.Errorf("it cannot be called with these values (%v)", p.Value)
	}
	return err
}
