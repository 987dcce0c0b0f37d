package ref

import (
	"math"

	"qpipe/ops/kernel"
)

// EncodeWeights computes, for every weight of one channel, each operation rounded on its own:
//
//	r    = round( (w·f) / Scale )
//	code = clamp( r, Min, Max )
//	v    = float32(code) · Scale
//	mask = Min <= r <= Max
//
// A quotient that is NaN gets the code 0 and the value NaN, and its mask is 0.
func EncodeWeights(w []float32, f float32, q kernel.Quant, codes []int8, v []float32, mask []uint8) {
	for i := range w {
		t := float32(w[i]*f) / q.Scale
		r := round(t, q.HalfUp)
		c := code(t, 0, q.Min, q.Max, q.HalfUp)
		codes[i], v[i] = int8(c), float32(c)*q.Scale
		if t != t {
			codes[i], v[i] = 0, float32(math.NaN())
		}
		mark(mask, i, float64(q.Min) <= r && r <= float64(q.Max))
	}
}

// WeightGrad computes, for every weight of one channel, each operation rounded on its own:
//
//	t   = d·u where the mask is set (or nil), else 0
//	dst = t·f
//	dot = Σ float64(t)·float64(w)       (0 with a nil w; the products are exact)
func WeightGrad(d, w []float32, mask []uint8, u, f float32, dst []float32) (dot float64) {
	for i, g := range d {
		t := float32(0)
		if marked(mask, i) {
			t = g * u
		}
		dst[i] = t * f
		if w != nil {
			dot += float64(t) * float64(w[i])
		}
	}
	return dot
}
