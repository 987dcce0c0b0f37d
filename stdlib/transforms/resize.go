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
		h, w = picture.Fit(image.Shape.H, image.Shape.W, z.Size)
	}
	in.Inputs[0].Steps = part.Then(in.Inputs[0].Steps, part.Step{Op: part.Resize, Size: z.Size, Interpolation: z.Interpolation})
	return in, reshape(&in, "both get another size", h, w, shortest)
}

// Apply implements part.Transform.
func (z resizing) Apply(s *part.Sample, _ *part.Rand) {
	h, w := s.Images[0].H, s.Images[0].W
	if toH, toW := picture.Fit(h, w, z.Size); toH != h || toW != w {
		resize(s, 0, 0, h, w, toH, toW, picture.Filter(z.Interpolation))
	}
}
