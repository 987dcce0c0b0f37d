package datasets

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"math"
	"slices"
	"sync"
	"testing"

	"qpipe/interp/part"
)

func openGlyphs(t testing.TB, change func(*GlyphsArgs)) part.Samples {
	t.Helper()
	a := GlyphsDefaults()
	if change != nil {
		change(&a)
	}
	d, err := NewGlyphs(a)
	if err != nil {
		t.Fatal(err)
	}
	s, err := d.Open(nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func pixels(t testing.TB, s part.Samples, i int) ([]byte, int) {
	t.Helper()
	var img part.Image
	label, err := image(s, i, &img)
	if err != nil || img.H != 28 || img.W != 28 || img.C != 1 || len(img.Pix) != 784 {
		t.Fatalf("image %d: %d×%d×%d, %d bytes, %v", i, img.H, img.W, img.C, len(img.Pix), err)
	}
	return img.Pix, label
}

// The same bytes on every machine and in every version: checkpoints of the quick
// start depend on them. Whoever changes the drawing changes this sum on purpose.
func TestGlyphsAreTheSameEverywhere(t *testing.T) {
	h := sha256.New()
	for _, split := range []string{"train", "test"} {
		s := openGlyphs(t, func(a *GlyphsArgs) { a.Split = split })
		for i := range 500 {
			pix, label := pixels(t, s, i)
			h.Write(append(pix, byte(label)))
		}
	}
	const want = "27401fdd382d7b1258a2517faf1be795d8846b582dd75b881bf1fed0e3da8b0d"
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		t.Errorf("the images' sum is %s, it was %s", got, want)
	}
}

// An image depends on its index alone, not on what was drawn before it, by whom, or into what.
func TestGlyphsAreIndependentOfOrder(t *testing.T) {
	s := openGlyphs(t, nil)
	const n = 300
	want := make([][]byte, n)
	for i := range want {
		want[i], _ = pixels(t, s, i)
	}
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			img := part.Image{Pix: bytes.Repeat([]byte{77}, 1000)}
			for k := range n {
				i := (k*(2*g+1) + 13*g) % n
				if _, err := image(s, i, &img); err != nil || !bytes.Equal(img.Pix, want[i]) {
					t.Errorf("image %d differs", i)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestGlyphsDifferBySeedAndSplit(t *testing.T) {
	seen := map[string]bool{}
	for _, change := range []func(*GlyphsArgs){
		nil,
		func(a *GlyphsArgs) { a.Seed = 1 },
		func(a *GlyphsArgs) { a.Split = "test" },
		func(a *GlyphsArgs) { a.Seed, a.Split = 1, "test" },
	} {
		s := openGlyphs(t, change)
		for i := range 200 {
			pix, _ := pixels(t, s, i)
			if seen[string(pix)] {
				t.Fatalf("image %d has been there before", i)
			}
			seen[string(pix)] = true
		}
	}
}

func TestGlyphsAreBalanced(t *testing.T) {
	s := openGlyphs(t, func(a *GlyphsArgs) { a.Classes, a.NumSamples = "aBγЖ7", 1003 })
	if s.Len() != 1003 {
		t.Fatal(s.Len())
	}
	count := make([]int, 5)
	for i := range s.Len() {
		_, label := pixels(t, s, i)
		count[label]++
	}
	if slices.Max(count)-slices.Min(count) > 1 {
		t.Error(count)
	}
}

// linear trains softmax regression and returns its accuracy on the test images.
func linear(t *testing.T, change func(*GlyphsArgs)) float64 {
	const classes, in, train, test, epochs = 10, 784, 3000, 500, 8
	w := make([]float64, classes*(in+1))
	a, b := openGlyphs(t, change), openGlyphs(t, func(a *GlyphsArgs) { change(a); a.Split = "test" })
	x, p := make([]float64, in+1), make([]float64, classes)
	forward := func(s part.Samples, i int) int {
		pix, label := pixels(t, s, i)
		for j, v := range pix {
			x[j] = float64(v)/127.5 - 1
		}
		x[in] = 1
		for c := range p {
			p[c] = 0
			for j, v := range x {
				p[c] += v * w[c*(in+1)+j]
			}
		}
		return label
	}
	for e := range epochs {
		for i := range train {
			label := forward(a, i)
			top, sum := slices.Max(p), 0.0
			for c := range p {
				p[c] = math.Exp(p[c] - top)
				sum += p[c]
			}
			for c := range p {
				g := p[c] / sum
				if c == label {
					g--
				}
				for j, v := range x {
					w[c*(in+1)+j] -= 0.002 / float64(e+1) * g * v
				}
			}
		}
	}
	hits := 0
	for i := range test {
		if label := forward(b, i); p[label] == slices.Max(p) {
			hits++
		}
	}
	return float64(hits) / test
}

// The data tells a bad model from a good one: a linear model learns something, but not the matter.
func TestGlyphsAreTooHardForALinearModel(t *testing.T) {
	got := linear(t, func(*GlyphsArgs) {})
	t.Logf("softmax regression: %.1f %%", 100*got)
	if got < 0.12 || got > 0.75 {
		t.Errorf("softmax regression reaches %.1f %%", 100*got)
	}
}

func TestSincos(t *testing.T) {
	for a := int64(-210_000); a <= 210_000; a += 777 {
		sin, cos := sincos(a)
		wantSin, wantCos := math.Sincos(float64(a) / 65536)
		if math.Abs(float64(sin)-wantSin*65536) > 8 || math.Abs(float64(cos)-wantCos*65536) > 8 {
			t.Fatalf("%d: %d %d, want %v %v", a, sin, cos, wantSin*65536, wantCos*65536)
		}
	}
}

// The coverage of a pixel is the share of it that lies inside, by brute force:
// a grid of points, each asked by counting the edges to its left.
func TestCoverage(t *testing.T) {
	for k := range 40 {
		r := part.NewRand(5, uint64(k))
		var poly []point
		for range 3 {
			poly = append(poly, point{between(r, -2000, 9000), between(r, -2000, 9000)})
		}
		var c coverage
		for i, p := range poly {
			c.edge(p, poly[(i+1)%len(poly)])
		}
		for y := range side {
			sum := int32(0)
			for x := range side {
				sum += c[y*pitch+x]
				got, want := math.Abs(float64(sum))/1024, inside(poly, x, y)
				if math.Abs(got-want) > 0.3 {
					t.Fatalf("triangle %d, pixel %d,%d: %v, want about %v", k, x, y, got, want)
				}
			}
		}
	}
}

// inside is the share of the pixel's 16×16 points inside the polygon.
func inside(poly []point, x, y int) float64 {
	n := 0
	for i := range 256 {
		px, py := float64(x*256+i%16*16+8), float64(y*256+i/16*16+8)
		in := false
		for j, p := range poly {
			q := poly[(j+1)%len(poly)]
			if (float64(p.y) > py) != (float64(q.y) > py) &&
				px < float64(p.x)+(py-float64(p.y))*float64(q.x-p.x)/float64(q.y-p.y) {
				in = !in
			}
		}
		if in {
			n++
		}
	}
	return float64(n) / 256
}

func BenchmarkGlyphs(b *testing.B) {
	s := openGlyphs(b, nil)
	var img part.Image
	for i := 0; b.Loop(); i++ {
		if _, err := image(s, i, &img); err != nil {
			b.Fatal(err)
		}
	}
}

// TestGlyphsMask: the mask is where the glyph is, in the same images, and both targets are the character and its mask.
func TestGlyphsMask(t *testing.T) {
	a := GlyphsDefaults()
	a.Noise, a.Clutter, a.Contrast, a.Invert = 0, 0, 1, 0 // white on black: the background is at most 56 at a corner
	open := func(target string) (part.Spec, part.Samples) {
		a.Target = target
		d, err := NewGlyphs(a)
		if err != nil {
			t.Fatal(err)
		}
		s, err := d.Open(nil)
		if err != nil {
			t.Fatal(err)
		}
		return d.Spec(), s
	}
	_, plain := open("class")
	maskSpec, mask := open("mask")
	bothSpec, both := open("both")
	if len(maskSpec.Targets) != 1 || maskSpec.Targets[0].Classes != 11 || len(bothSpec.Targets) != 2 || !bothSpec.Targets[1].Like(maskSpec.Targets[0]) {
		t.Fatal(maskSpec.Targets, bothSpec.Targets)
	}
	for i := range 40 {
		x, y, z := part.NewSample(part.Spec{Inputs: maskSpec.Inputs, Targets: maskSpec.Targets}), part.NewSample(maskSpec), part.NewSample(bothSpec)
		for s, from := range map[*part.Sample]part.Samples{x: plain, y: mask, z: both} {
			if err := from.Sample(i, s); err != nil {
				t.Fatal(err)
			}
		}
		label := x.Targets[0].Labels[0]
		if !slices.Equal(x.Images[0].Pix, y.Images[0].Pix) || !slices.Equal(y.Targets[0].Labels, z.Targets[1].Labels) || z.Targets[0].Labels[0] != label {
			t.Fatalf("image %d depends on its target", i)
		}
		for p, v := range y.Images[0].Pix {
			got := y.Targets[0].Labels[p]
			if v > 156 && got != label+1 || v < 99 && got != 0 || got != 0 && got != label+1 {
				t.Fatalf("image %d, label %d, pixel %d of brightness %d: label %d", i, label, p, v, got)
			}
		}
	}
}
