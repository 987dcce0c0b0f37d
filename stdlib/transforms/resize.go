package transforms

import (
	"qpipe/interp/part"
	"qpipe/interp/picture"
)

// ResizeArgs are the arguments of Resize.
type ResizeArgs struct {
	Size          []int  `arg:"size,single" doc:"Height and width in pixels, [height, width]; one number is the shorter side, and the image keeps its proportions."`
	Interpolation string `arg:"interpolation,optional" oneof:"nearest bilinear bicubic" doc:"How pixels are computed. bilinear and bicubic count every pixel of an image that gets smaller, as Pillow does. Masks always get the nearest class."`
}

// ResizeDefaults returns Resize's defaults.
func ResizeDefaults() ResizeArgs { return ResizeArgs{Interpolation: "bilinear"} }

// Validate implements the language's check after decoding.
func (a ResizeArgs) Validate() error {
	if err := validSize(a.Size); err != nil {
		return err
	}
	return validFilter(a.Interpolation)
}

type resizing struct{ ResizeArgs }

// NewResize returns the transform that gives images another size (PyTorch's transforms.Resize on images of Pillow).
func NewResize(a ResizeArgs) (part.Transform, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	return resizing{a}, nil
}

// Spec implements part.Transform.
func (z resizing) Spec(in part.Spec) (part.Spec, error) {
	h, w, shortest := 0, 0, 0
	switch image := in.Inputs[0]; {
	case len(z.Size) == 2:
		h, w = z.Size[0], z.Size[1]
	case image.Open():
		shortest = z.Size[0]
	default:
		h, w = z.to(image.Shape.H, image.Shape.W)
	}
	return in, reshape(&in, "both get another size", h, w, shortest)
}

// to returns the size that an image gets. A line of a million pixels does not get a million times as many.
func (z resizing) to(h, w int) (int, int) {
	n := z.Size[0]
	most := max(n, picture.MostPixels/n)
	switch {
	case len(z.Size) == 2:
		return n, z.Size[1]
	case h < w:
		return n, min(n*w/h, most)
	}
	return min(n*h/w, most), n
}

// Apply implements part.Transform.
func (z resizing) Apply(s *part.Sample, _ *part.Rand) {
	h, w := s.Images[0].H, s.Images[0].W
	if toH, toW := z.to(h, w); toH != h || toW != w {
		resize(s, 0, 0, h, w, toH, toW, picture.Filter(z.Interpolation))
	}
}
