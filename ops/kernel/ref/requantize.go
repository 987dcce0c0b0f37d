package ref

import (
	"math"

	"qpipe/ops/kernel"
)

// Requantize computes, for every row and channel c:
//
//	v    = float32(acc + bias[c]) · M[c]              (bias counts as 0 where it is nil)
//	v    = v + float32(z - ZZero) · MZ                (where z is not nil)
//	y    = uint8( clamp( rint(v), lo-Zero, hi-Zero ) + Zero )
//	mask = Floor < v < Ceil
//
// with lo = Min, hi = Max; an activation raises lo to Zero, ReLU6 lowers hi to
// Six. Each product and each sum is rounded to float32 on its own; acc + bias is
// an int32 addition. rint sends ties to even, or is floor(v + 0.5) with HalfUp.
// A v that is NaN (a multiplier is not finite) gets the code of 0, and its mask
// is 0; infinities clamp.
func Requantize(acc, bias []int32, z, y, mask []uint8, c int, q *kernel.Requant) {
	for i, a := range acc {
		if bias != nil {
			a += bias[i%c]
		}
		v := float32(a) * q.M[i%c]
		var pass bool
		if z != nil {
			y[i], pass = requantize(q, v, &z[i])
		} else {
			y[i], pass = requantize(q, v, nil)
		}
		mark(mask, i, pass)
	}
}

// Product computes, for every element:
//
//	v    = float32( (x - zx)·(y - zy) ) · M[0]
//	out  = uint8( clamp( rint(v), lo-Zero, hi-Zero ) + Zero )
//	mask = Floor < v < Ceil
//
// as Requantize does. The integer product is exact in float32.
func Product(x, y []uint8, zx, zy int32, out, mask []uint8, q *kernel.Requant) {
	for i, a := range x {
		var pass bool
		out[i], pass = requantize(q, float32((int32(a)-zx)*(int32(y[i])-zy))*q.M[0], nil)
		mark(mask, i, pass)
	}
}

// requantize is the epilogue of one element, from the product on.
func requantize(q *kernel.Requant, v float32, z *uint8) (y uint8, pass bool) {
	if z != nil {
		v += float32(float32(int32(*z)-q.ZZero) * q.MZ)
	}
	lo, hi := q.Bounds()
	return uint8(code(v, q.Zero, lo, hi, q.HalfUp)), q.Floor < v && v < q.Ceil
}

// Dequantize computes, for every row and channel c: y = float32(acc + bias[c]) · m[c];
// bias counts as 0 where it is nil.
func Dequantize(acc, bias []int32, y []float32, c int, m []float32) {
	for i, a := range acc {
		if bias != nil {
			a += bias[i%c]
		}
		y[i] = float32(a) * m[i%c]
	}
}

// Widen computes acc = int32(x) - zero.
func Widen(x []uint8, zero int32, acc []int32) {
	for i, v := range x {
		acc[i] = int32(v) - zero
	}
}

// Values computes y = float32( int32(x) - zero ) · scale.
func Values(x []uint8, zero int32, scale float32, y []float32) {
	for i, v := range x {
		y[i] = float32(int32(v)-zero) * scale
	}
}

// Lookup computes y = table[x].
func Lookup(x []uint8, table *[256]uint8, y []uint8) {
	for i, v := range x {
		y[i] = table[v]
	}
}

// code is clamp(round(v) + zero, lo, hi); 0 for round(NaN).
func code(v float32, zero, lo, hi int32, halfUp bool) int32 {
	if v != v {
		v = 0
	}
	r := round(v, halfUp)
	return int32(min(max(r, float64(lo)-float64(zero)), float64(hi)-float64(zero))) + zero
}

// round is the nearest integer: ties to even, or floor(v + 0.5), both exact.
func round(v float32, halfUp bool) float64 {
	if halfUp {
		return math.Floor(float64(v) + 0.5)
	}
	return math.RoundToEven(float64(v))
}
