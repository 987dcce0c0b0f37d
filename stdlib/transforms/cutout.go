package transforms

import "qpipe/interp/part"

// CutoutArgs are the arguments of Cutout.
type CutoutArgs struct {
	Size []int   `arg:"size,single" doc:"Height and width of the square in pixels, one number for both or [height, width]."`
	P    float64 `arg:"p,optional" doc:"Probability that something is cut out, 0 to 1."`
	Fill int     `arg:"fill,optional" doc:"Value of the pixels there, 0 to 255."`
}

// CutoutDefaults returns Cutout's defaults.
func CutoutDefaults() CutoutArgs { return CutoutArgs{P: 1} }

// Validate implements the language's check after decoding.
func (a CutoutArgs) Validate() error {
	switch {
	case !(a.P >= 0 && a.P <= 1):
		return part.Bad("p", "%v is not a probability, 0 to 1", a.P)
	case a.Fill < 0 || a.Fill > 255:
		return part.Bad("fill", "%d is not the value of a pixel, 0 to 255", a.Fill)
	}
	return validSize(a.Size)
}

type cutout struct{ CutoutArgs }

// NewCutout returns the transform of DeVries and Taylor (2017): a square around a random pixel of the image gets one value; a
// part of it may lie outside. Masks and other inputs stay as they are.
func NewCutout(a CutoutArgs) (part.Transform, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	return cutout{a}, nil
}

// Spec implements part.Transform.
func (c cutout) Spec(in part.Spec) (part.Spec, error) {
	if in.Inputs[0].Numbers {
		return in, part.Bad("fill", "the input is numbers, and a pixel is a byte")
	}
	return in, nil
}

// Apply implements part.Transform.
func (c cutout) Apply(s *part.Sample, r *part.Rand) {
	m := &s.Images[0]
	y, x, p := r.Intn(m.H), r.Intn(m.W), r.Float64()
	if p >= c.P {
		return
	}
	h, w := side(c.Size)
	top, left := y-h/2, x-w/2
	from, to := max(left, 0), min(left+w, m.W)
	for y := max(top, 0); y < min(top+h, m.H); y++ {
		repeat(m.Pix[(y*m.W+from)*m.C:(y*m.W+to)*m.C], uint8(c.Fill))
	}
}
