package quant

import "qpipe/ops/kernel"

// Params returns what the kernels need to quantize by the spec with this scale
// and zero point.
func (s Spec) Params(scale float32, zero int32) kernel.Quant {
	qmin, qmax := s.Limits()
	return kernel.Quant{Scale: scale, Zero: zero, Min: qmin, Max: qmax, HalfUp: s.Rounding == HalfUp}
}

// Code quantizes one value: clamp(round(x/Scale) + Zero, Min, Max), with a
// float32 division. NaN gets the code nearest to Zero.
func Code(x float32, q kernel.Quant) int32 {
	r := float64(q.Round(x / q.Scale))
	if r != r {
		r = 0
	}
	return clampCode(r+float64(q.Zero), q.Min, q.Max)
}

// Value is the value of a code: (code - Zero)·Scale, rounded to float32.
func Value(code int32, q kernel.Quant) float32 { return float32(code-q.Zero) * q.Scale }

// Fake is the value of x's code; NaN stays NaN.
func Fake(x float32, q kernel.Quant) float32 {
	if t := x / q.Scale; t != t {
		return t
	}
	return Value(Code(x, q), q)
}
