package picture

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// vectors are what Pillow computes; testdata/gen.py writes them.
type vectors struct {
	Files []struct {
		Name                  string
		File, RGB, Grey, RGBA []byte
		H, W                  int
	}
	H, W    int
	Sources map[int][]byte
	Sizes   []struct {
		Channels, H, W int
		Filter         Filter
		Box            [4]int // left, top, right, bottom
		Pix            []byte
	}
	Masks []struct {
		Name   string
		File   []byte
		Labels []int32
		H, W   int
	}
	Tones []struct {
		Name     string
		Channels int
		Value    float64
		Pix      []byte
	}
}

func read(t testing.TB) (v vectors) {
	t.Helper()
	data, err := os.ReadFile("testdata/vectors.json")
	if err == nil {
		err = json.Unmarshal(data, &v)
	}
	if err != nil || len(v.Files) == 0 || len(v.Sizes) == 0 || len(v.Tones) == 0 || len(v.Masks) == 0 {
		t.Fatalf("%d files, %d sizes, %d tones, %d masks, %v", len(v.Files), len(v.Sizes), len(v.Tones), len(v.Masks), err)
	}
	return v
}

// apart is the largest difference between two images.
func apart(a, b []byte) int {
	most := 0
	for i := range a {
		most = max(most, int(a[i])-int(b[i]), int(b[i])-int(a[i]))
	}
	return most
}

// TestFilesAsPillow: what is stored exactly is read exactly as Pillow reads it, in one, three and four channels. Of lossy
// formats the decoders differ by their roundings.
func TestFilesAsPillow(t *testing.T) {
	within := func(name string) int {
		switch {
		case strings.HasPrefix(name, "jpeg"):
			return 3
		case name == "webp lossy":
			return 4
		}
		return 0
	}
	var d Decoder
	var m Map
	for _, f := range read(t).Files {
		for channels, want := range map[int][]byte{1: f.Grey, 3: f.RGB, 4: f.RGBA} {
			if err := d.Decode(f.File, channels, &m); err != nil {
				t.Errorf("%s: %v", f.Name, err)
				continue
			}
			if m.H != f.H || m.W != f.W || m.C != channels || len(m.Pix) != len(want) {
				t.Errorf("%s: %d×%d×%d, %d bytes", f.Name, m.H, m.W, m.C, len(m.Pix))
			} else if n := apart(m.Pix, want); n > within(f.Name) {
				t.Errorf("%s in %d channels: %d levels from Pillow", f.Name, channels, n)
			}
		}
	}
}

// TestMasksAsPillow: the numbers of masks are those that Pillow has written, whatever their palette and their bits.
func TestMasksAsPillow(t *testing.T) {
	var d Decoder
	for _, m := range read(t).Masks {
		labels, h, w, err := d.Labels(m.File, []int32{-5})
		if err != nil || h != m.H || w != m.W || !slices.Equal(labels[1:], m.Labels) {
			t.Errorf("%s: %d×%d, %v", m.Name, h, w, err)
		}
	}
	for _, f := range read(t).Files {
		if _, _, _, err := d.Labels(f.File, nil); strings.HasPrefix(f.Name, "jpeg") != (err != nil && strings.Contains(err.Error(), "save masks as PNG")) && !strings.HasPrefix(f.Name, "webp") {
			t.Errorf("%s: %v", f.Name, err)
		}
	}
}

// TestSizesAsPillow: images of another size are Pillow's, byte for byte, whatever was in the memory before. Where one side
// grows and the other shrinks Pillow may begin with either, and roundings differ by one level.
func TestSizesAsPillow(t *testing.T) {
	v := read(t)
	var r Resampler
	var dst Map
	for _, s := range v.Sizes {
		src := Map{H: v.H, W: v.W, C: s.Channels, Pix: v.Sources[s.Channels]}
		h, w, within := s.Box[3]-s.Box[1], s.Box[2]-s.Box[0], 0
		if (s.H-h)*(s.W-w) < 0 {
			within = 1
		}
		dst.H, dst.W = s.H, s.W
		r.Resize(&src, s.Box[1], s.Box[0], h, w, s.Filter, &dst)
		if n := apart(dst.Pix, s.Pix); len(dst.Pix) != len(s.Pix) || n > within {
			t.Errorf("%d channels, %s, box %v to %d×%d: %d levels from Pillow", s.Channels, s.Filter, s.Box, s.W, s.H, n)
		}
	}
}

// TestTonesAsPillow: colours are changed, and images turned and moved, as torchvision does it with Pillow, byte for byte.
func TestTonesAsPillow(t *testing.T) {
	v := read(t)
	var tone Toner
	warp := func(by func(v float64) Affine) func(m *Map, v float64) {
		return func(m *Map, v float64) {
			out := make([]uint8, len(m.Pix))
			Warp(m.Pix, m.H, m.W, m.C, by(v), 0, out)
			m.Pix = out
		}
	}
	apply := map[string]func(m *Map, v float64){
		"brightness":   func(m *Map, v float64) { tone.Brightness(m, float32(v)) },
		"contrast":     func(m *Map, v float64) { tone.Contrast(m, float32(v)) },
		"saturation":   func(m *Map, v float64) { tone.Saturation(m, float32(v)) },
		"sharpness":    func(m *Map, v float64) { tone.Sharpness(m, float32(v)) },
		"hue":          func(m *Map, v float64) { tone.Hue(m, int(v*255)) },
		"posterize":    func(m *Map, v float64) { tone.Posterize(m, int(v)) },
		"solarize":     tone.Solarize,
		"autocontrast": func(m *Map, _ float64) { tone.Posterize(m, 3); tone.AutoContrast(m) },
		"equalize":     func(m *Map, _ float64) { tone.Equalize(m) },
		"rotate":       warp(func(a float64) Affine { return Rotation(a, v.H, v.W) }),
		"shear x":      warp(func(a float64) Affine { return Affine{A: 1, B: a, E: 1} }),
		"shear y":      warp(func(a float64) Affine { return Affine{A: 1, D: a, E: 1} }),
		"move x":       warp(func(a float64) Affine { return Affine{A: 1, C: -a, E: 1} }),
		"move y":       warp(func(a float64) Affine { return Affine{A: 1, E: 1, F: -a} }),
	}
	for _, c := range v.Tones {
		m := Map{H: v.H, W: v.W, C: c.Channels, Pix: slices.Clone(v.Sources[c.Channels])}
		apply[c.Name](&m, c.Value)
		if n := apart(m.Pix, c.Pix); n > 0 {
			t.Errorf("%s %v in %d channels: %d levels from Pillow", c.Name, c.Value, c.Channels, n)
		}
	}
}
