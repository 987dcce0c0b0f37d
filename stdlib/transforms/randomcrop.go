// Package transforms is the shelf of image transforms: it changes an image of bytes in place, with only the randomness
// that it is given. It knows no files and no network.
package transforms

import "qpipe/interp/part"

// RandomCropArgs are the arguments of RandomCrop.
type RandomCropArgs struct {
	Size        []int `arg:"size,single" doc:"Height and width of the crop in pixels, one number for both or [height, width]."`
	Padding     int   `arg:"padding,optional" doc:"Pixels added on each side before the crop."`
	PadIfNeeded bool  `arg:"pad_if_needed,optional" before:"false" doc:"Adds pixels to an image that is smaller than the crop."`
	Fill        int   `arg:"fill,optional" doc:"Value of the added pixels, 0 to 255."`
}

// Validate implements the language's check after decoding.
func (a RandomCropArgs) Validate() error {
	switch {
	case a.Padding < 0 || a.Padding > 1<<12:
		return part.Bad("padding", "%d pixels; it must be 0 to 4096", a.Padding)
	case a.Fill < 0 || a.Fill > 255:
		return part.Bad("fill", "%d is not the value of a pixel, 0 to 255", a.Fill)
	}
	return validSize(a.Size)
}

type randomCrop struct{ RandomCropArgs }

// NewRandomCrop returns the transform that pads the image and cuts a rectangle out of it, every position being
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
	image := in.Inputs[0]
	h, w := side(c.Size)
	haveH, haveW := image.Shape.H+2*c.Padding, image.Shape.W+2*c.Padding
	if image.Open() {
		haveH, haveW = image.Shortest+2*c.Padding, image.Shortest+2*c.Padding
	}
	pads := c.Padding > 0
	switch small := h > haveH || w > haveW; {
	case small && c.PadIfNeeded:
		pads = true
	case small && image.Open():
		return in, part.Bad("size", "a crop of %d×%d may not fit, since the images have sizes of their own; put a Resize in front of it, or set pad_if_needed = true", h, w)
	case small:
		return in, part.Bad("size", "a crop of %d×%d does not fit into the image of %d×%d (%s with padding %d); make size at most %d or padding larger",
			h, w, haveH, haveW, image.Shape, c.Padding, min(haveH, haveW))
	}
	if pads {
		if err := ignores(&in, "padding"); err != nil {
			return in, err
		}
	}
	return in, reshape(&in, "a crop takes the same part of both", h, w, 0)
}

// Apply implements part.Transform.
func (c randomCrop) Apply(s *part.Sample, r *part.Rand) {
	h, w := side(c.Size)
	top, left := c.place(s.Images[0].H, h, r), c.place(s.Images[0].W, w, r)
	cut(s, top, left, h, w, uint8(c.Fill))
}

// place draws where the crop begins along a side.
func (c randomCrop) place(have, size int, r *part.Rand) int {
	padding := c.Padding
	padding += max(size-have-2*padding, 0) // on both sides, as PyTorch does it
	return r.Intn(have+2*padding-size+1) - padding
}
