package transforms

import (
	"math"

	"qpipe/interp/part"
	"qpipe/interp/picture"
	"qpipe/ops/elementary"
)

// RandomResizedCropArgs are the arguments of RandomResizedCrop.
type RandomResizedCropArgs struct {
	Size          []int     `arg:"size,single" doc:"Height and width of the result in pixels, one number for both or [height, width]."`
	Scale         []float64 `arg:"scale,optional" doc:"The least and the largest share of the image's area."`
	Ratio         []float64 `arg:"ratio,optional" doc:"The least and the largest width divided by height."`
	Interpolation string    `arg:"interpolation,optional" oneof:"nearest bilinear bicubic" doc:"How pixels are computed, as in Resize."`
}

// RandomResizedCropDefaults returns RandomResizedCrop's defaults.
func RandomResizedCropDefaults() RandomResizedCropArgs {
	return RandomResizedCropArgs{Scale: []float64{0.08, 1}, Ratio: []float64{3.0 / 4, 4.0 / 3}, Interpolation: "bilinear"}
}

// Validate implements the language's check after decoding.
func (a RandomResizedCropArgs) Validate() error {
	if err := validSize(a.Size); err != nil {
		return err
	}
	if s := a.Scale; len(s) != 2 || !(s[0] > 0 && s[0] <= s[1] && s[1] <= 1) {
		return part.Bad("scale", "%v; it has two values above 0 and up to 1, the smaller one first", s)
	}
	if q := a.Ratio; len(q) != 2 || !(q[0] >= 1e-3 && q[0] <= q[1] && q[1] <= 1e3) {
		return part.Bad("ratio", "%v; it has two values from 0.001 to 1000, the smaller one first", q)
	}
	return validFilter(a.Interpolation)
}

type randomResizedCrop struct {
	RandomResizedCropArgs
	logs [2]float64 // of Ratio
}

// NewRandomResizedCrop returns the transform that gives a random part of the image the size (PyTorch's
// transforms.RandomResizedCrop).
func NewRandomResizedCrop(a RandomResizedCropArgs) (part.Transform, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	return randomResizedCrop{a, [2]float64{elementary.Log(a.Ratio[0]), elementary.Log(a.Ratio[1])}}, nil
}

// Spec implements part.Transform.
func (c randomResizedCrop) Spec(in part.Spec) (part.Spec, error) {
	h, w := side(c.Size)
	return in, reshape(&in, "a crop takes the same part of both", h, w, 0)
}

// Apply implements part.Transform.
func (c randomResizedCrop) Apply(s *part.Sample, r *part.Rand) {
	top, left, h, w := c.area(s.Images[0].H, s.Images[0].W, r)
	outH, outW := side(c.Size)
	resize(s, top, left, h, w, outH, outW, picture.Filter(c.Interpolation))
}

// area draws the part of an image of height×width. If none of ten draws lies inside, it is the middle, as much of it as
// Ratio allows.
func (c randomResizedCrop) area(height, width int, r *part.Rand) (top, left, h, w int) {
	whole := float64(height) * float64(width)
	for range 10 {
		area := whole * between(c.Scale[0], c.Scale[1], r)
		ratio := elementary.Exp(between(c.logs[0], c.logs[1], r))
		w = int(math.RoundToEven(math.Sqrt(area * ratio)))
		h = int(math.RoundToEven(math.Sqrt(area / ratio)))
		if w > 0 && w <= width && h > 0 && h <= height {
			return r.Intn(height - h + 1), r.Intn(width - w + 1), h, w
		}
	}
	w, h = width, height
	switch ratio := float64(width) / float64(height); {
	case ratio < c.Ratio[0]:
		h = min(max(int(math.RoundToEven(float64(w)/c.Ratio[0])), 1), height)
	case ratio > c.Ratio[1]:
		w = min(max(int(math.RoundToEven(float64(h)*c.Ratio[1])), 1), width)
	}
	return (height - h) / 2, (width - w) / 2, h, w
}

// between draws a number from a range.
func between(from, to float64, r *part.Rand) float64 {
	return from + float64((to-from)*r.Float64())
}
