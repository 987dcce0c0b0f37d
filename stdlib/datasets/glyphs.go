package datasets

import (
	"fmt"
	"io/fs"
	"math"
	"strings"
	"unicode/utf8"

	"qpipe/interp/part"
	"qpipe/ops/tensor"
	"qpipe/stdlib/datasets/subset"
)

// GlyphsArgs are the arguments of Glyphs.
type GlyphsArgs struct {
	Split      string  `arg:"split,optional" oneof:"train validation val test" doc:"Every split is drawn separately: they share no image. val is validation."`
	NumSamples int     `arg:"num_samples,optional" doc:"Number of images. The classes take turns, so any number of first images is balanced."`
	Offset     int     `arg:"offset,optional" doc:"How many of the split's first images are left out; there are always num_samples after them."`
	Classes    string  `arg:"classes,optional" doc:"One character a class; label 0 is the first."`
	Seed       int     `arg:"seed,optional" doc:"Another seed is another data set of the same kind."`
	Rotation   float64 `arg:"rotation,optional" doc:"Largest rotation in degrees, either way."`
	Scale      float64 `arg:"scale,optional" doc:"Largest change of width and height, separately, as a share: 0.2 is 80 to 120 percent."`
	Shear      float64 `arg:"shear,optional" doc:"Largest slant, as a share of the height, either way."`
	Shift      float64 `arg:"shift,optional" doc:"Largest distance from the middle in pixels, in each direction."`
	Clutter    int     `arg:"clutter,optional" doc:"Largest number of strokes behind the glyph."`
	Noise      float64 `arg:"noise,optional" doc:"Largest amplitude of the noise on every pixel, as a share of white."`
	Contrast   float64 `arg:"contrast,optional" doc:"Smallest difference between glyph and background, as a share of white."`
	Target     string  `arg:"target,optional" before:"class" oneof:"class mask both" doc:"What is to be found: class is the character; mask is for every pixel 0 (background), or 1 + the character's label where the character covers at least half of it; both are two targets, class and mask."`
	Invert     float64 `arg:"invert,optional" doc:"Share of the images with a dark glyph on a light background."`
}

// GlyphsDefaults returns Glyphs's defaults.
func GlyphsDefaults() GlyphsArgs {
	return GlyphsArgs{
		Split: "train", Target: "class", NumSamples: 10_000, Classes: "0123456789",
		Rotation: 20, Scale: 0.25, Shear: 0.25, Shift: 3, Clutter: 3, Noise: 0.25, Contrast: 0.3, Invert: 0.5,
	}
}

// Validate implements the language's check after decoding.
func (a GlyphsArgs) Validate() error {
	if a.NumSamples < 1 || a.NumSamples > 100_000_000 {
		return part.Bad("num_samples", "%s; there must be 1 to 100000000", part.Count(a.NumSamples, "image"))
	}
	if a.Offset < 0 || a.Offset > 100_000_000 {
		return part.Bad("offset", "%s; it must be 0 to 100000000", part.Count(a.Offset, "image"))
	}
	if a.Clutter < 0 || a.Clutter > 20 {
		return part.Bad("clutter", "%d strokes; there must be 0 to 20", a.Clutter)
	}
	for _, f := range []struct {
		attr    string
		v, most float64
	}{
		{"rotation", a.Rotation, 180},
		{"scale", a.Scale, 0.5},
		{"shear", a.Shear, 1},
		{"shift", a.Shift, 10},
		{"noise", a.Noise, 1},
		{"contrast", a.Contrast, 1},
		{"invert", a.Invert, 1},
	} {
		if !(f.v >= 0 && f.v <= f.most) {
			return part.Bad(f.attr, "%v must lie between 0 and %v", f.v, f.most)
		}
	}
	return a.validClasses()
}

func (a GlyphsArgs) validClasses() error {
	if n := utf8.RuneCountInString(a.Classes); n < 2 || n > 1000 {
		return part.Bad("classes", "%q names %s; there must be 2 to 1000", a.Classes, part.Count(n, "class"))
	}
	seen := map[rune]bool{}
	for _, c := range a.Classes {
		if seen[c] {
			return part.Bad("classes", "%q is there twice; every character is a class of its own", string(c))
		}
		seen[c] = true
	}
	for _, c := range a.Classes {
		if _, err := face(typefaces()[0]).outline(c); err != nil {
			return part.Bad("classes", "%w; use letters, digits or signs of the Latin, Greek or Cyrillic script", err)
		}
	}
	return nil
}

type glyphs struct{ GlyphsArgs }

// NewGlyphs returns the built-in data set: characters drawn from the Go fonts
// (https://go.dev/blog/go-fonts) with random rotation, scale, shear and shift, in
// a random face and contrast, over strokes, a slanting background and noise.
// 28×28 grey.
//
// An image depends only on (seed, split, offset + index) and the other arguments, and is computed in integers, so that
// its bytes are the same on every machine.
func NewGlyphs(a GlyphsArgs) (part.Dataset, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	return glyphs{a}, nil
}

// Spec implements part.Dataset.
func (g glyphs) Spec() part.Spec {
	pixels, names := tensor.Shape{H: side, W: side, C: 1}, strings.Split(g.Classes, "")
	s := classified(pixels, len(names), names, g.NumSamples)
	mask := part.TargetSpec{Shape: pixels, Classes: len(names) + 1, Names: append([]string{"background"}, names...)}
	switch g.Target {
	case "mask":
		s.Targets[0] = mask
	case "both":
		s.Targets[0].Name, mask.Name = "class", "mask"
		s.Targets = append(s.Targets, mask)
	}
	return s
}

// Files implements part.Dataset: there are none.
func (g glyphs) Files() (string, []string) { return "", nil }

// Shares implements part.Sharer.
func (g glyphs) Shares(other part.Dataset) bool {
	o, ok := other.(glyphs)
	if !ok || g.stream() != o.stream() || g.Offset >= o.Offset+o.NumSamples || o.Offset >= g.Offset+g.NumSamples {
		return false
	}
	o.Split, o.Offset, o.NumSamples, o.Target = g.Split, g.Offset, g.NumSamples, g.Target
	return g == o
}

// Open implements part.Dataset: it flattens the outlines of all classes in all faces.
func (g glyphs) Open(func(string) fs.FS) (part.Samples, error) {
	s := &drawn{n: g.NumSamples, first: g.Offset, seed: uint64(g.Seed), split: g.stream(), limits: g.limits(), target: g.Target}
	for _, ttf := range typefaces() {
		f := face(ttf)
		var row []outline
		for _, c := range g.Classes {
			o, err := f.outline(c)
			if err != nil {
				return nil, fmt.Errorf("built-in font: %w", err)
			}
			row = append(row, o)
		}
		s.faces = append(s.faces, row)
	}
	return s, nil
}

// stream is the split's number, a key of its images' randomness.
func (g glyphs) stream() uint64 {
	switch {
	case g.Split == "test":
		return 1
	case subset.Validation(g.Split):
		return 2
	}
	return 0
}

// limits are the arguments as integers: Q16 where a comment says so. They are rounded here once; everything after it is
// integer arithmetic.
type limits struct {
	rotation     int64 // Q16 radians
	scale, shear int64 // Q16
	shift        int64 // 1/256 pixel
	clutter      int64
	noise        int64 // of 255
	contrast     int64 // of 255
	invert       int64 // of 1000
}

func (g glyphs) limits() limits {
	whole := func(v float64) int64 { return int64(math.Round(v)) }
	return limits{
		rotation: whole(g.Rotation * 1143.8191), // 65536·π/180
		scale:    whole(g.Scale * 65536),
		shear:    whole(g.Shear * 65536),
		shift:    whole(g.Shift * 256),
		clutter:  int64(g.Clutter),
		noise:    whole(g.Noise * 255),
		contrast: whole(g.Contrast * 255),
		invert:   whole(g.Invert * 1000),
	}
}

// drawn is the opened data set.
type drawn struct {
	n, first    int
	seed, split uint64
	limits      limits
	faces       [][]outline // [face][class]
	target      string
}

// Len implements part.Samples.
func (d *drawn) Len() int { return d.n }

// Sample implements part.Samples.
func (d *drawn) Sample(i int, s *part.Sample) error {
	i += d.first
	r := part.NewRand(0x676c797068, d.seed, d.split, uint64(i))
	label := i % len(d.faces[0])
	shape := d.faces[r.Intn(len(d.faces))][label]
	dst := &s.Images[0]
	dst.H, dst.W, dst.C = side, side, 1
	dst.Pix = append(dst.Pix[:0], blank[:]...)
	covered := d.limits.draw(shape, r, (*[side * side]uint8)(dst.Pix))
	if d.target != "mask" {
		s.Targets[0].Label(label)
	}
	if d.target != "class" {
		mark(&s.Targets[len(s.Targets)-1], &covered, int32(label)+1)
	}
	return nil
}

// mark writes a mask: label where the glyph is.
func mark(t *part.Target, covered *[side * side]bool, label int32) {
	t.H, t.W, t.Labels = side, side, t.Labels[:0]
	for _, c := range covered {
		if c {
			t.Labels = append(t.Labels, label)
		} else {
			t.Labels = append(t.Labels, 0)
		}
	}
}

var blank [side * side]uint8
