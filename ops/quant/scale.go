package quant

import "math"

// Epsilon is the smallest scale: float32's epsilon, 2^-23.
const Epsilon = float32(1.1920929e-07)

// Bits returns the number of bits of a code, 0 for Float32.
func (d DType) Bits() int {
	switch d {
	case Int4:
		return 4
	case Int8, UInt8:
		return 8
	case Int16:
		return 16
	}
	return 0
}

// Quantized reports whether the tensor is quantized at all.
func (s Spec) Quantized() bool { return s.DType != Float32 }

// Limits returns the smallest and the largest code.
func (s Spec) Limits() (qmin, qmax int32) {
	switch s.DType {
	case UInt8:
		return 0, 255
	case Float32:
		return 0, 0
	}
	qmax = int32(1)<<(s.DType.Bits()-1) - 1
	qmin = -qmax - 1
	if s.Narrow {
		qmin++
	}
	return qmin, qmax
}

// Scale returns the scale and the zero point for values between lo and hi, for
// the type's codes.
func (s Spec) Scale(lo, hi float32) (scale float32, zero int32) {
	qmin, qmax := s.Limits()
	return s.ScaleFor(lo, hi, qmin, qmax)
}

// ScaleFor is Scale for the codes qmin to qmax. With amax = max(-lo, hi, 0):
//
//	symmetric, max rule     scale = amax / (qmax - zero)
//	symmetric, half range   scale = amax / ((qmax - qmin)/2)
//	affine                  scale = (max(hi, 0) - min(lo, 0)) / (qmax - qmin)
//	                        zero = clamp(qmin - round(min(lo, 0)/scale))
//
// A symmetric zero point is 0, or for unsigned codes the middle, floor((qmin +
// qmax)/2), where the max rule divides by the smaller side, zero - qmin. The
// scale is at least Epsilon (also for an empty range, lo > hi). A range with a
// NaN has the scale NaN, one with an infinity the scale +Inf.
func (s Spec) ScaleFor(lo, hi float32, qmin, qmax int32) (scale float32, zero int32) {
	lo, hi = min(lo, 0), max(hi, 0)
	if s.Scheme == Affine {
		scale = atLeastEpsilon(float32(hi-lo) / float32(qmax-qmin))
		z := float64(qmin) - s.Rounding.Round(float64(lo/scale))
		return scale, clampCode(z, qmin, qmax)
	}
	side := qmax
	if qmin >= 0 {
		zero = (qmin + qmax) / 2
		side = zero - qmin
	}
	divisor := float32(side)
	if s.Rule == HalfRange {
		divisor = float32(qmax-qmin) / 2
	}
	return atLeastEpsilon(max(-lo, hi) / divisor), zero
}

// atLeastEpsilon keeps NaN.
func atLeastEpsilon(v float32) float32 {
	if v < Epsilon {
		return Epsilon
	}
	return v
}

// Round returns the nearest integer, exactly: ties to even, or floor(v + 0.5).
// NaN and infinities stay.
func (r Rounding) Round(v float64) float64 {
	if r == HalfUp {
		return math.Floor(v + 0.5)
	}
	return math.RoundToEven(v)
}

// clampCode turns a rounded value into a code; NaN counts as qmin.
func clampCode(v float64, qmin, qmax int32) int32 {
	if !(v > float64(qmin)) {
		return qmin
	}
	return int32(min(v, float64(qmax)))
}
