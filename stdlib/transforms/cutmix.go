package transforms

import (
	"math"

	"qpipe/interp/part"
)

type cutmix struct{ MixArgs }

// NewCutMix returns the transform of Yun et al., "CutMix" (2019): a rectangle of each image of a batch comes from the one before it, and
// the label in proportion to its area. All images of a batch have the same rectangle. Where it is follows torchvision: a random middle, and
// a share of height and width of √(1 - share), cut off at the edges.
func NewCutMix(a MixArgs) (part.Transform, error) { return cutmix{a}, a.Validate() }

// Spec implements part.Transform.
func (t cutmix) Spec(in part.Spec) (part.Spec, error) {
	for _, i := range in.Inputs {
		if i.Shape.H*i.Shape.W < 2 || i.Shape.H != in.Inputs[0].Shape.H || i.Shape.W != in.Inputs[0].Shape.W {
			return in, part.Bad("alpha", "it cuts rectangles out of images of one size, and the data has %s", in.InputText())
		}
	}
	return t.MixArgs.Spec(in)
}

// Mix implements part.Mixer.
func (t cutmix) Mix(m *part.Mixture, r *part.Rand) bool {
	keep := t.share(r)
	if keep == 1 {
		return false
	}
	h, w := m.Shapes[0].H, m.Shapes[0].W
	x, y, half := r.Intn(w), r.Intn(h), 0.5*math.Sqrt(1-keep)
	dx, dy := int(half*float64(w)), int(half*float64(h))
	left, right, top, bottom := max(x-dx, 0), min(x+dx, w), max(y-dy, 0), min(y+dy, h)
	area := (right - left) * (bottom - top)
	if area == 0 {
		return true // the share was so large that no pixel changes
	}
	for k, s := range m.Shapes {
		turn(m, k, func(own, other []float32) {
			for y := top; y < bottom; y++ {
				from, to := (y*w+left)*s.C, (y*w+right)*s.C
				copy(own[from:to], other[from:to])
			}
		})
	}
	shared(m, 1-float64(area)/float64(w*h))
	return true
}
