// Package transforms is the shelf of image transforms: it changes an image of bytes in place, with only the randomness
// that it is given. It knows no files and no network.
package transforms

import (
	"fmt"

	"qpipe/interp/part"
	"qpipe/ops/tensor"
)

// RandomCropArgs are the arguments of RandomCrop.
type RandomCropArgs struct {
	Size    int `arg:"size" doc:"Height and width of the crop in pixels."`
	Padding int `arg:"padding,optional" doc:"Pixels added on each side before the crop."`
	Fill    int `arg:"fill,optional" doc:"Value of the added pixels, 0 to 255."`
}

// Validate implements the language's check after decoding.
func (a RandomCropArgs) Validate() error {
	switch {
	case a.Size < 1 || a.Size > 1<<14:
		return part.Bad("size", "%d pixels; a crop has 1 to 16384", a.Size)
	case a.Padding < 0 || a.Padding > 1<<12:
		return part.Bad("padding", "%d pixels; it must be 0 to 4096", a.Padding)
	case a.Fill < 0 || a.Fill > 255:
		return part.Bad("fill", "%d is not the value of a pixel, 0 to 255", a.Fill)
	}
	return nil
}

type randomCrop struct{ RandomCropArgs }

// NewRandomCrop returns the transform that pads the image and cuts a square out of it, every position being
// equally likely (PyTorch's transforms.RandomCrop with constant padding).
func NewRandomCrop(a RandomCropArgs) (part.Transform, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	return randomCrop{a}, nil
}

// Spec implements part.Transform. What has the height and width of the image is cropped with it; pixels that are added to a
// mask are part.Ignored.
func (c randomCrop) Spec(in part.Spec) (part.Spec, error) {
	image := in.Inputs[0].Shape
	h, w := image.H+2*c.Padding, image.W+2*c.Padding
	if c.Size > h || c.Size > w {
		return in, part.Bad("size", "a crop of %d×%d does not fit into the image of %d×%d (%s with padding %d); make size at most %d or padding larger",
			c.Size, c.Size, h, w, image, c.Padding, min(h, w))
	}
	crop := func(what, name string, s *tensor.Shape) error {
		switch {
		case s.H*s.W <= 1:
			return nil
		case s.H != image.H || s.W != image.W:
			return fmt.Errorf("the %s %q is %d×%d and the image %d×%d: a crop takes the same part of both, so they need one size", what, name, s.H, s.W, image.H, image.W)
		}
		s.H, s.W = c.Size, c.Size
		return nil
	}
	for k := range in.Inputs {
		if err := crop("input", in.Inputs[k].Name, &in.Inputs[k].Shape); err != nil {
			return in, err
		}
	}
	for k := range in.Targets {
		t := &in.Targets[k]
		switch {
		case !t.Map() || c.Padding == 0:
		case t.Numbers:
			return in, part.Bad("padding", "there is no number to add around the target %q; it must be 0", t.Name)
		default:
			t.Ignores = true
		}
		if err := crop("target", t.Name, &t.Shape); err != nil {
			return in, err
		}
	}
	return in, nil
}

// Apply implements part.Transform.
func (c randomCrop) Apply(s *part.Sample, r *part.Rand) {
	h, w := s.Images[0].H, s.Images[0].W
	top := r.Intn(h+2*c.Padding-c.Size+1) - c.Padding
	left := r.Intn(w+2*c.Padding-c.Size+1) - c.Padding
	for k := range s.Images {
		if m := &s.Images[k]; m.H == h && m.W == w {
			m.Pix = window(m.Pix, h, w, top, left, c.Size, uint8(c.Fill))
			m.Numbers = window(m.Numbers, h, w, top, left, c.Size, float32(c.Fill))
			m.H, m.W = c.Size, c.Size
		}
	}
	for k := range s.Targets {
		if t := &s.Targets[k]; t.H == h && t.W == w {
			t.Labels = window(t.Labels, h, w, top, left, c.Size, part.Ignored)
			t.Numbers = window(t.Numbers, h, w, top, left, c.Size, 0)
			t.H, t.W = c.Size, c.Size
		}
	}
}

// window cuts size×size pixels at (top, left) out of a map of h×w; what lies beyond gets the fill value. The window is
// written behind the map in the same slice and then moved to its front, so that nothing is allocated once the slice
// has grown.
func window[T any](p []T, h, w, top, left, size int, fill T) []T {
	src, c := len(p), len(p)/(h*w)
	p = grow(p, src+size*size*c)
	for y := range size {
		row := p[src+y*size*c:][:size*c]
		for i := range row {
			row[i] = fill
		}
		from, to := max(left, 0), min(left+size, w)
		if at := top + y; at >= 0 && at < h && from < to {
			copy(row[(from-left)*c:], p[(at*w+from)*c:(at*w+to)*c])
		}
	}
	return p[:copy(p, p[src:])]
}

// grow returns p with length n, keeping its content.
func grow[T any](p []T, n int) []T {
	if n <= cap(p) {
		return p[:n]
	}
	q := make([]T, n)
	copy(q, p)
	return q
}
