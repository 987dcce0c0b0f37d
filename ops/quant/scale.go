package quant

import "math"

// Epsilon is the smallest scale: float32's epsilon, 2^-23.
const Epsilon = float32(1.1920929e-07)

// String returns the name as pipelines write it.
func (d DType) String() string {
	return [...]string{"float32", "int4", "int8", "int16", "uint8"}[d]
}

// Bits returns the number of bits of a code, 0 for Float32.
func (d DType) Bits() int { return [...]int{0, 4, 8, 16, 8}[d] }

// Quantized reports whether the tensor is quantized at all.
func (s Spec) Quantized() bool { return s.DType != Float32 }

// Limits returns the smallest and the largest code.
func (s Spec) Limits() (lo, hi int32) {
	switch s.DType {
	case UInt8:
		return 0, 255
	case Float32:
		return 0, 0
	}
	hi = int32(1)<<(s.DType.Bits()-1) - 1
	lo = -hi - 1
	if s.Narrow {
		lo++
	}
	return lo, hi
}

// Scale returns the scale and the zero point for values between lo and hi
// (numerics.md, "Quant node"). Where lo or hi is NaN the scale is NaN.
func (s Spec) Scale(lo, hi float32) (scale float32, zero int32) {
	qmin, qmax := s.Limits()
	lo, hi = min(lo, 0), max(hi, 0)
	if s.Scheme == Affine {
		scale = atLeastEpsilon((hi - lo) / float32(qmax-qmin))
		z := float64(qmin) - s.round(float64(lo/scale))
		return scale, int32(min(max(z, float64(qmin)), float64(qmax)))
	}
	if s.DType == UInt8 {
		zero = 128
	}
	div := float32(qmax - zero)
	if s.Rule == HalfRange {
		div = float32(qmax-qmin) / 2
	}
	return atLeastEpsilon(max(-lo, hi) / div), zero
}

func (s Spec) round(v float64) float64 {
	if s.Rounding == HalfUp {
		return math.Floor(v + 0.5)
	}
	return math.RoundToEven(v)
}

// atLeastEpsilon lets NaN through.
func atLeastEpsilon(v float32) float32 {
	if v < Epsilon {
		return Epsilon
	}
	return v
}
