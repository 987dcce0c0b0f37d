package check

import (
	"errors"
	"math/big"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"qpipe/lang/diag"
)

// Limits of what the expressions of a pipeline may make. Values are counted in
// units: an element of a collection, or unitBytes bytes of a string.
const (
	maxUnits  = 1 << 19 // that one expression may handle
	maxValue  = 1 << 17 // of one variable or local value
	maxBlocks = 10_000  // that dynamic blocks may make in one pipeline
	unitBytes = 16
)

var errTooMuch = errors.New("it makes more or larger values than a pipeline may")

// budget stops expressions that multiply. It is refilled before each of them.
type budget struct{ left int }

func (b *budget) refill() { b.left = maxUnits }

// take takes n units and reports whether they were there. What was overdrawn
// stays overdrawn until the next expression.
func (b *budget) take(n int) bool {
	if n > b.left {
		b.left = -1
		return false
	}
	b.left -= n
	return true
}

func (b *budget) overdrawn() bool { return b.left < 0 }

// chargeFunction is what syntax.Charge calls: it takes the size of its argument
// and returns it, or an unknown value once the budget is overdrawn, which makes
// the loops around it cheap.
func (b *budget) chargeFunction() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{
			Name: "value", Type: cty.DynamicPseudoType,
			AllowNull: true, AllowUnknown: true, AllowDynamicType: true, AllowMarked: true,
		}},
		Type: func(args []cty.Value) (cty.Type, error) {
			if b.overdrawn() || !b.take(size(args[0], b.left)) {
				return cty.DynamicPseudoType, nil
			}
			return args[0].Type(), nil
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if b.overdrawn() {
				return cty.DynamicVal, nil
			}
			return args[0], nil
		},
	})
}

// size counts the units of a value, and stops counting beyond limit.
func size(v cty.Value, limit int) int {
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

// tooLarge returns the way out for a value over the limit.
func tooLarge() (code diag.Code, detail string) {
	return diag.ValueTooLarge, "A pipeline's values are small: names, numbers, short lists. Is a range or a product larger than meant?"
}
