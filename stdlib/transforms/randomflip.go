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

// Apply implements part.Transform. Maps move with the image; other numbers and labels stay as they are.
func (f randomFlip) Apply(s *part.Sample, r *part.Rand) {
	if r.Float64() >= f.P {
		return
	}
	vertical := f.Direction == "vertical"
	for k := range s.Images {
		m := &s.Images[k]
		flip(m.Pix, m.H, m.W, vertical)
		flip(m.Numbers, m.H, m.W, vertical)
	}
	for k := range s.Targets {
		t := &s.Targets[k]
		flip(t.Labels, t.H, t.W, vertical)
		flip(t.Numbers, t.H, t.W, vertical)
	}
}

// flip turns a map of h×w over. Without a height it is none.
func flip[T any](p []T, h, w int, vertical bool) {
	if h*w == 0 {
		return
	}
	row := len(p) / h
	if vertical {
		reverse(p, h, row)
		return
	}
	for y := range h {
		reverse(p[y*row:], w, row/w)
	}
}

// reverse reverses the order of the first n groups of size elements.
func reverse[T any](p []T, n, size int) {
	for i, j := 0, n-1; i < j; i, j = i+1, j-1 {
		a, b := p[i*size:][:size], p[j*size:][:size]
		for k := range a {
			a[k], b[k] = b[k], a[k]
		}
	}
}
