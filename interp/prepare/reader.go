package prepare

import (
	"errors"
	"fmt"

	"qpipe/interp/part"
	"qpipe/interp/picture"
)

// Reader turns image files into the pixels of one input of a network. Its memory is used again: each goroutine has a
// Reader of its own.
type Reader struct {
	want      part.Preprocessing
	decoder   picture.Decoder
	resampler picture.Resampler
	image     picture.Map
	spare     picture.Map
}

// NewReader returns a reader for an input. It refuses one that cannot be made from the pixels of an image.
func NewReader(p part.Preprocessing) (*Reader, error) {
	switch {
	case p.Numbers:
		return nil, errors.New("the input consists of numbers, not of the pixels of an image")
	case p.Channels != 1 && p.Channels != 3 && p.Channels != 4:
		return nil, fmt.Errorf("the input has %s, and images have 1, 3 or 4", part.Count(p.Channels, "channel"))
	}
	return &Reader{want: p}, Check(p.Steps)
}

// Check returns an error about steps that no file of qpipe has.
func Check(steps []part.Step) error {
	for _, s := range steps {
		for _, n := range s.Size {
			if n < 1 || n > mostSide {
				return fmt.Errorf("the step %q makes sides of %d pixels; a side has 1 to %d", s.Op, n, mostSide)
			}
		}
		if len(s.Size) > 0 && s.Size[0]*s.Size[len(s.Size)-1] > picture.MostPixels {
			return fmt.Errorf("the step %q makes more than %d pixels", s.Op, picture.MostPixels)
		}
		switch f := picture.Filter(s.Interpolation); {
		case s.Op != part.Resize && s.Op != part.CenterCrop:
			return fmt.Errorf("the step %q is not known; there are %q and %q", s.Op, part.Resize, part.CenterCrop)
		case len(s.Size) != 1 && len(s.Size) != 2:
			return fmt.Errorf("the step %q has %s; a size is one number, or height and width", s.Op, part.Count(len(s.Size), "number"))
		case s.Op == part.Resize && f != picture.Nearest && f != picture.Bilinear && f != picture.Bicubic:
			return fmt.Errorf("the interpolation %q is not known; there are %q, %q and %q", f, picture.Nearest, picture.Bilinear, picture.Bicubic)
		}
	}
	return nil
}

// mostSide is the most pixels of a side that a step may make.
const mostSide = 1 << 14

// SizeError is an image of another size than the network takes.
type SizeError struct {
	Height, Width         int  // of the image, after the steps
	WantHeight, WantWidth int  // of the input
	Steps                 bool // there are steps, but they have led to another size
}

func (e *SizeError) Error() string {
	if e.Steps {
		return fmt.Sprintf("becomes %d×%d pixels, and the network takes %d×%d", e.Height, e.Width, e.WantHeight, e.WantWidth)
	}
	return fmt.Sprintf("has %d×%d pixels, and the network takes %d×%d; the model does not say how images of other sizes get that one", e.Height, e.Width, e.WantHeight, e.WantWidth)
}

// Read decodes a file (JPEG, PNG, WebP, BMP or GIF), gives it the network's size by the steps, and returns its pixels,
// which are valid until the next call. The text of an error continues the name of the file.
func (r *Reader) Read(file []byte) ([]uint8, error) {
	m := &r.image
	if err := r.decoder.Decode(file, r.want.Channels, m); err != nil {
		if errors.Is(err, picture.ErrFormat) {
			if what, way := part.Recognize(file[:min(len(file), 512)]); what != "" {
				return nil, fmt.Errorf("is %s, not an image: %s", what, way)
			}
		}
		return nil, err
	}
	for _, s := range r.want.Steps {
		r.step(s)
	}
	if m.H != r.want.Height || m.W != r.want.Width {
		return nil, &SizeError{m.H, m.W, r.want.Height, r.want.Width, len(r.want.Steps) > 0}
	}
	return m.Pix, nil
}

// step changes the size of the image.
func (r *Reader) step(s part.Step) {
	m := &r.image
	if s.Op == part.CenterCrop {
		h, w := s.Size[0], s.Size[len(s.Size)-1]
		m.Pix = picture.Window(m.Pix, m.H, m.W, picture.Middle(m.H, h), picture.Middle(m.W, w), h, w, 0)
		m.H, m.W = h, w
		return
	}
	if h, w := picture.Fit(m.H, m.W, s.Size); h != m.H || w != m.W {
		r.spare.H, r.spare.W = h, w
		r.resampler.Resize(m, 0, 0, m.H, m.W, picture.Filter(s.Interpolation), &r.spare)
		r.image, r.spare = r.spare, r.image
	}
}
