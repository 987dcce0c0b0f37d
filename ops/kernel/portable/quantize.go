package portable

import (
	"math"

	"qpipe/ops/kernel"
	"qpipe/ops/kernel/ref"
)

// magic is 1.5·2^23: added to a float32 of at most 2^22 in magnitude it leaves no
// room for a fraction, so that the sum is rounded to an integer, ties to even,
// and its low bits are that integer.
const (
	magic     = float32(3 << 22)
	magicBits = 0x4b400000
	magicMost = 1 << 22
)

// chunk is how many elements a fused pass holds in a buffer of its own between two
// loops: a whole number of the mask's bytes.
const chunk = 512

// grid is where rounded values lie: the limits before the zero point is added
// (they are integers, so clamping may come before rounding), and the open interval
// in which the mask is set.
type grid struct {
	lo, hi      float32
	zero        int32
	halfUp      bool
	floor, ceil float32
}

// gridOf reports also whether the limits are small enough for magic.
func gridOf(lo, hi, zero int32, halfUp bool, floor, ceil float32) (grid, bool) {
	l, h := int64(lo)-int64(zero), int64(hi)-int64(zero)
	return grid{float32(l), float32(h), zero, halfUp, floor, ceil}, -magicMost <= l && l <= h && h <= magicMost
}

// gridOfQuant is the grid of quotients x/Scale.
func gridOfQuant(q *kernel.Quant, act kernel.Act) (grid, bool) {
	floor, ceil := q.Gate(act)
	return gridOf(q.Min, q.Max, q.Zero, q.HalfUp, floor, ceil)
}

// clip handles what lies outside the limits; NaN stays.
func (g *grid) clip(v float32) float32 { return min(max(v, g.lo), g.hi) }

// clipCode is clip with NaN as 0.
func (g *grid) clipCode(v float32) float32 {
	if v != v {
		v = 0
	}
	return g.clip(v)
}

// rint rounds a value within the limits, ties to even.
func rint(v float32) float32 { return float32(v+magic) - magic }

// rintUp rounds a value within the limits as floor(v + 0.5); v - r is exact.
func rintUp(v float32) float32 {
	r := rint(v)
	if v-r == 0.5 {
		r++
	}
	return r
}

// integer is rint as an integer.
func integer(v float32) int32 { return int32(math.Float32bits(v+magic)) - magicBits }

// inside is 1 where floor < v < ceil, else 0, without a branch.
func inside(v, floor, ceil float32) uint8 {
	var above, below uint8
	if floor < v {
		above = 1
	}
	if v < ceil {
		below = 1
	}
	return above & below
}

// between writes the mask of floor < x < ceil.
func between(x []float32, mask []uint8, floor, ceil float32) {
	for i := 0; len(x) > 0; i++ {
		var b uint8
		n := min(len(x), 8)
		for j, v := range x[:n] {
			b |= inside(v, floor, ceil) << j
		}
		mask[i] = b
		x = x[n:]
	}
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
			if !(b.lo <= v && v <= b.hi) {
				v = b.clipCode(v)
			}
			y[i] = uint8(integer(rintUp(v)) + b.zero)
		}
		return
	}
	for i, v := range t {
		if !(b.lo <= v && v <= b.hi) {
			v = b.clipCode(v)
		}
		y[i] = uint8(integer(v) + b.zero)
	}
}

// snap is encode with values in units of the scale instead of codes; NaN stays. y may be t.
func (g *grid) snap(t, y []float32, scale float32) {
	b := *g
	y = y[:len(t)]
	if b.halfUp {
		for i, v := range t {
			y[i] = rintUp(b.clip(v)) * scale
		}
		return
	}
	for i, v := range t {
		if !(b.lo <= v && v <= b.hi) {
			v = b.clip(v)
		}
		y[i] = rint(v) * scale
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
	g, ok := gridOfQuant(&q, act)
	if !ok {
		ref.Quantize(x, y, mask, q, act)
		return
	}
	var buf [chunk]float32
	for i := 0; i < len(x); i += chunk {
		t := buf[:min(chunk, len(x)-i)]
		divide(x[i:i+len(t)], t, q.Scale)
		g.encode(t, y[i:], part(mask, i))
	}
}

// FakeQuant is ref.FakeQuant.
func FakeQuant(x, y []float32, mask []uint8, q kernel.Quant, act kernel.Act) {
	g, ok := gridOfQuant(&q, act)
	if !ok {
		ref.FakeQuant(x, y, mask, q, act)
		return
	}
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
