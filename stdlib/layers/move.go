package layers

import (
	"cmp"
	"slices"

	"qpipe/interp/part"
	"qpipe/ops/move"
)

// axes are the names of a map's axes, in the order of its extents.
func axes() []string { return []string{"height", "width", "channels"} }

// axis is the place of the axis of that name.
func axis(attr, name string) (int, error) {
	k := slices.Index(axes(), name)
	if k < 0 {
		return k, part.Bad(attr, "%q is no axis; there are height, width and channels", name)
	}
	return k, nil
}

// SliceArgs are the arguments of Slice.
type SliceArgs struct {
	Axis  string `arg:"axis,optional" oneof:"height width channels" doc:"What is cut."`
	Start int    `arg:"start,optional" doc:"The first element that is kept, from 0."`
	End   int    `arg:"end" doc:"The first element behind those that are kept."`
	Step  int    `arg:"step,optional" doc:"Every how many elements one is kept."`
}

// SliceDefaults returns Slice's defaults.
func SliceDefaults() SliceArgs { return SliceArgs{Axis: "channels", Step: 1} }

// Validate implements the language's check after decoding.
func (a SliceArgs) Validate() error {
	return cmp.Or(within("start", 0, a.Start), positive("end", a.End), positive("step", a.Step))
}

// NewSlice returns a part of a map.
func NewSlice(a SliceArgs) (part.Layer, error) {
	var s move.Slice
	k := slices.Index(axes(), a.Axis)
	s.Start[k], s.End[k], s.Step[k] = a.Start, a.End, a.Step
	return applied{s}, a.Validate()
}

// PadArgs are the arguments of Pad.
type PadArgs struct {
	Padding []int   `arg:"padding,single" doc:"Rows and columns that are added: one number, two (height and width), or four (top, left, bottom and right)."`
	Mode    string  `arg:"mode,optional" oneof:"constant reflect edge" doc:"What is added: a value, the image mirrored at its border, or its border."`
	Value   float64 `arg:"value,optional" doc:"The value of constant padding; quantized, it is the nearest that the input can have."`
}

// PadDefaults returns Pad's defaults.
func PadDefaults() PadArgs { return PadArgs{Mode: "constant"} }

// Validate implements the language's check after decoding.
func (a PadArgs) Validate() error {
	if _, _, err := pads(a.Padding); err != nil {
		return err
	}
	if err := finite("value", a.Value); err != nil {
		return err
	}
	if a.Value != 0 && a.Mode != "constant" {
		return part.Bad("value", "is for constant padding; the mode is %q", a.Mode)
	}
	return nil
}

// NewPad returns a map with a border.
func NewPad(a PadArgs) (part.Layer, error) {
	both, each, err := pads(a.Padding)
	if len(a.Padding) != 4 {
		each = [4]int{both[0], both[1], both[0], both[1]}
	}
	return applied{move.Pad{
		Before: [3]int{each[0], each[1], 0}, After: [3]int{each[2], each[3], 0}, Mode: a.Mode, Value: float32(a.Value),
	}}, err
}

// ReshapeArgs are the arguments of Reshape.
type ReshapeArgs struct {
	Height   int `arg:"height" doc:"Rows of the output."`
	Width    int `arg:"width" doc:"Columns of the output."`
	Channels int `arg:"channels" doc:"Channels of the output."`
}

// Validate implements the language's check after decoding.
func (a ReshapeArgs) Validate() error {
	return cmp.Or(positive("height", a.Height), positive("width", a.Width), positive("channels", a.Channels))
}

// NewReshape returns a map with another shape, its elements in PyTorch's order.
func NewReshape(a ReshapeArgs) (part.Layer, error) { return applied{move.Reshape(a)}, a.Validate() }

// PermuteArgs are the arguments of Permute.
type PermuteArgs struct {
	Dims []string `arg:"dims" doc:"Which axis of the input becomes the height, the width and the channels of the output: height, width and channels in another order."`
}

func (a PermuteArgs) order() (order [3]int, err error) {
	if len(a.Dims) != 3 {
		return order, part.Bad("dims", "has %s; name three: what becomes the height, the width and the channels", part.Count(len(a.Dims), "name"))
	}
	for k, name := range a.Dims {
		if order[k], err = axis("dims", name); err != nil {
			return order, err
		}
		if slices.Contains(a.Dims[:k], name) {
			return order, part.Bad("dims", "has %q twice", name)
		}
	}
	return order, nil
}

// Validate implements the language's check after decoding.
func (a PermuteArgs) Validate() error {
	_, err := a.order()
	return err
}

// NewPermute returns a map with its axes in another order.
func NewPermute(a PermuteArgs) (part.Layer, error) {
	order, err := a.order()
	return applied{move.Transpose{Order: order}}, err
}

// GroupsArgs are the arguments of ChannelShuffle.
type GroupsArgs struct {
	Groups int `arg:"groups" doc:"Number of groups whose channels are mixed."`
}

// Validate implements the language's check after decoding.
func (a GroupsArgs) Validate() error { return positive("groups", a.Groups) }

// NewChannelShuffle returns the shuffle of ShuffleNet.
func NewChannelShuffle(a GroupsArgs) (part.Layer, error) {
	return applied{move.ChannelShuffle(a)}, a.Validate()
}

// UpscaleArgs are the arguments of PixelShuffle.
type UpscaleArgs struct {
	Factor int `arg:"upscale_factor" doc:"How many times as many rows and columns the output has."`
}

// Validate implements the language's check after decoding.
func (a UpscaleArgs) Validate() error { return positive("upscale_factor", a.Factor) }

// NewPixelShuffle returns pixels out of channels.
func NewPixelShuffle(a UpscaleArgs) (part.Layer, error) {
	return applied{move.PixelShuffle(a)}, a.Validate()
}

// DownscaleArgs are the arguments of PixelUnshuffle.
type DownscaleArgs struct {
	Factor int `arg:"downscale_factor" doc:"How many times as few rows and columns the output has."`
}

// Validate implements the language's check after decoding.
func (a DownscaleArgs) Validate() error { return positive("downscale_factor", a.Factor) }

// NewPixelUnshuffle returns channels out of pixels.
func NewPixelUnshuffle(a DownscaleArgs) (part.Layer, error) {
	return applied{move.PixelUnshuffle(a)}, a.Validate()
}
