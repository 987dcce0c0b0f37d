package transforms

import (
	"qpipe/interp/part"
	"qpipe/interp/picture"
)

// CenterCropArgs are the arguments of CenterCrop.
type CenterCropArgs struct {
	Size []int `arg:"size,single" doc:"Height and width of the crop in pixels, one number for both or [height, width]. A smaller image gets a black margin."`
}

// Validate implements the language's check after decoding.
func (a CenterCropArgs) Validate() error { return validSize(a.Size) }

type centerCrop struct{ CenterCropArgs }

// NewCenterCrop returns the transform that cuts the middle out of an image (PyTorch's transforms.CenterCrop).
func NewCenterCrop(a CenterCropArgs) (part.Transform, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	return centerCrop{a}, nil
}

// Spec implements part.Transform.
func (c centerCrop) Spec(in part.Spec) (part.Spec, error) {
	h, w := side(c.Size)
	image := in.Inputs[0]
	haveH, haveW := image.Shape.H, image.Shape.W
	if image.Open() {
		haveH, haveW = image.Shortest, image.Shortest
	}
	if h > haveH || w > haveW {
		if err := ignores(&in, "size"); err != nil {
			return in, err
		}
	}
	in.Inputs[0].Steps = part.Then(in.Inputs[0].Steps, part.Step{Op: part.CenterCrop, Size: c.Size})
	return in, reshape(&in, "a crop takes the same part of both", h, w, 0)
}

// Apply implements part.Transform.
func (c centerCrop) Apply(s *part.Sample, _ *part.Rand) {
	h, w := side(c.Size)
	cut(s, picture.Middle(s.Images[0].H, h), picture.Middle(s.Images[0].W, w), h, w, 0)
}
