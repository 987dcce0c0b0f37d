package portable

import (
	"math"

	"qpipe/ops/kernel"
)

// magic is 1.5·2^23: added to a float32 of at most 2^22 in magnitude it leaves no
// room for a fraction, so that the sum is rounded to an integer, ties to even,
// and its low bits are that integer.
const (
	magic     = float32(3 << 22)
	magicBits = 0x4b400000
	magicMost = 1 << 22
)

// chunk is how many elements a fused pass keeps in a buffer between two loops: a whole number of the mask's bytes.
const chunk = 512

// grid has the bounds of rounded values: the limits before the zero point is added (codes have at most 16 bits, so
// magic reaches them), and the open interval in which the mask is set.
type grid struct {
	lo, hi      int32
	zero        int32
	halfUp      bool
	floor, ceil float32
}

// gridOf is the grid of quotients x/Scale.
func gridOf(q *kernel.Quant, act kernel.Act) grid {
	floor, ceil := q.Gate(act)
	return grid{q.Min - q.Zero, q.Max - q.Zero, q.Zero, q.HalfUp, floor, ceil}
}

// round returns the nearest integer within the limits; NaN counts as 0. Values too large for magic, which are rare, are
// clamped before they are rounded; the others after, without a branch that random data would make unpredictable.
func (g *grid) round(v float32) int32 {
	if !(-magicMost < v && v < magicMost) {
		v = g.large(v)
	}
	return min(max(integer(v), g.lo), g.hi)
}

// roundUp is round as floor(v + 0.5).
func (g *grid) roundUp(v float32) int32 {
	if !(-magicMost < v && v < magicMost) {
		v = g.large(v)
	}
	return min(max(integerUp(v), g.lo), g.hi)
}

func (g *grid) large(v float32) float32 {
	if v != v {
		return 0
	}
	return min(max(v, float32(g.lo)), float32(g.hi))
}

// integer rounds a value within magic's range, ties to even.
func integer(v float32) int32 { return int32(math.Float32bits(v+magic)) - magicBits }

// integerUp is integer as floor(v + 0.5); v - r is exact.
func integerUp(v float32) int32 {
	r := float32(v+magic) - magic
	if v-r == 0.5 {
		r++
	}
	return int32(r)
}

// between writes the mask of floor < x < ceil.
func between(x []float32, mask []uint8, floor, ceil float32) {
	if !(floor < ceil) {
		clear(mask[:(len(x)+7)/8])
		return
	}
	if ceil == 0 {
		ceil = float32(math.Copysign(0, -1)) // so that -0 is not below it
	}
	lo := order(floor+0) + 1
	width := order(ceil) - lo
	for len(x) >= 8 && len(mask) > 0 {
		mask[0] = inside(x[0], lo, width) | inside(x[1], lo, width)<<1 | inside(x[2], lo, width)<<2 | inside(x[3], lo, width)<<3 |
			inside(x[4], lo, width)<<4 | inside(x[5], lo, width)<<5 | inside(x[6], lo, width)<<6 | inside(x[7], lo, width)<<7
		x, mask = x[8:], mask[1:]
	}
	for i, v := range x {
		if i == 0 {
			mask[0] = 0
		}
		mask[0] |= inside(v, lo, width) << i
	}
}

// order maps floats to integers of the same order, NaN beyond the infinities.
func order(v float32) uint32 {
	i := int32(math.Float32bits(v))
	return uint32(i ^ i>>31&math.MaxInt32)
}

// inside is 1 if order(v) is one of the width integers from lo on, without a branch.
func inside(v float32, lo, width uint32) uint8 {
	var in uint8
	if order(v)-lo < width {
		in = 1
	}
	return in
}

// encode writes the codes and, unless it is nil, the mask of unrounded values; NaN
// counts as 0.
func (g *grid) encode(t []float32, y, mask []uint8) {
	if mask != nil {
		between(t, mask, g.floor, g.ceil)
	}
	b := *g
	y = y[:len(t)]
	if b.halfUp {
		for i, v := range t {
			y[i] = uint8(b.roundUp(v) + b.zero)
		}
		return
	}
	for i, v := range t {
		y[i] = uint8(b.round(v) + b.zero)
	}
}

// snap is encode with values in units of the scale instead of codes; NaN is kept. y may be t.
func (g *grid) snap(t, y []float32, scale float32) {
	lo, hi := float32(g.lo), float32(g.hi)
	y = y[:len(t)]
	for i, v := range t {
		if !(lo <= v && v <= hi) { // rare: a scale is chosen for its values
			v = min(max(v, lo), hi)
		}
		r := float32(v+magic) - magic
		if g.halfUp && v-r == 0.5 { // exact
			r++
		}
		y[i] = r * scale
	}
}

// divide writes x/by.
func divide(x, y []float32, by float32) {
	y = y[:len(x)]
	for i, v := range x {
		y[i] = v / by
	}
}

// part returns the part of a mask that belongs to the elements from i on, a multiple of 8.
func part(mask []uint8, i int) []uint8 {
	if mask == nil {
		return nil
	}
	return mask[i/8:]
}

// Quantize is ref.Quantize.
func Quantize(x []float32, y, mask []uint8, q kernel.Quant, act kernel.Act) {
	g := gridOf(&q, act)
	var buf [chunk]float32
	for i := 0; i < len(x); i += chunk {
		t := buf[:min(chunk, len(x)-i)]
		divide(x[i:i+len(t)], t, q.Scale)
		g.encode(t, y[i:], part(mask, i))
	}
}

// FakeQuant is ref.FakeQuant.
func FakeQuant(x, y []float32, mask []uint8, q kernel.Quant, act kernel.Act) {
	g := gridOf(&q, act)
	var buf [chunk]float32
	for i := 0; i < len(x); i += chunk {
		t := buf[:min(chunk, len(x)-i)]
		divide(x[i:i+len(t)], t, q.Scale)
		if mask != nil {
			between(t, mask[i/8:], g.floor, g.ceil)
		}
		g.snap(t, y[i:], q.Scale)
	}
}
