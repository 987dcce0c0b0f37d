package ref

import "qpipe/ops/kernel"

// Affine computes, for rows of len(a) channels, each operation rounded on its own:
//
//	v    = x·a[c] + b[c]
//	v    = v + z                      (where there is an operand)
//	y    = act(v)
//	mask = y strictly inside the activation's linear part
//
// act is ReLU max(v, 0), ReLU6 min(max(v, 0), 6). NaN stays NaN.
func Affine(x []float32, z kernel.Operand, y []float32, mask []uint8, a, b []float32, act kernel.Act) {
	floor, ceil := act.Linear()
	for i := range x {
		y[i] = affine(x, z, a, b, act, i)
		mark(mask, i, floor < y[i] && y[i] < ceil)
	}
}

// AffineQuant is Affine, then Quantize:
//
//	t    = act(v) / Scale
//	y    = uint8( clamp( round(t) + Zero, Min, Max ) )   (NaN: the code nearest to Zero)
//	mask = floor < t < ceil                              (floor, ceil = Gate(act))
func AffineQuant(x []float32, z kernel.Operand, y, mask []uint8, a, b []float32, act kernel.Act, q kernel.Quant) {
	floor, ceil := q.Gate(act)
	for i := range x {
		t := affine(x, z, a, b, act, i) / q.Scale
		y[i] = uint8(code(t, q.Zero, q.Min, q.Max, q.HalfUp))
		mark(mask, i, floor < t && t < ceil)
	}
}

// AffineRange is MinMax of Affine's act(v).
func AffineRange(x []float32, z kernel.Operand, a, b []float32, act kernel.Act) (lo, hi float32) {
	lo, hi = MinMax(nil)
	for i := range x {
		v := affine(x, z, a, b, act, i)
		lo, hi = min(lo, v), max(hi, v)
	}
	return lo, hi
}

// affine is act(x·a + b + z) for element i.
func affine(x []float32, z kernel.Operand, a, b []float32, act kernel.Act, i int) float32 {
	c := i % len(a)
	v := float32(x[i]*a[c]) + b[c]
	switch {
	case z.F != nil:
		v += z.F[i]
	case z.Q != nil:
		v += float32(float32(int32(z.Q[i])-z.Zero) * z.Scale)
	}
	switch act {
	case kernel.ReLU:
		return max(v, 0)
	case kernel.ReLU6:
		return min(max(v, 0), 6)
	}
	return v
}
