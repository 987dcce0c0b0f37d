package observers

import (
	"math"

	"qpipe/interp/part"
	"qpipe/ops/quant"
)

// FixedScaleArgs are the arguments of fixed_scale.
type FixedScaleArgs struct {
	Scale     float64 `arg:"scale" doc:"The scale: the value of one quantization step."`
	ZeroPoint int     `arg:"zero_point,optional" before:"0" doc:"The code of the value 0. Other than 0 only with scheme = \"affine\"."`
}

// Validate implements the language's check after decoding.
func (a FixedScaleArgs) Validate() error {
	if !(a.Scale >= float64(quant.Epsilon) && a.Scale <= 1e30) {
		return part.Bad("scale", "%v must be positive (at least %g); 1/127 covers the range -1 to 1 with int8", a.Scale, quant.Epsilon)
	}
	return nil
}

type fixedScale struct {
	scale float32
	zero  int
}

// NewFixedScale returns the observer with a given scale, which looks at no data.
func NewFixedScale(a FixedScaleArgs) (part.Observer, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	return fixedScale{float32(a.Scale), a.ZeroPoint}, nil
}

// Fits implements part.SpecFitter.
func (f fixedScale) Fits(s quant.Spec) error {
	lo, hi := s.Limits()
	switch {
	case f.zero != 0 && s.Scheme != quant.Affine:
		return part.Bad("zero_point", "a symmetric scale has the zero point 0; write scheme = \"affine\"")
	case f.zero < int(lo) || f.zero > int(hi):
		return part.Bad("zero_point", "%d is no code of %v: they are %d to %d", f.zero, s.DType, lo, hi)
	}
	return nil
}

// Averaging implements quant.Observer.
func (fixedScale) Averaging() float32 { return 1 }

// Fixed implements quant.Observer.
func (fixedScale) Fixed() bool { return true }

// Range implements quant.Observer: the range whose scale is the given one. If no float32 divided by qmax is exactly
// that scale, it is the nearest possible one (less than one unit in the last place away).
func (f fixedScale) Range(_ []float32, _, _ float32, s quant.Spec) (float32, float32) {
	qmin, qmax := s.Limits()
	if s.Scheme == quant.Affine {
		lo, hi := f.scale*float32(int(qmin)-f.zero), f.scale*float32(int(qmax)-f.zero)
		if lo == 0 {
			return 0, f.tune(hi, func(v float32) float32 { scale, _ := s.Scale(0, v); return scale })
		}
		return lo, f.tune(hi, func(v float32) float32 { scale, _ := s.Scale(lo, v); return scale })
	}
	one, _ := s.Scale(-1, 1) // 1/divisor
	hi := f.tune(f.scale/one, func(v float32) float32 { scale, _ := s.Scale(-v, v); return scale })
	return -hi, hi
}

// tune returns the value next to v whose scale is nearest to the wanted one.
func (f fixedScale) tune(v float32, scale func(float32) float32) float32 {
	best, err := v, math.Inf(1)
	for _, step := range [...]int{0, -1, 1, -2, 2} {
		u := math.Float32frombits(math.Float32bits(v) + uint32(step))
		if e := math.Abs(float64(scale(u)) - float64(f.scale)); e < err {
			best, err = u, e
		}
	}
	return best
}
