package transforms

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"testing"

	"qpipe/interp/part"
	"qpipe/ops/tensor"
)

// pattern is an image in which no two bytes that are near each other are equal.
func pattern(h, w, c int) part.Image {
	img := part.Image{H: h, W: w, C: c}
	for i := range h * w * c {
		img.Pix = append(img.Pix, byte(i*37+11))
	}
	return img
}

func spec(h, w, c int) part.Spec {
	return part.Spec{
		Inputs:  []part.InputSpec{{Shape: tensor.Shape{H: h, W: w, C: c}, Mean: []float32{0.5}, Std: []float32{0.5}}},
		Targets: []part.TargetSpec{{Classes: 10}},
	}
}

func made[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// cropped takes a size×size window at (top, left) out of the padded image, byte by byte.
func cropped(img part.Image, size, padding, fill, top, left int) []byte {
	var out []byte
	for y := top; y < top+size; y++ {
		for x := left; x < left+size; x++ {
			for c := range img.C {
				sy, sx := y-padding, x-padding
				if sy < 0 || sy >= img.H || sx < 0 || sx >= img.W {
					out = append(out, byte(fill))
				} else {
					out = append(out, img.Pix[(sy*img.W+sx)*img.C+c])
				}
			}
		}
	}
	return out
}

// applied is what a transform makes of an image.
func applied(t part.Transform, img part.Image, r *part.Rand) part.Image {
	s := &part.Sample{Images: []part.Image{img}, Targets: make([]part.Target, 1)}
	t.Apply(s, r)
	return s.Images[0]
}

// A crop is one of the windows of the padded image; all of them come, equally often.
func TestRandomCropIsAWindow(t *testing.T) {
	for _, c := range []struct{ h, w, ch, size, padding, fill int }{
		{6, 6, 1, 6, 2, 0},
		{5, 7, 3, 4, 0, 9},
		{4, 4, 2, 7, 2, 255},
		{3, 3, 1, 1, 0, 0},
	} {
		crop := made[part.Transform](t)(NewRandomCrop(RandomCropArgs{Size: []int{c.size}, Padding: c.padding, Fill: c.fill}))
		out, err := crop.Spec(spec(c.h, c.w, c.ch))
		if err != nil || out.Inputs[0].Shape != (tensor.Shape{H: c.size, W: c.size, C: c.ch}) {
			t.Fatalf("%+v: %v, %v", c, out.Inputs, err)
		}
		src := pattern(c.h, c.w, c.ch)
		rows, cols := c.h+2*c.padding-c.size+1, c.w+2*c.padding-c.size+1
		count := map[[2]int]int{}
		const each = 200
		var img part.Image
		for i := range each * rows * cols {
			img = part.Image{H: src.H, W: src.W, C: src.C, Pix: append(img.Pix[:0], src.Pix...)}
			img = applied(crop, img, part.NewRand(3, uint64(i)))
			at, found := [2]int{}, false
			for k := range rows * cols {
				if bytes.Equal(img.Pix, cropped(src, c.size, c.padding, c.fill, k/cols, k%cols)) {
					at, found = [2]int{k / cols, k % cols}, true
				}
			}
			if !found || img.H != c.size || img.W != c.size {
				t.Fatalf("%+v: not a window of the image: %v", c, img)
			}
			count[at]++
		}
		for at, n := range count {
			if n < each/2 || n > each*2 {
				t.Errorf("%+v: window %v came %d times, expected about %d", c, at, n, each)
			}
		}
		if len(count) != rows*cols {
			t.Errorf("%+v: %d of %d windows came", c, len(count), rows*cols)
		}
	}
}

func TestRandomCropAllocatesNothing(t *testing.T) {
	crop := made[part.Transform](t)(NewRandomCrop(RandomCropArgs{Size: []int{28}, Padding: 2}))
	s, r := &part.Sample{Images: []part.Image{pattern(28, 28, 1)}}, part.NewRand(1)
	if n := testing.AllocsPerRun(100, func() { crop.Apply(s, r) }); n > 0 {
		t.Errorf("%v allocations an image", n)
	}
}

func TestRandomFlip(t *testing.T) {
	src := pattern(3, 4, 2)
	want := map[string][]byte{"horizontal": nil, "vertical": nil}
	for y := range 3 {
		for x := range 4 {
			want["horizontal"] = append(want["horizontal"], src.Pix[(y*4+3-x)*2:][:2]...)
			want["vertical"] = append(want["vertical"], src.Pix[((2-y)*4+x)*2:][:2]...)
		}
	}
	for direction, flipped := range want {
		for p, share := range map[float64][2]int{0: {0, 0}, 0.25: {200, 300}, 1: {1000, 1000}} {
			f := made[part.Transform](t)(NewRandomFlip(RandomFlipArgs{P: p, Direction: direction}))
			n := 0
			for i := range 1000 {
				img := part.Image{H: 3, W: 4, C: 2, Pix: slices.Clone(src.Pix)}
				img = applied(f, img, part.NewRand(uint64(i)))
				switch {
				case bytes.Equal(img.Pix, flipped):
					n++
				case !bytes.Equal(img.Pix, src.Pix):
					t.Fatalf("%s: neither flipped nor left alone: %v", direction, img.Pix)
				}
			}
			if n < share[0] || n > share[1] {
				t.Errorf("%s, p = %v: %d of 1000 flipped", direction, p, n)
			}
		}
	}
}

func TestNormalize(t *testing.T) {
	n := made[part.Transform](t)(NewNormalize(NormalizeArgs{Mean: []float64{0.4914, 0.4822, 0.4465}, Std: []float64{0.25}}))
	out, err := n.Spec(spec(4, 4, 3))
	if err != nil || !slices.Equal(out.Inputs[0].Mean, []float32{0.4914, 0.4822, 0.4465}) || !slices.Equal(out.Inputs[0].Std, []float32{0.25}) {
		t.Fatalf("%+v, %v", out, err)
	}
	img := pattern(4, 4, 3)
	img = applied(n, img, part.NewRand())
	if !bytes.Equal(img.Pix, pattern(4, 4, 3).Pix) {
		t.Error("the pixels have changed")
	}
	if _, err := n.Spec(spec(4, 4, 2)); !blames(err, "mean") {
		t.Errorf("three means for two channels: %v", err)
	}
	n = made[part.Transform](t)(NewNormalize(NormalizeArgs{Mean: []float64{0}, Std: []float64{1, 2, 3}}))
	if _, err := n.Spec(spec(4, 4, 1)); !blames(err, "std") {
		t.Errorf("three deviations for one channel: %v", err)
	}
}

func blames(err error, attr string) bool {
	var a *part.ArgError
	return errors.As(err, &a) && a.Attr == attr
}

func TestBadArguments(t *testing.T) {
	crop := made[part.Transform](t)(NewRandomCrop(RandomCropArgs{Size: []int{9}, Padding: 1}))
	_, tooBig := crop.Spec(spec(6, 9, 1))
	for i, c := range []struct {
		attr string
		err  error
	}{
		{"size", tooBig},
		{"size", RandomCropArgs{}.Validate()},
		{"padding", RandomCropArgs{Size: []int{1}, Padding: -1}.Validate()},
		{"fill", RandomCropArgs{Size: []int{1}, Fill: 256}.Validate()},
		{"p", RandomFlipArgs{P: 1.1}.Validate()},
		{"p", RandomFlipArgs{P: math.NaN()}.Validate()},
		{"mean", NormalizeArgs{Std: []float64{1}}.Validate()},
		{"mean", NormalizeArgs{Mean: []float64{math.Inf(1)}, Std: []float64{1}}.Validate()},
		{"std", NormalizeArgs{Mean: []float64{1}}.Validate()},
		{"std", NormalizeArgs{Mean: []float64{1}, Std: []float64{1, 0}}.Validate()},
	} {
		if !blames(c.err, c.attr) {
			t.Errorf("%d: %s: %v", i, c.attr, c.err)
		}
	}
}
