// Package shapes has the built-in segmentation set: simple shapes on a noisy ground, and masks that say where they are.
// Everything is computed in integers, so that the bytes are the same on every machine.
package shapes

import (
	"io/fs"
	"math"
	"slices"

	"qpipe/interp/part"
	"qpipe/ops/tensor"
)

// Args are the arguments of Shapes.
type Args struct {
	Split      string   `arg:"split,optional" oneof:"train validation val test" doc:"Every split is drawn separately: they share no image. val is validation."`
	NumSamples int      `arg:"num_samples,optional" doc:"Number of images."`
	Offset     int      `arg:"offset,optional" doc:"How many of the split's first images are left out; there are always num_samples after them."`
	Seed       int      `arg:"seed,optional" doc:"Another seed is another data set of the same kind."`
	Size       int      `arg:"size,optional" doc:"Height and width in pixels."`
	Channels   int      `arg:"channels,optional" doc:"1 for grey images, 3 for colours."`
	Classes    []string `arg:"classes,optional" doc:"The shapes: circle, square, triangle, cross and ring. Label 0 is the background, 1 the first of them."`
	MaxShapes  int      `arg:"max_shapes,optional" doc:"Largest number of shapes in an image; there is at least one. Later ones cover earlier ones."`
	Contrast   float64  `arg:"contrast,optional" doc:"Smallest difference between a shape and the ground, as a share of white."`
	Noise      float64  `arg:"noise,optional" doc:"Largest amplitude of the noise on every pixel, as a share of white."`
	Border     bool     `arg:"border,optional" doc:"Whether the pixels that a shape covers in part have no label, instead of that which covers at least half."`
}

// Defaults returns the defaults of Shapes.
func Defaults() Args {
	return Args{
		Split: "train", NumSamples: 2000, Size: 48, Channels: 3, Classes: []string{"circle", "square", "triangle"},
		MaxShapes: 3, Contrast: 0.25, Noise: 0.2,
	}
}

// Validate implements the language's check after decoding.
func (a Args) Validate() error {
	for _, n := range []struct {
		attr               string
		value, least, most int
	}{
		{"num_samples", a.NumSamples, 1, 100_000_000},
		{"offset", a.Offset, 0, 100_000_000},
		{"size", a.Size, 8, 1024},
		{"max_shapes", a.MaxShapes, 1, 20},
	} {
		if n.value < n.least || n.value > n.most {
			return part.Bad(n.attr, "%d; it must be %d to %d", n.value, n.least, n.most)
		}
	}
	if a.Channels != 1 && a.Channels != 3 {
		return part.Bad("channels", "%d; it must be 1 or 3", a.Channels)
	}
	for _, f := range []struct {
		attr  string
		value float64
	}{{"contrast", a.Contrast}, {"noise", a.Noise}} {
		if !(f.value >= 0 && f.value <= 1) {
			return part.Bad(f.attr, "%v must lie between 0 and 1", f.value)
		}
	}
	return a.validClasses()
}

func (a Args) validClasses() error {
	if len(a.Classes) == 0 {
		return part.Bad("classes", "there is none; the shapes are circle, square, triangle, cross and ring")
	}
	for i, name := range a.Classes {
		switch {
		case kindOf(name) == nil:
			return part.Bad("classes", "there is no shape %q; the shapes are circle, square, triangle, cross and ring", name)
		case slices.Contains(a.Classes[:i], name):
			return part.Bad("classes", "%q is there twice", name)
		}
	}
	return nil
}

type shapes struct{ Args }

// New returns the built-in segmentation set: one to MaxShapes shapes of random kind, place, size, rotation and colour, on a sloping
// ground with noise, and for each pixel the class of the shape that is seen there. An image depends only on (seed, split, offset +
// index) and the arguments about its look.
func New(a Args) (part.Dataset, error) { return shapes{a}, a.Validate() }

// Spec implements part.Dataset.
func (s shapes) Spec() part.Spec {
	half := []float32{0.5}
	return part.Spec{
		Inputs: []part.InputSpec{{Shape: tensor.Shape{H: s.Size, W: s.Size, C: s.Channels}, Mean: half, Std: half}},
		Targets: []part.TargetSpec{{
			Shape: tensor.Shape{H: s.Size, W: s.Size, C: 1}, Classes: len(s.Classes) + 1, Ignores: s.Border,
			Names: append([]string{"background"}, s.Classes...),
		}},
		Len: s.NumSamples,
	}
}

// Files implements part.Dataset: there are none.
func (shapes) Files() (string, []string) { return "", nil }

// stream is the split's number, a key of its images' randomness.
func (s shapes) stream() uint64 {
	return map[string]uint64{"train": 0, "test": 1, "validation": 2, "val": 2}[s.Split]
}

// Shares implements part.Sharer.
func (s shapes) Shares(other part.Dataset) bool {
	o, ok := other.(shapes)
	return ok && s.Seed == o.Seed && s.stream() == o.stream() && s.Offset < o.Offset+o.NumSamples && o.Offset < s.Offset+s.NumSamples &&
		s.Size == o.Size && s.Channels == o.Channels && slices.Equal(s.Classes, o.Classes) &&
		s.MaxShapes == o.MaxShapes && s.Contrast == o.Contrast && s.Noise == o.Noise
}

// Open implements part.Dataset.
func (s shapes) Open(func(string) fs.FS) (part.Samples, error) {
	d := &drawn{shapes: s, contrast: int(math.Round(s.Contrast * 255)), noise: int(math.Round(s.Noise * 255))}
	for _, name := range s.Classes {
		d.kinds = append(d.kinds, kindOf(name))
	}
	return d, nil
}
