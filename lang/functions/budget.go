package functions

import (
	"errors"
	"math/big"
	"math/bits"
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"qpipe/lang/syntax"
)

// The limits of what expressions may make. Work is counted in units of about a microsecond:
// an element of a collection, or unitBytes bytes of a string, that is handled once.
const (
	maxUnits      = 1 << 18 // that one expression may take
	allUnits      = 1 << 20 // that all expressions of a pipeline may take
	overUnits     = 1 << 15 // that an expression counts at least which has taken too much
	unitBytes     = 64
	maxNested     = 100  // collections in collections: what is compared or converted recurses
	longText      = 400  // digits of a text that becomes a number without a charge of its own
	maxPower      = 4096 // of two: a number beyond takes long to write out, and ends as infinity or 0
	maxMember     = 1024 // the same, of a number in a set
	textUnits     = 20   // of a number that becomes text
	readUnits     = 4    // of a text that becomes a number
	setUnits      = 8    // of an element of a set: sets are sorted again and again
	fractionUnits = 60   // of two numbers of a set that are compared: where they are not whole, by their digits
	pathUnits     = 1024 // bytes of a text whose square is charged
)

var errTooMuch = errors.New("it makes more or larger values than a pipeline may, or takes too long")

// Budget stops expressions that multiply or take long. It is refilled before each of them,
// from what is left for the whole pipeline.
type Budget struct{ left, all int }

// NewBudget returns the budget of a pipeline.
func NewBudget() *Budget {
	b := &Budget{all: allUnits}
	b.Refill()
	return b
}

// Refill is called before each expression.
func (b *Budget) Refill() { b.left = min(maxUnits, b.all) }

// take takes n units and reports whether they were there. What was overdrawn
// stays overdrawn until the next expression.
func (b *Budget) take(n int) bool {
	if b.left < 0 {
		return false
	}
	if n > b.left {
		b.left, b.all = -1, b.all-overUnits
		return false
	}
	b.left, b.all = b.left-n, b.all-n
	return true
}

// Take takes the units of a value that an expression has made, and reports whether they were
// there.
func (b *Budget) Take(v cty.Value) bool { return b.take(Size(v, b.left)) }

// TakeConversion takes what it costs to convert a value to a type.
func (b *Budget) TakeConversion(v cty.Value, to cty.Type) bool {
	return b.take(conversionCost(v, to, b.left))
}

// TakeReferences takes what it costs to follow n references, from what is left for the pipeline.
func (b *Budget) TakeReferences(n int) bool {
	b.all -= n
	return b.all > 0 || n == 0
}

// TakeDefaults takes what it costs to put the defaults of a type into a value: all elements of
// a collection are brought to the type that they have in common.
func (b *Budget) TakeDefaults(v cty.Value) bool { return b.take(defaultsCost(v, b.left, 0)) }

func defaultsCost(v cty.Value, limit, depth int) int {
	if !v.IsKnown() || v.IsNull() || !v.CanIterateElements() {
		return 1
	}
	if depth > maxNested {
		return limit + 1
	}
	n := 1
	if v.Type().IsCollectionType() {
		n += times(Size(v, limit), v.LengthInt()/typePairs, limit)
	}
	for it := v.ElementIterator(); it.Next() && n <= limit; {
		_, e := it.Element()
		n += defaultsCost(e, limit, depth+1)
	}
	return n
}

// Overdraw says that the present expression has made too much.
func (b *Budget) Overdraw() { b.take(maxUnits + 1) }

// Overdrawn reports whether the present expression has made too much.
func (b *Budget) Overdrawn() bool { return b.left < 0 }

// Spent reports whether nothing is left for the pipeline's other expressions.
func (b *Budget) Spent() bool { return b.all <= 0 }

// chargeFunction is what syntax.Charge names: it takes what a request costs.
func (b *Budget) chargeFunction() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "request", Type: syntax.RequestType}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			r := args[0].EncapsulatedValue().(*syntax.Request)
			return cty.BoolVal(b.take(useCost(r.Value, r.Use, b.left))), nil
		},
	})
}

// useCost is the cost of what is done with a value (see syntax.Charge).
func useCost(v cty.Value, use, limit int) int {
	known := v.IsKnown() && !v.IsNull()
	switch {
	case use == syntax.Asked:
		return 0
	case use == syntax.Compared: // in several walks
		return min(times(Size(v, limit), 4, limit)+equalCost(v, limit), limit+1)
	case use == syntax.Chosen: // so that both are of one type
		return min(times(Size(v, limit), 4, limit)+typesCost(v, limit), limit+1)
	case use == syntax.ToNumber:
		return 1 + conversionCost(v, cty.Number, limit) + arithmetic(v)
	case use == syntax.ToText && known && v.Type() == cty.Number:
		return numberText(v) + Size(v, limit)
	}
	n := 1 + Size(v, limit)
	if use > 0 && known {
		each := 1
		if v.CanIterateElements() {
			each = v.LengthInt()
		}
		n += times(each, use, limit)
	}
	return n
}

// times is a·b, at most limit+1.
func times(a, b, limit int) int {
	if a > 0 && b > limit/a {
		return limit + 1
	}
	return a * b
}

// Size counts the units of a value, and stops counting beyond limit. A value that is nested
// deeper than it may be, and a number that is out of all proportion, are beyond every limit.
func Size(v cty.Value, limit int) int {
	n := 0
	count(v, &n, limit, 0)
	return n
}

func count(v cty.Value, n *int, limit, depth int) {
	*n += 1 + depth/8 // what recurses does so for every element
	if *n > limit || !v.IsKnown() || v.IsNull() {
		return
	}
	if depth > maxNested {
		*n = limit + 1
		return
	}
	switch ty := v.Type(); {
	case ty == cty.String:
		*n += len(v.AsString()) / unitBytes
	case ty == cty.Number:
		if extreme(v.AsBigFloat(), maxPower) {
			*n = limit + 1
		}
	case v.CanIterateElements():
		if *n+v.LengthInt() > limit { // sorting the names of an object takes time
			*n = limit + 1
			return
		}
		if ty.IsSetType() {
			if *n += setCost(v.LengthInt(), ty.ElementType()); *n > limit {
				return
			}
		}
		for it := v.ElementIterator(); it.Next() && *n <= limit; {
			_, e := it.Element()
			count(e, n, limit, depth+1)
		}
	}
}

// setCost is what walking a set of n elements costs: they are sorted every time, and all
// but simple ones by a text that is made for every comparison. (How long these texts are
// only a walk could tell: what makes such a set pays for it.)
func setCost(n int, element cty.Type) int {
	switch {
	case element == cty.Number:
		return n * bits.Len(uint(n)) * fractionUnits
	case element.IsPrimitiveType():
		return n * setUnits
	}
	return 1024 + n*bits.Len(uint(n))*64
}

// memberCost is what it costs to make an element part of a set. What has a number that takes
// long to write out cannot be in one: every time that the set is walked over it would be.
func memberCost(e cty.Value, limit int) int {
	if equalCost(e, limit) > limit || hasExtreme(e, 0) {
		return limit + 1
	}
	switch ty := e.Type(); {
	case ty == cty.Number && equalCost(e, limit) > 0:
		return 512 // written out for every comparison
	case ty == cty.Number:
		return setUnits + numberText(e)
	case ty.IsPrimitiveType():
		return setUnits + Size(e, limit)
	}
	return times(Size(e, limit), 512, limit)
}

// extreme reports whether the power of two of a number is beyond most.
func extreme(f *big.Float, most int) bool {
	p := f.MantExp(nil)
	return p < -most || p > most
}

// hasExtreme reports whether a value has a number that takes much longer to write out than others.
func hasExtreme(v cty.Value, depth int) bool {
	if !v.IsKnown() || v.IsNull() || depth > maxNested {
		return false
	}
	if v.Type() == cty.Number {
		return extreme(v.AsBigFloat(), maxMember)
	}
	if !v.CanIterateElements() || v.Type().IsSetType() {
		return false
	}
	for it := v.ElementIterator(); it.Next(); {
		if _, e := it.Element(); hasExtreme(e, depth+1) {
			return true
		}
	}
	return false
}

// numberText is what it costs to write a number out. For a small one the digits are found one by one.
func numberText(v cty.Value) int {
	if !v.IsKnown() || v.IsNull() {
		return 0
	}
	f := v.AsBigFloat()
	switch p := f.MantExp(nil); {
	case extreme(f, maxPower):
		return maxUnits + 1
	case p < 0:
		return textUnits - p/8 + p*p>>14
	default:
		return textUnits + p/64
	}
}

// arithmetic is what it costs to find the decimal that represents an operand.
func arithmetic(v cty.Value) int {
	if v.Type() != cty.Number || !v.IsKnown() || v.IsNull() {
		return 0
	}
	switch f := v.AsBigFloat(); {
	case f.IsInt() && !extreme(f, 64):
		return 0
	case f.MinPrec() <= 64:
		return 4
	}
	return 14
}

// equalCost is what it costs to compare a value with another, besides walking over it: numbers that are
// not whole are written out.
func equalCost(v cty.Value, limit int) int {
	n := 0
	var walk func(v cty.Value, depth int)
	walk = func(v cty.Value, depth int) {
		if n > limit || depth > maxNested || !v.IsKnown() || v.IsNull() {
			return
		}
		switch {
		case v.Type() == cty.Number:
			if !v.AsBigFloat().IsInt() {
				n += numberText(v)
			}
		case v.CanIterateElements():
			for it := v.ElementIterator(); it.Next() && n <= limit; {
				_, e := it.Element()
				walk(e, depth+1)
			}
		}
	}
	if Size(v, limit) > limit {
		return limit + 1
	}
	walk(v, 0)
	return min(n, limit+1)
}

// readCost is what it costs to read a number from a text: time that is quadratic in its length, and
// grows with its power of ten.
func readCost(text string, limit int) int {
	n := readUnits
	if len(text) > longText {
		n += times(len(text)/pathUnits+1, len(text)/4, limit)
	}
	if i := strings.IndexAny(text, "eEpP"); i >= 0 {
		digits := strings.TrimLeft(text[i+1:], "+-0")
		power, err := strconv.Atoi(digits)
		const most = 10_000_000
		if err != nil || power > most {
			power = most
		}
		n += power / 64
	}
	return min(n, limit+1)
}

// conversionCost is what it costs to convert a value to a type, besides walking over it: the
// time to read a number from a text is quadratic in its length, and a set compares elements
// whose hash is the same.
func conversionCost(v cty.Value, to cty.Type, limit int) int {
	n := 0
	conversion(v, to, &n, limit, 0)
	return n
}

func conversion(v cty.Value, to cty.Type, n *int, limit, depth int) {
	if *n > limit || !v.IsKnown() || v.IsNull() || to == cty.DynamicPseudoType {
		return
	}
	if depth > maxNested {
		*n = limit + 1
		return
	}
	from := v.Type()
	switch {
	case to == cty.Number && from == cty.String:
		*n += readCost(v.AsString(), limit)
	case to == cty.String && from == cty.Number:
		*n += numberText(v)
	case !v.CanIterateElements():
	case to.IsCollectionType() || to.IsTupleType() || to.IsObjectType():
		if *n += 2 * v.LengthInt(); *n > limit {
			return
		}
		if from.IsSetType() {
			*n += setCost(v.LengthInt(), from.ElementType())
		}
		if to.IsCollectionType() && !levels(v, to) {
			*n += typesCost(v, limit)
		}
		hashes := map[int]int{}
		for it := v.ElementIterator(); it.Next() && *n <= limit; {
			k, e := it.Element()
			conversion(e, elementType(to, k), n, limit, depth+1)
			if to.IsSetType() && !from.IsSetType() && *n <= limit {
				*n += memberCost(e, limit-*n)
				if *n <= limit && e.IsWhollyKnown() {
					h := e.Hash()
					*n += times(hashes[h], 1+equalCost(e, limit), limit)
					hashes[h]++
				}
			}
		}
	}
}

// elementType is the type that an element is converted to.
func elementType(to cty.Type, key cty.Value) cty.Type {
	switch {
	case to.IsCollectionType():
		return to.ElementType()
	case to.IsObjectType() && key.Type() == cty.String && key.IsKnown() && to.HasAttribute(key.AsString()):
		return to.AttributeType(key.AsString())
	case to.IsTupleType() && key.Type() == cty.Number && key.IsKnown():
		i, _ := key.AsBigFloat().Int64()
		if types := to.TupleElementTypes(); int(i) < len(types) {
			return types[i]
		}
	}
	return cty.DynamicPseudoType
}
