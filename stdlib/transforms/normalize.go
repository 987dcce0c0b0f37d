package transforms

import (
	"math"

	"qpipe/interp/part"
)

// NormalizeArgs are the arguments of Normalize.
type NormalizeArgs struct {
	Mean []float64 `arg:"mean" doc:"Mean per channel, or one value for all, of pixels scaled to 0..1."`
	Std  []float64 `arg:"std" doc:"Standard deviation per channel, or one value for all, of pixels scaled to 0..1."`
}

// Validate implements the language's check after decoding.
func (a NormalizeArgs) Validate() error {
	if len(a.Mean) == 0 {
		return part.Bad("mean", "needs a value per channel, or one for all")
	}
	if len(a.Std) == 0 {
		return part.Bad("std", "needs a value per channel, or one for all")
	}
	for _, m := range a.Mean {
		if !(math.Abs(m) <= 1e6) {
			return part.Bad("mean", "%v is not a mean of pixels (in units where white is 1)", m)
		}
	}
	for _, s := range a.Std {
		if !(s >= 1e-6 && s <= 1e6) {
			return part.Bad("std", "%v is not a standard deviation of pixels: it must be above 0 (in units where white is 1)", s)
		}
	}
	return nil
}

type normalize struct{ mean, std []float32 }

// NewNormalize returns the transform that defines how pixels become the network's input: x = (pixel/255 - mean)/std
// (PyTorch's ToTensor and Normalize). It replaces the data set's own values, 0.5 and 0.5; the pixels themselves stay
// bytes.
func NewNormalize(a NormalizeArgs) (part.Transform, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	return normalize{floats(a.Mean), floats(a.Std)}, nil
}

// Spec implements part.Transform.
func (n normalize) Spec(in part.Spec) (part.Spec, error) {
	image := &in.Inputs[0]
	if c := image.Shape.C; len(n.mean) != 1 && len(n.mean) != c {
		return in, part.Bad("mean", "%s for images of %s; give %d, or one for all", part.Count(len(n.mean), "value"), part.Count(c, "channel"), c)
	}
	if c := image.Shape.C; len(n.std) != 1 && len(n.std) != c {
		return in, part.Bad("std", "%s for images of %s; give %d, or one for all", part.Count(len(n.std), "value"), part.Count(c, "channel"), c)
	}
	image.Mean, image.Std = n.mean, n.std
	return in, nil
}

// Apply implements part.Transform: there is nothing to do to the pixels.
func (n normalize) Apply(*part.Sample, *part.Rand) {}

func floats(v []float64) []float32 {
	f := make([]float32, len(v))
	for i := range v {
		f[i] = float32(v[i])
	}
	return f
}
