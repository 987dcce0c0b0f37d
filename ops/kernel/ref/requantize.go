package ref

import (
	"math"

	"qpipe/ops/kernel"
)

// Requantize computes, for every row and channel c:
//
//	v = float32(acc + bias[c]) · M[c]                 (M[0] where M has one value)
//	v = v + float32(z - ZZero) · MZ                   (where z is not nil)
//	y = int8( clamp( rint(v), lo-Zero, hi-Zero ) + Zero )
//
// with lo = Min, hi = Max; an activation raises lo to Zero, ReLU6 lowers hi to
// Six. Each product and each sum is rounded to float32 on its own; acc + bias is
// an int32 addition. rint sends ties to even, or is floor(v + 0.5) with HalfUp.
// A v that is NaN (a multiplier is not finite) counts as 0, infinities clamp.
func Requantize(acc, bias []int32, z, y []int8, c int, q *kernel.Requant) {
	lo, hi := q.Bounds()
	for i, a := range acc {
		ch := i % c
		if bias != nil {
			a += bias[ch]
		}
		m := q.M[0]
		if len(q.M) > 1 {
			m = q.M[ch]
		}
		v := float32(float32(a) * m)
		if z != nil {
			v += float32(float32(int32(z[i])-q.ZZero) * q.MZ)
		}
		y[i] = int8(code(v, q.Zero, lo, hi, q.HalfUp))
	}
}

// Dequantize computes, for every row and channel c: y = float32(acc + bias[c]) · m[c]
// (m[0] where m has one value).
func Dequantize(acc, bias []int32, y []float32, c int, m []float32) {
	for i, a := range acc {
		ch := i % c
		if bias != nil {
			a += bias[ch]
		}
		if len(m) > 1 {
			y[i] = float32(a) * m[ch]
		} else {
			y[i] = float32(a) * m[0]
		}
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
