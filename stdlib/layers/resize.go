package layers

import (
	"qpipe/interp/part"
	"qpipe/ops/layer"
	"qpipe/ops/move"
)

// automatic is the name of an argument that follows from others.
const automatic = "auto"

// UpsampleArgs are the arguments of Upsample.
type UpsampleArgs struct {
	Size         []int     `arg:"size,optional,single" doc:"Height and width of the output, or one number for both."`
	Scale        []float64 `arg:"scale_factor,optional,single" doc:"Instead: how many times as many rows and columns the output has, or one number for both. The product is rounded down. Without a size it is 2."`
	Mode         string    `arg:"mode,optional" oneof:"nearest nearest-exact bilinear" doc:"What an output pixel is: the input's pixel at or before its place, the nearest one, or a mean of the four around it."`
	AlignCorners bool      `arg:"align_corners,optional" doc:"Whether the corner pixels of input and output lie on each other, for bilinear."`
	Coordinates  string    `arg:"coordinate_transformation_mode,optional" oneof:"auto half_pixel pytorch_half_pixel asymmetric align_corners tf_half_pixel_for_nn" doc:"Where output pixels lie in the input, as in ONNX's Resize; auto is what PyTorch does in this mode."`
	Nearest      string    `arg:"nearest_mode,optional" oneof:"auto floor ceil round_prefer_floor round_prefer_ceil" doc:"How nearest rounds a place to a pixel, as in ONNX's Resize; auto is what PyTorch does in this mode."`
}

// UpsampleDefaults returns Upsample's defaults.
func UpsampleDefaults() UpsampleArgs {
	return UpsampleArgs{Mode: "nearest", Coordinates: automatic, Nearest: automatic}
}

// Validate implements the language's check after decoding.
func (a UpsampleArgs) Validate() error {
	_, err := a.op()
	return err
}

// NewUpsample returns a resized map.
func NewUpsample(a UpsampleArgs) (part.Layer, error) {
	o, err := a.op()
	return applied{o}, err
}

func (a UpsampleArgs) op() (layer.Op, error) {
	s, err := a.sampling()
	if err != nil {
		return nil, err
	}
	if a.Mode == "bilinear" {
		return move.ResizeBilinear{Sampling: s}, nil
	}
	o := move.ResizeNearest{Sampling: s}
	if a.Mode == "nearest-exact" {
		o.Coordinates, o.Nearest = "half_pixel", "round_prefer_ceil"
	}
	if a.Coordinates != automatic {
		o.Coordinates = a.Coordinates
	}
	if a.Nearest != automatic {
		o.Nearest = a.Nearest
	}
	return o, nil
}

// sampling is where the pixels lie.
func (a UpsampleArgs) sampling() (s move.Sampling, err error) {
	switch bilinear := a.Mode == "bilinear"; {
	case len(a.Size) > 0 && len(a.Scale) > 0:
		return s, part.Bad("scale_factor", "size is given, too; leave one of them out")
	case a.AlignCorners && !bilinear:
		return s, part.Bad("align_corners", "is for bilinear; the mode is %q", a.Mode)
	case a.AlignCorners && a.Coordinates != automatic:
		return s, part.Bad("align_corners", "the coordinates are %q already; leave one of them out", a.Coordinates)
	case a.Nearest != automatic && bilinear:
		return s, part.Bad("nearest_mode", "is for nearest; the mode is %q", a.Mode)
	}
	if s.Size, err = pair("size", a.Size, 1); err != nil {
		return s, err
	}
	if s.Scale, err = a.factors(); err != nil {
		return s, err
	}
	switch {
	case a.AlignCorners:
		s.Coordinates = "align_corners"
	case a.Coordinates != automatic:
		s.Coordinates = a.Coordinates
	}
	return s, nil
}

// factors are by how much height and width grow, zero where a size is given.
func (a UpsampleArgs) factors() (list [2]float32, err error) {
	for _, v := range a.Scale {
		if !(v > 0 && v <= most) {
			return list, part.Bad("scale_factor", "%v; it must be above 0 and at most %d", v, most)
		}
	}
	switch len(a.Scale) {
	case 0:
		if len(a.Size) == 0 {
			list = [2]float32{2, 2}
		}
	case 1:
		list = [2]float32{float32(a.Scale[0]), float32(a.Scale[0])}
	case 2:
		list = [2]float32{float32(a.Scale[0]), float32(a.Scale[1])}
	default:
		err = part.Bad("scale_factor", "has %s; give one, or two: for height and width", part.Count(len(a.Scale), "number"))
	}
	return list, err
}
