package transforms

import (
	"math"

	"qpipe/interp/part"
	"qpipe/interp/picture"
)

// RandAugmentArgs are the arguments of RandAugment.
type RandAugmentArgs struct {
	NumOps    int `arg:"num_ops,optional" doc:"How many changes are made one after the other."`
	Magnitude int `arg:"magnitude,optional" doc:"How strong they are, from 0 to num_magnitude_bins - 1."`
	Bins      int `arg:"num_magnitude_bins,optional" doc:"The number of strengths."`
	Fill      int `arg:"fill,optional" doc:"Value of the pixels that come in from outside, 0 to 255."`
}

// RandAugmentDefaults returns RandAugment's defaults.
func RandAugmentDefaults() RandAugmentArgs {
	return RandAugmentArgs{NumOps: 2, Magnitude: 9, Bins: 31}
}

// Validate implements the language's check after decoding.
func (a RandAugmentArgs) Validate() error {
	switch {
	case a.NumOps < 0 || a.NumOps > 100:
		return part.Bad("num_ops", "%d; it must be 0 to 100", a.NumOps)
	case a.Bins < 2 || a.Bins > 1000:
		return part.Bad("num_magnitude_bins", "%d; it must be 2 to 1000", a.Bins)
	case a.Magnitude < 0 || a.Magnitude >= a.Bins:
		return part.Bad("magnitude", "%d; with %d strengths it must be 0 to %d", a.Magnitude, a.Bins, a.Bins-1)
	case a.Fill < 0 || a.Fill > 255:
		return part.Bad("fill", "%d is not the value of a pixel, 0 to 255", a.Fill)
	}
	return nil
}

type randAugment struct{ RandAugmentArgs }

// NewRandAugment returns the transform of Cubuk et al. (2020), as PyTorch's transforms.RandAugment makes it of images of Pillow.
func NewRandAugment(a RandAugmentArgs) (part.Transform, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	return randAugment{a}, nil
}

// Spec implements part.Transform. Masks move along; where something comes in from outside they have no label.
func (a randAugment) Spec(in part.Spec) (part.Spec, error) {
	if err := coloured(in); err != nil {
		return in, err
	}
	return in, ignores(&in, "fill")
}

// augmentation is one of the changes. Its strength grows from least to most; if it is signed, it has either sign.
type augmentation struct {
	least, most float64
	signed      bool
	move        func(v float64, h, w int) picture.Affine // where pixels come from
	factor      func(t *picture.Toner, m *picture.Map, v float32)
	tone        func(t *picture.Toner, m *picture.Map, v float64)
}

// augmentations are the changes, in PyTorch's order.
func augmentations(h, w int) [14]augmentation {
	const far = 150.0 / 331
	return [14]augmentation{
		{},
		{most: 0.3, signed: true, move: func(v float64, _, _ int) picture.Affine { return picture.Affine{A: 1, B: v, E: 1} }},
		{most: 0.3, signed: true, move: func(v float64, _, _ int) picture.Affine { return picture.Affine{A: 1, D: v, E: 1} }},
		{most: far * float64(w), signed: true, move: func(v float64, _, _ int) picture.Affine { return picture.Affine{A: 1, C: -math.Trunc(v), E: 1} }},
		{most: far * float64(h), signed: true, move: func(v float64, _, _ int) picture.Affine { return picture.Affine{A: 1, E: 1, F: -math.Trunc(v)} }},
		{most: 30, signed: true, move: picture.Rotation},
		{most: 0.9, signed: true, factor: (*picture.Toner).Brightness},
		{most: 0.9, signed: true, factor: (*picture.Toner).Saturation},
		{most: 0.9, signed: true, factor: (*picture.Toner).Contrast},
		{most: 0.9, signed: true, factor: (*picture.Toner).Sharpness},
		{least: 8, most: 4, tone: func(t *picture.Toner, m *picture.Map, v float64) { t.Posterize(m, int(math.RoundToEven(v))) }},
		{least: 255, most: 0, tone: (*picture.Toner).Solarize},
		{tone: func(t *picture.Toner, m *picture.Map, _ float64) { t.AutoContrast(m) }},
		{tone: func(t *picture.Toner, m *picture.Map, _ float64) { t.Equalize(m) }},
	}
}

// toning is what changes of colours work on.
type toning struct {
	tone picture.Toner
	m    picture.Map
}

// Apply implements part.Transform.
func (a randAugment) Apply(s *part.Sample, r *part.Rand) {
	image := &s.Images[0]
	work := part.Kept[toning](s.Room)
	for range a.NumOps {
		all := augmentations(image.H, image.W)
		change, sign := all[r.Intn(len(all))], r.Intn(2)
		v := change.least + float64((change.most-change.least)*float64(a.Magnitude)/float64(a.Bins-1))
		if change.signed && sign == 1 {
			v = -v
		}
		work.m = picture.Map{H: image.H, W: image.W, C: image.C, Pix: image.Pix}
		switch {
		case change.move != nil:
			warp(s, change.move(v, image.H, image.W), uint8(a.Fill))
		case change.factor != nil:
			change.factor(&work.tone, &work.m, float32(1+v))
		case change.tone != nil:
			change.tone(&work.tone, &work.m, v)
		}
	}
}

// warp moves the pixels of a sample's maps.
func warp(s *part.Sample, t picture.Affine, fill uint8) {
	was := s.Images[0]
	z := part.Kept[sizer](s.Room)
	for k := range s.Images {
		if m := &s.Images[k]; m.H == was.H && m.W == was.W {
			m.Pix = warped(m.Pix, &z.spare.Pix, m.H, m.W, t, fill)
			m.Numbers = warped(m.Numbers, &z.numbers, m.H, m.W, t, float32(fill))
		}
	}
	for k := range s.Targets {
		if m := &s.Targets[k]; m.H == was.H && m.W == was.W {
			m.Labels = warped(m.Labels, &z.labels, m.H, m.W, t, part.Ignored)
		}
	}
}

// warped moves the pixels of a map. Both memories change places.
func warped[T any](p []T, spare *[]T, h, w int, t picture.Affine, fill T) []T {
	if len(p) == 0 {
		return p
	}
	out := grow(*spare, len(p))
	picture.Warp(p, h, w, len(p)/(h*w), t, fill, out)
	*spare = p
	return out
}
