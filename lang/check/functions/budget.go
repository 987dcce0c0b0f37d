package functions

import (
	"errors"
	"math/big"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// The limit of what an expression may make. Values are counted in units: an
// element of a collection, or unitBytes bytes of a string.
const (
	maxUnits  = 1 << 19 // that one expression may handle
	unitBytes = 16
)

var errTooMuch = errors.New("it makes more or larger values than a pipeline may")

// Budget stops expressions that multiply. It is refilled before each of them.
type Budget struct{ left int }

// Refill is called before each expression.
func (b *Budget) Refill() { b.left = maxUnits }

// take takes n units and reports whether they were there. What was overdrawn
// stays overdrawn until the next expression.
func (b *Budget) take(n int) bool {
	if n > b.left {
		b.left = -1
		return false
	}
	b.left -= n
	return true
}

// Overdrawn reports whether the present expression has made too much.
func (b *Budget) Overdrawn() bool { return b.left < 0 }

// chargeFunction is what syntax.Charge calls: it takes the size of its argument
// and returns it, or an unknown value once the budget is overdrawn, which makes
// the loops around it cheap.
func (b *Budget) chargeFunction() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{
			Name: "value", Type: cty.DynamicPseudoType,
			AllowNull: true, AllowUnknown: true, AllowDynamicType: true, AllowMarked: true,
		}},
		Type: func(args []cty.Value) (cty.Type, error) {
			if b.Overdrawn() || !b.take(Size(args[0], b.left)) {
				return cty.DynamicPseudoType, nil
			}
			return args[0].Type(), nil
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if b.Overdrawn() {
				return cty.DynamicVal, nil
			}
			return args[0], nil
		},
	})
}

// Size counts the units of a value, and stops counting beyond limit.
func Size(v cty.Value, limit int) int {
	n := 0
	count(v, &n, limit)
	return n
}

func count(v cty.Value, n *int, limit int) {
	*n++
	if *n > limit || !v.IsKnown() || v.IsNull() {
		return
	}
	switch ty := v.Type(); {
	case ty == cty.String:
		*n += len(v.AsString()) / unitBytes
	case ty == cty.Number:
		*n += digits(v.AsBigFloat()) / unitBytes
	case v.CanIterateElements():
		for it := v.ElementIterator(); it.Next() && *n <= limit; {
			_, e := it.Element()
			count(e, n, limit)
		}
	}
}

// digits estimates how long a number is when it is written out.
func digits(f *big.Float) int {
	e := f.MantExp(nil)
	return max(e, -e) / 3
}
