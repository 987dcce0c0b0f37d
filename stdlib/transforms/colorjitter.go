package transforms

import (
	"fmt"

	"qpipe/interp/part"
	"qpipe/interp/picture"
)

// ColorJitterArgs are the arguments of ColorJitter.
type ColorJitterArgs struct {
	Brightness []float64 `arg:"brightness,optional,single" doc:"How far the factor of the brightness may be from 1, or its least and largest value."`
	Contrast   []float64 `arg:"contrast,optional,single" doc:"The same for the contrast."`
	Saturation []float64 `arg:"saturation,optional,single" doc:"The same for the saturation."`
	Hue        []float64 `arg:"hue,optional,single" doc:"How far hues may be turned, as a share of the circle, up to 0.5; or the least and the largest turn."`
}

// Validate implements the language's check after decoding.
func (a ColorJitterArgs) Validate() error {
	for attr, v := range map[string][]float64{"brightness": a.Brightness, "contrast": a.Contrast, "saturation": a.Saturation} {
		if r := around(v, 1); len(v) > 2 || !(r[0] >= 0 && r[0] <= r[1] && r[1] <= 100) {
			return part.Bad(attr, "%v; it is one number from 0 to 99, or two from 0 to 100, the smaller one first", v)
		}
	}
	if r := around(a.Hue, 0); len(a.Hue) > 2 || !(r[0] >= -0.5 && r[0] <= r[1] && r[1] <= 0.5) {
		return part.Bad("hue", "%v; it is one number from 0 to 0.5, or two from -0.5 to 0.5, the smaller one first", a.Hue)
	}
	return nil
}

// around is the range of an argument: one number is the distance from the middle, below which nothing is less than 0 if the
// middle is 1.
func around(v []float64, middle float64) [2]float64 {
	switch len(v) {
	case 0:
		return [2]float64{middle, middle}
	case 1:
		least := middle - v[0]
		if middle > 0 && v[0] >= 0 {
			least = max(least, 0)
		}
		return [2]float64{least, middle + v[0]}
	}
	return [2]float64{v[0], v[1]}
}

type colorJitter struct{ ranges [4][2]float64 }

// NewColorJitter returns the transform that changes brightness, contrast, saturation and hue at random, in random order
// (PyTorch's transforms.ColorJitter on images of Pillow).
func NewColorJitter(a ColorJitterArgs) (part.Transform, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	return colorJitter{[4][2]float64{around(a.Brightness, 1), around(a.Contrast, 1), around(a.Saturation, 1), around(a.Hue, 0)}}, nil
}

// Spec implements part.Transform.
func (j colorJitter) Spec(in part.Spec) (part.Spec, error) { return in, coloured(in) }

// coloured returns an error if the first input is no image with colours.
func coloured(in part.Spec) error {
	if i := in.Inputs[0]; i.Numbers || i.Shape.C != 1 && i.Shape.C != 3 && i.Shape.C != 4 {
		return fmt.Errorf("it changes grey or coloured images of bytes, and the input is %v", i)
	}
	return nil
}

// Apply implements part.Transform. It draws as often, whatever it changes.
func (j colorJitter) Apply(s *part.Sample, r *part.Rand) {
	var order [4]int
	part.Permute(r, order[:])
	var v [4]float64
	for k, of := range j.ranges {
		v[k] = between(of[0], of[1], r)
	}
	image := &s.Images[0]
	m, tone := picture.Map{H: image.H, W: image.W, C: image.C, Pix: image.Pix}, part.Kept[picture.Toner](s.Room)
	for _, k := range order {
		middle := 1.0
		if k == 3 {
			middle = 0
		}
		if j.ranges[k] == [2]float64{middle, middle} {
			continue
		}
		switch k {
		case 0:
			tone.Brightness(&m, float32(v[k]))
		case 1:
			tone.Contrast(&m, float32(v[k]))
		case 2:
			tone.Saturation(&m, float32(v[k]))
		default:
			tone.Hue(&m, int(v[k]*255))
		}
	}
}
