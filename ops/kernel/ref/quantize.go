package ref

import "qpipe/ops/kernel"

// Quantize computes, with a true float32 division:
//
//	t    = x / Scale
//	y    = uint8( clamp( round(t) + Zero, Min, Max ) )
//	mask = floor < t < ceil                           (floor, ceil = Gate(act))
//
// A quotient that is NaN gets the code that is nearest to Zero, infinities and quotients beyond any integer are clamped
// to Min or Max.
func Quantize(x []float32, y, mask []uint8, q kernel.Quant, act kernel.Act) {
	floor, ceil := q.Gate(act)
	for i, v := range x {
		t := v / q.Scale
		y[i] = uint8(code(t, q.Zero, q.Min, q.Max, q.HalfUp))
		mark(mask, i, floor < t && t < ceil)
	}
}

// FakeQuant computes, with Quantize's t and mask:
//
//	y = float32( clamp( round(t) + Zero, Min, Max ) - Zero ) · Scale
//
// A quotient that is NaN stays NaN, so that a broken value is found where it arises and not hidden; infinities are
// clamped.
func FakeQuant(x, y []float32, mask []uint8, q kernel.Quant, act kernel.Act) {
	floor, ceil := q.Gate(act)
	for i, v := range x {
		t := v / q.Scale
		y[i] = t
		if t == t {
			y[i] = float32(code(t, q.Zero, q.Min, q.Max, q.HalfUp)-q.Zero) * q.Scale
		}
		mark(mask, i, floor < t && t < ceil)
	}
}
