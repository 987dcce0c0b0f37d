// Package transforms is the shelf of image transforms: it changes an image of bytes in place, with only the randomness
// that it is given. It knows no files and no network.
package transforms

import "qpipe/interp/part"

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

// Spec implements part.Transform.
func (c randomCrop) Spec(in part.Spec) (part.Spec, error) {
	h, w := in.Shape.H+2*c.Padding, in.Shape.W+2*c.Padding
	if c.Size > h || c.Size > w {
		return in, part.Bad("size", "a crop of %d×%d does not fit into the image of %d×%d (%s with padding %d); make size at most %d or padding larger",
			c.Size, c.Size, h, w, in.Shape, c.Padding, min(h, w))
	}
	in.Shape.H, in.Shape.W = c.Size, c.Size
	return in, nil
}

// Apply implements part.Transform. The crop is written after the image in the same slice and then moved to its front,
// so that nothing is allocated once the slice has grown.
func (c randomCrop) Apply(img *part.Image, r *part.Rand) {
	top := r.Intn(img.H+2*c.Padding-c.Size+1) - c.Padding
	left := r.Intn(img.W+2*c.Padding-c.Size+1) - c.Padding
	src := len(img.Pix)
	img.Pix = grow(img.Pix, src+c.Size*c.Size*img.C)
	for y := range c.Size {
		row := img.Pix[src+y*c.Size*img.C:][:c.Size*img.C]
		c.row(row, img, top+y, left)
	}
	n := copy(img.Pix, img.Pix[src:])
	img.Pix, img.H, img.W = img.Pix[:n], c.Size, c.Size
}

// row fills dst from row y of the image, starting at column left; pixels outside of the image get the fill value.
func (c randomCrop) row(dst []uint8, img *part.Image, y, left int) {
	for i := range dst {
		dst[i] = uint8(c.Fill)
	}
	if y < 0 || y >= img.H {
		return
	}
	from, to := max(left, 0), min(left+c.Size, img.W)
	if from < to {
		copy(dst[(from-left)*img.C:], img.Pix[(y*img.W+from)*img.C:(y*img.W+to)*img.C])
	}
}

// grow returns p with length n, keeping its content.
func grow(p []uint8, n int) []uint8 {
	if n <= cap(p) {
		return p[:n]
	}
	q := make([]uint8, n)
	copy(q, p)
	return q
}
