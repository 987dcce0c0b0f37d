package ref

import "qpipe/ops/kernel"

// Quantize computes y = int8( clamp( round(x/Scale) + Zero, Min, Max ) ), with a true
// float32 division. A quotient that is NaN gets the code that is nearest to Zero,
// infinities and quotients beyond any integer clamp to Min or Max.
func Quantize(x []float32, y []int8, q kernel.Quant) {
	for i, v := range x {
		y[i] = int8(code(v/q.Scale, q.Zero, q.Min, q.Max, q.HalfUp))
	}
}

// FakeQuant computes y = float32( clamp( round(x/Scale) + Zero, Min, Max ) - Zero ) · Scale.
// A quotient that is NaN stays NaN, so that a broken value is found where it
// arises and not hidden; infinities clamp.
func FakeQuant(x, y []float32, q kernel.Quant) {
	for i, v := range x {
		t := v / q.Scale
		if t != t {
			y[i] = t
			continue
		}
		y[i] = float32(code(t, q.Zero, q.Min, q.Max, q.HalfUp)-q.Zero) * q.Scale
	}
}

// FakeQuantBackward computes dx = dy where Min <= round(x/Scale) + Zero <= Max, else 0
// (also where the quotient is NaN).
func FakeQuantBackward(x, dy, dx []float32, q kernel.Quant) {
	for i, v := range x {
		r := round(v/q.Scale, q.HalfUp) + float64(q.Zero)
		if float64(q.Min) <= r && r <= float64(q.Max) {
			dx[i] = dy[i]
		} else {
			dx[i] = 0
		}
	}
}
