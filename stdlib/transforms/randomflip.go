package transforms

import "qpipe/interp/part"

// RandomFlipArgs are the arguments of RandomFlip.
type RandomFlipArgs struct {
	P         float64 `arg:"p,optional" doc:"Probability of a flip, 0 to 1."`
	Direction string  `arg:"direction,optional" oneof:"horizontal vertical" doc:"horizontal swaps left and right, vertical top and bottom."`
}

// RandomFlipDefaults returns RandomFlip's defaults.
func RandomFlipDefaults() RandomFlipArgs { return RandomFlipArgs{P: 0.5, Direction: "horizontal"} }

// Validate implements the language's check after decoding.
func (a RandomFlipArgs) Validate() error {
	if !(a.P >= 0 && a.P <= 1) {
		return part.Bad("p", "%v is not a probability, 0 to 1", a.P)
	}
	return nil
}

type randomFlip struct{ RandomFlipArgs }

// NewRandomFlip returns the transform that mirrors the image with probability p (PyTorch's
// RandomHorizontalFlip and RandomVerticalFlip).
func NewRandomFlip(a RandomFlipArgs) (part.Transform, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	return randomFlip{a}, nil
}

// Spec implements part.Transform.
func (f randomFlip) Spec(in part.Spec) (part.Spec, error) { return in, nil }

// Apply implements part.Transform.
func (f randomFlip) Apply(img *part.Image, r *part.Rand) {
	if r.Float64() >= f.P {
		return
	}
	if f.Direction == "vertical" {
		flipRows(img.Pix, img.H, img.W*img.C)
		return
	}
	for y := range img.H {
		flipRows(img.Pix[y*img.W*img.C:], img.W, img.C)
	}
}

// flipRows reverses the order of the first n groups of size bytes.
func flipRows(p []uint8, n, size int) {
	for i, j := 0, n-1; i < j; i, j = i+1, j-1 {
		a, b := p[i*size:][:size], p[j*size:][:size]
		for k := range a {
			a[k], b[k] = b[k], a[k]
		}
	}
}
