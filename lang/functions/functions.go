// Package functions has the functions that a pipeline's expressions can call, and
// meters what they make, so that no text grows without bound. It knows values and
// files beside the pipeline; it knows no block and no part.
package functions

import (
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
		numeric(), text(b), collections(), encodings(), fileFuncs(dir, b),
	} {
		for name, f := range set {
			table[name] = metered(f, b, cost(name), within(name))
		}
	}
	table["try"], table["can"] = tryFunc(), canFunc()
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

func text(b *Budget) map[string]function.Function {
	return map[string]function.Function{
		"chomp": stdlib.ChompFunc, "endswith": suffixFunc(), "format": stdlib.FormatFunc, "formatlist": stdlib.FormatListFunc,
		"indent": stdlib.IndentFunc, "join": stdlib.JoinFunc, "lower": stdlib.LowerFunc, "regex": regexFunc(b),
		"regexall": regexAllFunc(b), "replace": replaceFunc(b), "split": stdlib.SplitFunc, "startswith": prefixFunc(),
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
		"concat": stdlib.ConcatFunc, "contains": stdlib.ContainsFunc, "distinct": distinctFunc(),
		"element": stdlib.ElementFunc, "flatten": stdlib.FlattenFunc, "index": indexFunc(), "keys": stdlib.KeysFunc,
		"length": lengthFunc(), "lookup": lookupFunc(), "merge": stdlib.MergeFunc, "one": oneFunc(),
		"range": stdlib.RangeFunc, "reverse": stdlib.ReverseListFunc, "setintersection": stdlib.SetIntersectionFunc,
		"setproduct": stdlib.SetProductFunc, "setsubtract": stdlib.SetSubtractFunc, "setunion": stdlib.SetUnionFunc,
		"slice": stdlib.SliceFunc, "sort": stdlib.SortFunc, "tolist": stdlib.MakeToFunc(cty.List(cty.DynamicPseudoType)),
		"tomap": stdlib.MakeToFunc(cty.Map(cty.DynamicPseudoType)), "toset": stdlib.MakeToFunc(cty.Set(cty.DynamicPseudoType)),
		"values": stdlib.ValuesFunc, "zipmap": stdlib.ZipmapFunc,
	}
}
