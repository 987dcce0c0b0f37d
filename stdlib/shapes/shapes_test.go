package shapes

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"
	"sync"
	"testing"

	"qpipe/interp/part"
)

func opened(t *testing.T, change func(*Args)) (part.Spec, part.Samples) {
	t.Helper()
	a := Defaults()
	if change != nil {
		change(&a)
	}
	d, err := New(a)
	if err != nil {
		t.Fatal(err)
	}
	s, err := d.Open(nil)
	if err != nil {
		t.Fatal(err)
	}
	return d.Spec(), s
}

// read returns a sample as it is described.
func read(t *testing.T, spec part.Spec, s part.Samples, i int, into *part.Sample) {
	t.Helper()
	if err := s.Sample(i, into); err != nil {
		t.Error(err)
	}
	if err := spec.Check(into); err != nil {
		t.Errorf("image %d: %v", i, err)
	}
}

// TestTheSameEverywhere: the bytes are the same on every machine and in every version; whoever changes the drawing changes this sum on
// purpose. They depend on the index alone, whatever was drawn before, and by how many goroutines.
func TestTheSameEverywhere(t *testing.T) {
	spec, s := opened(t, func(a *Args) { a.Classes = []string{"circle", "square", "triangle", "cross", "ring"} })
	const n = 200
	h, images := sha256.New(), make([][]byte, n)
	for i := range n {
		x := part.NewSample(spec)
		read(t, spec, s, i, x)
		images[i] = x.Images[0].Pix
		h.Write(x.Images[0].Pix)
		if err := binary.Write(h, binary.LittleEndian, x.Targets[0].Labels); err != nil {
			t.Fatal(err)
		}
	}
	const want = "e29f97e14c9cc4be6446940c89daa4fae753df32850dcf36a12b9c460e9ada10"
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		t.Errorf("the images' sum is %s, it was %s", got, want)
	}
	var wg sync.WaitGroup
	for g := range 3 {
		wg.Go(func() {
			x := part.NewSample(spec)
			for k := range n {
				i := (k*(2*g+1) + 13*g) % n
				if read(t, spec, s, i, x); !bytes.Equal(x.Images[0].Pix, images[i]) {
					t.Errorf("image %d differs", i)
					return
				}
			}
		})
	}
	wg.Wait()
}

// TestMasks: every class is there, nearly as often as the others; without noise a pixel inside of a shape is as far from the ground as
// contrast says; with border the pixels at edges have no label, and all others the same as without.
func TestMasks(t *testing.T) {
	names := []string{"circle", "square", "triangle", "cross", "ring"}
	of := func(change func(*Args)) (part.Spec, part.Samples) {
		return opened(t, func(a *Args) {
			a.Classes, a.MaxShapes, a.Noise, a.Contrast, a.Channels, a.NumSamples = names, 1, 0, 0.5, 1, 400
			if change != nil {
				change(a)
			}
		})
	}
	spec, s := of(nil)
	bordered, b := of(func(a *Args) { a.Border = true })
	images, pixels, edges := make([]int, len(names)+1), make([]int, len(names)+1), 0
	x, y := part.NewSample(spec), part.NewSample(bordered)
	for i := range s.Len() {
		read(t, spec, s, i, x)
		read(t, bordered, b, i, y)
		labels, pix := x.Targets[0].Labels, x.Images[0].Pix
		for c := range images {
			if slices.Contains(labels, int32(c)) {
				images[c]++
			}
		}
		for k, label := range labels {
			pixels[label]++
			if edge := y.Targets[0].Labels[k]; edge == part.Ignored {
				edges++
				continue
			} else if edge != label {
				t.Fatalf("image %d, pixel %d: %d, with borders %d", i, k, label, edge)
			}
			if label > 0 && pix[k] != pix[slices.Index(y.Targets[0].Labels, label)] {
				t.Fatalf("image %d, pixel %d: a shape has two colours", i, k)
			}
		}
	}
	for c := 1; c < len(images); c++ {
		if images[c] < 50 || pixels[c] < 20_000/len(names) {
			t.Errorf("%s is in %d images, with %d pixels", spec.Targets[0].Names[c], images[c], pixels[c])
		}
	}
	if edges < 10_000 || !bordered.Targets[0].Ignores || spec.Targets[0].Ignores {
		t.Errorf("%d pixels at edges", edges)
	}
	if large := slices.Max(pixels[1:]); pixels[0] < large {
		t.Errorf("%d pixels of ground, %d of a shape", pixels[0], large)
	}
}

// TestSharesSamples: data sets that have images in common know it.
func TestSharesSamples(t *testing.T) {
	set := func(change func(*Args)) shapes {
		a := Defaults()
		change(&a)
		return shapes{a}
	}
	first := set(func(*Args) {})
	for _, c := range []struct {
		change func(*Args)
		want   bool
	}{
		{func(*Args) {}, true},
		{func(a *Args) { a.Border = true }, true},
		{func(a *Args) { a.Offset = 1999 }, true},
		{func(a *Args) { a.Offset = 2000 }, false},
		{func(a *Args) { a.Split = "val" }, false},
		{func(a *Args) { a.Seed = 1 }, false},
		{func(a *Args) { a.Classes = []string{"ring"} }, false},
	} {
		if o := set(c.change); first.Shares(o) != c.want || o.Shares(first) != c.want {
			t.Errorf("%+v: %t", o, first.Shares(o))
		}
	}
}

func TestBadArguments(t *testing.T) {
	for attr, change := range map[string]func(*Args){
		"num_samples": func(a *Args) { a.NumSamples = 0 },
		"offset":      func(a *Args) { a.Offset = -1 },
		"size":        func(a *Args) { a.Size = 7 },
		"channels":    func(a *Args) { a.Channels = 2 },
		"classes":     func(a *Args) { a.Classes = []string{"circle", "circle"} },
		"max_shapes":  func(a *Args) { a.MaxShapes = 0 },
		"contrast":    func(a *Args) { a.Contrast = 1.1 },
		"noise":       func(a *Args) { a.Noise = -0.1 },
	} {
		a := Defaults()
		change(&a)
		var arg *part.ArgError
		if err := a.Validate(); !errors.As(err, &arg) || arg.Attr != attr {
			t.Errorf("%s: %v", attr, err)
		}
	}
}
