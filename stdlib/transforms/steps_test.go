package transforms

import (
	"fmt"
	"testing"

	"qpipe/interp/part"
	"qpipe/ops/tensor"
)

// TestSteps: what a checkpoint says of how images get their size: resizes and crops in the middle, unless something random
// changes the size as well.
func TestSteps(t *testing.T) {
	make := made[part.Transform](t)
	bilinear := func(size ...int) part.Transform {
		return make(NewResize(ResizeArgs{Size: size, Interpolation: "bilinear"}))
	}
	crop := make(NewCenterCrop(CenterCropArgs{Size: []int{24}}))
	random := make(NewRandomCrop(RandomCropArgs{Size: []int{24}}))
	flip := make(NewRandomFlip(RandomFlipDefaults()))
	for _, c := range []struct {
		side       int // of the images, 0 for sizes of their own
		transforms []part.Transform
		want       string
	}{
		{0, []part.Transform{bilinear(32), flip, crop}, "[{resize [32] bilinear} {center_crop [24] }]"},
		{0, []part.Transform{bilinear(24, 24)}, "[{resize [24 24] bilinear}]"},
		{0, []part.Transform{bilinear(32), random, crop}, "[]"},
		{24, []part.Transform{flip, random}, "[]"}, // as they are
		{28, []part.Transform{random, bilinear(24)}, "[]"},
		{28, []part.Transform{crop, bilinear(32)}, "[{center_crop [24] } {resize [32] bilinear}]"},
	} {
		spec := part.Spec{Inputs: []part.InputSpec{{Shape: tensor.Shape{H: c.side, W: c.side, C: 3}}}}
		for _, tr := range c.transforms {
			var err error
			if spec, err = part.Transformed(spec, tr); err != nil {
				t.Fatal(err)
			}
		}
		if got := fmt.Sprint(spec.Preprocessing()[0].Steps); got != c.want {
			t.Errorf("%d pixels, %d transforms: %s, want %s", c.side, len(c.transforms), got, c.want)
		}
	}
}
