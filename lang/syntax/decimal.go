package syntax

import (
	"math/big"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// Internally numbers are binary with 512 bits, which cannot represent 0.83 exactly. So that 0.83 - 0.82 is still 0.01,
// +, -, *, / and % work on the shortest decimals that represent their operands, which are those that were written. A
// result without a finite decimal (1/3), or with a long one, is rounded as usual.

// exactDigits is the length up to which a number counts as a decimal; a rounded number has 154 digits.
const exactDigits = 60

// decimals replaces an operator's operation by an exact one.
func decimals(e *hclsyntax.BinaryOpExpr) {
	switch e.Op {
	case hclsyntax.OpAdd:
		e.Op = exactly(stdlib.AddFunc, (*big.Rat).Add)
	case hclsyntax.OpSubtract:
		e.Op = exactly(stdlib.SubtractFunc, (*big.Rat).Sub)
	case hclsyntax.OpMultiply:
		e.Op = exactly(stdlib.MultiplyFunc, (*big.Rat).Mul)
	case hclsyntax.OpDivide:
		e.Op = exactly(stdlib.DivideFunc, quotient)
	case hclsyntax.OpModulo:
		e.Op = exactly(stdlib.ModuloFunc, remainder)
	}
}

// Sum adds two known numbers as + does.
func Sum(a, b cty.Value) (cty.Value, error) {
	return exactly(stdlib.AddFunc, (*big.Rat).Add).Impl.Call([]cty.Value{a, b})
}

// exactly returns the operation whose result is that of exact if it is a decimal, and otherwise that of rounded.
func exactly(rounded function.Function, exact func(z, x, y *big.Rat) *big.Rat) *hclsyntax.Operation {
	return &hclsyntax.Operation{Type: cty.Number, Impl: function.New(&function.Spec{
		Params: rounded.Params(),
		Type:   function.StaticReturnType(cty.Number),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			x, y := decimal(args[0]), decimal(args[1])
			if x != nil && y != nil {
				if z := exact(new(big.Rat), x, y); z != nil {
					if n, ends := z.FloatPrec(); ends && n <= exactDigits {
						return cty.ParseNumberVal(z.FloatString(n))
					}
				}
			}
			return rounded.Call(args)
		},
	})}
}

// decimal is the shortest decimal that represents a number, nil where that is long.
func decimal(v cty.Value) *big.Rat {
	f := v.AsBigFloat()
	if e := f.MantExp(nil); f.IsInf() || e > 4*exactDigits || e < -4*exactDigits {
		return nil
	}
	if f.IsInt() {
		if i, exact := f.Int64(); exact == big.Exact {
			return new(big.Rat).SetInt64(i)
		}
	}
	if f.Prec() <= 4*exactDigits {
		return rational(f.Text('g', -1))
	}
	// Finding the shortest decimal of 512 bits takes time. Most numbers have few digits, and then it is that of the
	// nearest float64; otherwise it comes from rounding.
	near, _ := f.Float64()
	for _, short := range []func() string{
		func() string { return strconv.FormatFloat(near, 'g', -1, 64) },
		func() string { return f.Text('e', exactDigits-1) },
	} {
		text := short()
		if back, _, err := big.ParseFloat(text, 10, f.Prec(), f.Mode()); err == nil && back.Cmp(f) == 0 {
			return rational(text)
		}
	}
	return nil
}

// rational reads a decimal of at most exactDigits.
func rational(text string) *big.Rat {
	digits, _, _ := strings.Cut(text, "e")
	if len(digits) > exactDigits+1 {
		return nil
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		return nil
	}
	return r
}

// quotient is nil for a division by zero.
func quotient(z, x, y *big.Rat) *big.Rat {
	if y.Sign() == 0 {
		return nil
	}
	return z.Quo(x, y)
}

// remainder has the sign of x; nil for a division by zero.
func remainder(z, x, y *big.Rat) *big.Rat {
	if quotient(z, x, y) == nil {
		return nil
	}
	whole := new(big.Rat).SetInt(new(big.Int).Quo(z.Num(), z.Denom()))
	return z.Sub(x, whole.Mul(whole, y))
}
