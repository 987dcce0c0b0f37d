package transforms

import (
	"fmt"
	"strings"
	"testing"

	"qpipe/interp/part"
	"qpipe/interp/picture"
	"qpipe/ops/tensor"
)

// mapped is data of an image and a mask of one size; h = w = 0 for sizes of their own.
func mapped(h, w int) part.Spec {
	return part.Spec{
		Inputs:  []part.InputSpec{{Shape: tensor.Shape{H: h, W: w, C: 3}}},
		Targets: []part.TargetSpec{{Shape: tensor.Shape{H: h, W: w, C: 1}, Classes: 200}},
	}
}

// labelled is an image whose grey is the label of its mask.
func labelled(s *part.Sample, h, w int) {
	m, t := &s.Images[0], &s.Targets[0]
	*m, *t = part.Image{H: h, W: w, C: 3, Pix: m.Pix[:0]}, part.Target{H: h, W: w, Labels: t.Labels[:0]}
	for i := range h * w {
		v := uint8(i*7%180 + 1)
		m.Pix, t.Labels = append(m.Pix, v, v, v), append(t.Labels, int32(v))
	}
}

// geometric are transforms that change the size of an image, or move its pixels.
func geometric(t *testing.T) map[string]part.Transform {
	make := made[part.Transform](t)
	return map[string]part.Transform{
		"RandomCrop":        make(NewRandomCrop(RandomCropArgs{Size: []int{9, 12}, Padding: 3})),
		"RandomCrop larger": make(NewRandomCrop(RandomCropArgs{Size: []int{40, 21}, PadIfNeeded: true})),
		"CenterCrop":        make(NewCenterCrop(CenterCropArgs{Size: []int{9, 12}})),
		"CenterCrop larger": make(NewCenterCrop(CenterCropArgs{Size: []int{31}})),
		"Resize":            make(NewResize(ResizeArgs{Size: []int{17, 9}, Interpolation: "nearest"})),
		"Resize one side":   make(NewResize(ResizeArgs{Size: []int{8}, Interpolation: "nearest"})),
		"RandomResizedCrop": make(NewRandomResizedCrop(RandomResizedCropArgs{Size: []int{10, 14}, Scale: []float64{0.1, 1}, Ratio: []float64{0.5, 2}, Interpolation: "nearest"})),
		"RandomFlip":        make(NewRandomFlip(RandomFlipDefaults())),
	}
}

// TestMasksMoveAlong: whatever becomes of an image, each pixel keeps its label, what is added has none, the result is what
// the Spec says, and nothing is allocated for it once there is room.
func TestMasksMoveAlong(t *testing.T) {
	sizes := [][2]int{{20, 23}, {13, 30}, {31, 16}}
	for name, tr := range geometric(t) {
		for _, size := range sizes {
			for _, open := range []bool{false, true} {
				in := mapped(size[0], size[1])
				if open {
					if in = mapped(0, 0); name == "RandomCrop" {
						in.Inputs[0].Shortest = 13
					}
				}
				out, err := part.Transformed(in, tr)
				if err != nil {
					t.Fatalf("%s of %v: %v", name, size, err)
				}
				s := part.NewSample(in)
				for i := range 40 {
					labelled(s, size[0], size[1])
					tr.Apply(s, part.NewRand(uint64(i)))
					if err := out.Check(s); err != nil {
						t.Fatalf("%s of %v: %v", name, size, err)
					}
					for k, label := range s.Targets[0].Labels {
						if v := int32(s.Images[0].Pix[3*k+2]); v != max(label, 0) || label < 0 && !out.Targets[0].Ignores {
							t.Fatalf("%s of %v: the pixel %d has the label %d", name, size, v, label)
						}
					}
				}
				r := part.NewRand(1)
				if n := testing.AllocsPerRun(20, func() { labelled(s, size[0], size[1]); tr.Apply(s, r) }); n > 0 {
					t.Errorf("%s of %v allocates %v times", name, size, n)
				}
			}
		}
	}
}

// TestSizes: the sizes that transforms give, of images of one size and of sizes of their own, and what has none.
func TestSizes(t *testing.T) {
	make := made[part.Transform](t)
	for _, c := range []struct {
		h, w, shortest int
		tr             part.Transform
		want           string
	}{
		{100, 60, 0, make(NewResize(ResizeArgs{Size: []int{30}, Interpolation: "bilinear"})), "50×30"},
		{60, 101, 0, make(NewResize(ResizeArgs{Size: []int{30}, Interpolation: "bilinear"})), "30×50"},
		{0, 0, 0, make(NewResize(ResizeArgs{Size: []int{30}, Interpolation: "bilinear"})), "open, 30"},
		{0, 0, 0, make(NewResize(ResizeArgs{Size: []int{30, 40}, Interpolation: "bilinear"})), "30×40"},
		{0, 0, 50, make(NewRandomFlip(RandomFlipDefaults())), "open, 50"},
		{0, 0, 0, make(NewRandomResizedCrop(RandomResizedCropArgs{Size: []int{8}, Scale: []float64{0.1, 1}, Ratio: []float64{0.5, 2}, Interpolation: "bilinear"})), "8×8"},
		{0, 0, 0, make(NewCenterCrop(CenterCropArgs{Size: []int{8, 9}})), "8×9"},
		{0, 0, 24, make(NewRandomCrop(RandomCropArgs{Size: []int{24}})), "24×24"},
		{0, 0, 23, make(NewRandomCrop(RandomCropArgs{Size: []int{24}})), "put a Resize in front of it, or set pad_if_needed = true"},
		{0, 0, 0, make(NewRandomCrop(RandomCropArgs{Size: []int{24}, PadIfNeeded: true})), "24×24"},
		{20, 30, 0, make(NewRandomCrop(RandomCropArgs{Size: []int{21, 8}})), "a crop of 21×8 does not fit"},
	} {
		in := mapped(c.h, c.w)
		in.Inputs[0].Shortest = c.shortest
		out, err := part.Transformed(in, c.tr)
		got := fmt.Sprint(err)
		if i := out.Inputs[0]; err == nil && i.Open() {
			got = fmt.Sprintf("open, %d", i.Shortest)
		} else if err == nil {
			got = fmt.Sprintf("%d×%d", i.Shape.H, i.Shape.W)
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%T of %d×%d: %s, want %s", c.tr, c.h, c.w, got, c.want)
		}
		if err == nil && out.Open() == (out.Sized() == nil) {
			t.Errorf("%T of %d×%d: Sized says %v", c.tr, c.h, c.w, out.Sized())
		}
	}
}

// TestRandomResizedCropArea: areas lie inside, their shares and proportions are spread over what is allowed, and an image that
// allows none gets the middle.
func TestRandomResizedCropArea(t *testing.T) {
	a := RandomResizedCropDefaults()
	a.Size = []int{8}
	c := made[part.Transform](t)(NewRandomResizedCrop(a)).(randomResizedCrop)
	const h, w = 300, 400
	var shares, wide [4]int
	for i := range 4000 {
		top, left, ph, pw := c.area(h, w, part.NewRand(uint64(i)))
		if top < 0 || left < 0 || ph < 1 || pw < 1 || top+ph > h || left+pw > w {
			t.Fatalf("%d×%d at (%d, %d)", ph, pw, top, left)
		}
		shares[min(int(float64(ph*pw)/(h*w)*4), 3)]++
		wide[min(max(int((float64(pw)/float64(ph)-0.75)/(4.0/3-0.75)*4), 0), 3)]++
	}
	for i := range 4 {
		if shares[i] < 300 || wide[i] < 500 {
			t.Errorf("shares %v, proportions %v", shares, wide)
		}
	}
	if top, left, ph, pw := c.area(1000, 100, part.NewRand(1)); top != 433 || left != 0 || ph != 133 || pw != 100 {
		t.Errorf("of a tall image %d×%d at (%d, %d)", ph, pw, top, left)
	}
}

// TestLineStaysSmall: an image that is one line does not get as many lines as it has pixels.
func TestLineStaysSmall(t *testing.T) {
	if h, w := picture.Fit(1, picture.MostPixels, []int{1 << 14}); h*w > 4*picture.MostPixels {
		t.Errorf("%d×%d", h, w)
	}
}
