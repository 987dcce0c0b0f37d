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

// bounds are the codes' limits before the zero point is added. They are integers,
// so clamping may come before rounding.
type bounds struct{ lo, hi float32 }

// boundsOf reports also whether the bounds are small enough for magic.
func boundsOf(lo, hi, zero int32) (bounds, bool) {
	l, h := int64(lo)-int64(zero), int64(hi)-int64(zero)
	return bounds{float32(l), float32(h)}, -magicMost <= l && l <= h && h <= magicMost
}

// clip handles what lies outside the bounds; NaN stays.
func (b bounds) clip(v float32) float32 { return min(max(v, b.lo), b.hi) }

// clipCode is clip with NaN as 0.
func (b bounds) clipCode(v float32) float32 {
	if v != v {
		v = 0
	}
	return b.clip(v)
}

// rint rounds a value within the bounds, ties to even.
func rint(v float32) float32 { return float32(v+magic) - magic }

// rintUp rounds a value within the bounds as floor(v + 0.5); v - r is exact.
func rintUp(v float32) float32 {
	r := rint(v)
	if v-r == 0.5 {
		r++
	}
	return r
}

// integer is rint as an integer.
func integer(v float32) int32 { return int32(math.Float32bits(v+magic)) - magicBits }

// Quantize is ref.Quantize.
func Quantize(x []float32, y []int8, q kernel.Quant) {
	b, ok := boundsOf(q.Min, q.Max, q.Zero)
	if !ok {
		ref.Quantize(x, y, q)
		return
	}
	y = y[:len(x)]
	for i, v := range x {
		t := v / q.Scale
		if !(b.lo <= t && t <= b.hi) {
			t = b.clipCode(t)
		}
		if q.HalfUp {
			t = rintUp(t)
		}
		y[i] = int8(integer(t) + q.Zero)
	}
}

// FakeQuant is ref.FakeQuant.
func FakeQuant(x, y []float32, q kernel.Quant) {
	b, ok := boundsOf(q.Min, q.Max, q.Zero)
	if !ok {
		ref.FakeQuant(x, y, q)
		return
	}
	y = y[:len(x)]
	if q.HalfUp {
		for i, v := range x {
			y[i] = rintUp(b.clip(v/q.Scale)) * q.Scale
		}
		return
	}
	for i, v := range x {
		t := v / q.Scale
		if !(b.lo <= t && t <= b.hi) {
			t = b.clip(t)
		}
		y[i] = rint(t) * q.Scale
	}
}

// FakeQuantBackward is ref.FakeQuantBackward: round(t) >= lo is a comparison of t
// itself with lo - 1/2, where the tie counts if it is rounded up to lo; likewise
// for hi.
func FakeQuantBackward(x, dy, dx []float32, q kernel.Quant) {
	b, ok := boundsOf(q.Min, q.Max, q.Zero)
	if !ok {
		ref.FakeQuantBackward(x, dy, dx, q)
		return
	}
	lo, hi := b.lo-0.5, b.hi+0.5
	if !q.HalfUp && int32(b.lo)%2 != 0 {
		lo = math.Nextafter32(lo, b.lo)
	}
	if q.HalfUp || int32(b.hi)%2 != 0 {
		hi = math.Nextafter32(hi, b.hi)
	}
	dy, dx = dy[:len(x)], dx[:len(x)]
	for i, v := range x {
		t, d := v/q.Scale, dy[i]
		if !(lo <= t && t <= hi) {
			d = 0
		}
		dx[i] = d
	}
}
