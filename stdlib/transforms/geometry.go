package transforms

import (
	"fmt"

	"qpipe/interp/part"
	"qpipe/interp/picture"
	"qpipe/ops/tensor"
)

// mostSide is the most pixels of a side that an argument may ask for.
const mostSide = 1 << 14

// side returns height and width of an argument size, which has one value for both or two.
func side(size []int) (h, w int) {
	if len(size) == 1 {
		return size[0], size[0]
	}
	return size[0], size[1]
}

// validSize checks the argument size.
func validSize(size []int) error {
	if len(size) < 1 || len(size) > 2 {
		return part.Bad("size", "%s; it has one for both sides, or height and width", part.Count(len(size), "value"))
	}
	for _, n := range size {
		if n < 1 || n > mostSide {
			return part.Bad("size", "%d pixels; a side has 1 to %d", n, mostSide)
		}
	}
	return nil
}

// validFilter checks what an argument interpolation says.
func validFilter(f string) error {
	switch picture.Filter(f) {
	case picture.Nearest, picture.Bilinear, picture.Bicubic:
		return nil
	}
	return part.Bad("interpolation", `%q; there are "nearest", "bilinear" and "bicubic"`, f)
}

// reshape gives the image, and every input and target that is a map of the image's size, another size: 0 for one of its own,
// of which no side is shorter than shortest. does says in messages what happens to them.
func reshape(in *part.Spec, does string, h, w, shortest int) error {
	image := in.Inputs[0].Shape
	change := func(what, name string, s *tensor.Shape, open bool) error {
		switch {
		case s.H*s.W <= 1 && !open:
			return nil
		case s.H != image.H || s.W != image.W:
			return fmt.Errorf("the %s %q is %d×%d and the image %d×%d: %s, so they need one size", what, name, s.H, s.W, image.H, image.W, does)
		}
		s.H, s.W = h, w
		return nil
	}
	for k := range in.Inputs {
		i := &in.Inputs[k]
		if err := change("input", i.Name, &i.Shape, i.Open()); err != nil {
			return err
		}
		i.Shortest = 0
		if i.Open() {
			i.Shortest = shortest
		}
	}
	for k := range in.Targets {
		t := &in.Targets[k]
		if err := change("target", t.Name, &t.Shape, t.Open()); err != nil {
			return err
		}
	}
	return nil
}

// ignores makes room around masks, which is part.Ignored. attr is the argument that asks for it.
func ignores(in *part.Spec, attr string) error {
	for k := range in.Targets {
		t := &in.Targets[k]
		switch {
		case !t.Map():
		case t.Numbers:
			return part.Bad(attr, "there is no number to add around the target %q", t.Name)
		default:
			t.Ignores = true
		}
	}
	return nil
}

// cut takes h×w pixels at (top, left) out of a sample's maps; what lies beyond their edges gets the fill value, and in masks
// part.Ignored.
func cut(s *part.Sample, top, left, h, w int, fill uint8) {
	was := s.Images[0]
	for k := range s.Images {
		if m := &s.Images[k]; m.H == was.H && m.W == was.W {
			m.Pix = picture.Window(m.Pix, was.H, was.W, top, left, h, w, fill)
			m.Numbers = picture.Window(m.Numbers, was.H, was.W, top, left, h, w, float32(fill))
			m.H, m.W = h, w
		}
	}
	for k := range s.Targets {
		if t := &s.Targets[k]; t.H == was.H && t.W == was.W {
			t.Labels = picture.Window(t.Labels, was.H, was.W, top, left, h, w, part.Ignored)
			t.Numbers = picture.Window(t.Numbers, was.H, was.W, top, left, h, w, 0)
			t.H, t.W = h, w
		}
	}
}

func repeat[T any](row []T, v T) {
	for i := range row {
		row[i] = v
	}
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

// sizer gives a sample's maps another size.
type sizer struct {
	resampler picture.Resampler
	spare     picture.Map
	labels    []int32
	numbers   []float32
}

// resize makes outH×outW pixels of the h×w pixels at (top, left) of a sample's maps. Of masks and numbers the nearest
// values are taken, since there is nothing between two classes.
func resize(s *part.Sample, top, left, h, w, outH, outW int, f picture.Filter) {
	was := s.Images[0]
	z := part.Kept[sizer](s.Room)
	for k := range s.Images {
		m := &s.Images[k]
		if m.H != was.H || m.W != was.W {
			continue
		}
		if len(m.Pix) > 0 {
			z.spare.H, z.spare.W = outH, outW
			src := picture.Map{H: m.H, W: m.W, C: m.C, Pix: m.Pix}
			z.resampler.Resize(&src, top, left, h, w, f, &z.spare)
			m.Pix, z.spare.Pix = z.spare.Pix, m.Pix
		}
		m.Numbers = picked(m.Numbers, &z.numbers, was.H, was.W, top, left, h, w, outH, outW)
		m.H, m.W = outH, outW
	}
	for k := range s.Targets {
		if t := &s.Targets[k]; t.H == was.H && t.W == was.W {
			t.Labels = picked(t.Labels, &z.labels, was.H, was.W, top, left, h, w, outH, outW)
			t.Numbers = picked(t.Numbers, &z.numbers, was.H, was.W, top, left, h, w, outH, outW)
			t.H, t.W = outH, outW
		}
	}
}

// picked makes a map of outH×outW of the nearest values in an area of another. Both memories change places.
func picked[T any](p []T, spare *[]T, inH, inW, top, left, h, w, outH, outW int) []T {
	if len(p) == 0 {
		return p
	}
	c := len(p) / (inH * inW)
	out := grow(*spare, outH*outW*c)
	picture.Pick(p[(top*inW+left)*c:], inW*c, h, w, c, out, outH, outW)
	*spare = p
	return out
}
