package move

import (
	"slices"

	"qpipe/ops/layer"
	"qpipe/ops/tensor"
)

// Reshape gives a map other extents. Its elements are counted as PyTorch does, channel by channel and in each row by row. An
// extent of -1 is what the others leave.
//
// It takes a reshape that does not cut across channels: of the operand's H·W, the output's W and H·W, and the number of elements
// each divides the next larger one. That holds wherever the number of channels stays.
type Reshape struct {
	Height   int `json:"height"`
	Width    int `json:"width"`
	Channels int `json:"channels"`
}

// Transpose reorders the axes rows, columns and channels (0, 1 and 2): the output's axis k is the operand's axis Order[k].
type Transpose struct {
	Order [3]int `json:"order"`
}

// ChannelShuffle takes the channels as Groups rows and reads them column by column (Zhang and others, 2017, "ShuffleNet").
type ChannelShuffle struct {
	Groups int `json:"groups"`
}

// PixelShuffle makes Factor×Factor pixels of each, out of the channels c·Factor² to (c+1)·Factor²-1 for channel c, row by row.
type PixelShuffle struct {
	Factor int `json:"factor"`
}

// PixelUnshuffle is the inverse of PixelShuffle.
type PixelUnshuffle struct {
	Factor int `json:"factor"`
}

var (
	reshapeKind        = moving[Reshape]("reshape")
	transposeKind      = moving[Transpose]("transpose")
	channelShuffleKind = moving[ChannelShuffle]("channel_shuffle")
	pixelShuffleKind   = moving[PixelShuffle]("pixel_shuffle")
	pixelUnshuffleKind = moving[PixelUnshuffle]("pixel_unshuffle")
)

// Kind implements layer.Op.
func (Reshape) Kind() *layer.Kind { return reshapeKind }

// Node implements layer.Op.
func (a Reshape) Node(in []layer.Source) (*layer.Node, error) {
	return layer.Argue(reshapeKind, a, in[0])
}

// On implements layer.Arguments.
func (a Reshape) On(s tensor.Shape) (Reshape, tensor.Shape, error) {
	size, rest, open := s.WithN(1).Len(), 1, (*int)(nil)
	for k, e := range []*int{&a.Height, &a.Width, &a.Channels} {
		name := []string{"Height", "Width", "Channels"}[k]
		switch {
		case *e == -1 && open == nil:
			open = e
		case *e < 1 || *e > size:
			return a, s, layer.BadArg(name, "%v is not reshaped to an extent of %d", s, *e)
		case size%*e != 0 || size%(rest**e) != 0:
			return a, s, layer.BadArg(name, "the %d elements of %v are not divided by %d", size, s, *e)
		default:
			rest *= *e
		}
	}
	if open != nil {
		*open = size / rest
	}
	out := tensor.Shape{H: a.Height, W: a.Width, C: a.Channels}
	switch {
	case out.WithN(1).Len() != size:
		return a, s, layer.BadArg("Channels", "%v has %d elements, and %v has not", s, size, out)
	case !nested(s, out):
		return a, s, layer.BadArg("", "a reshape of %v to %v cuts across channels: of %d, %d, %d and %d each must divide the next larger one",
			s, out, s.H*s.W, out.W, out.H*out.W, size)
	}
	return a, out, nil
}

// nested reports whether a reshape does not cut across channels: then the place of an element, counted as PyTorch does, is
// a sum of what its row, its column and its channel contribute.
func nested(a, b tensor.Shape) bool {
	sizes := []int{a.H * a.W, b.W, b.H * b.W, a.WithN(1).Len()}
	slices.Sort(sizes)
	for i, n := range sizes[1:] {
		if n%sizes[i] != 0 {
			return false
		}
	}
	return true
}

func (a Reshape) places(in, out tensor.Shape) places {
	behind, plane := [3]int{out.W, 1, out.H * out.W}, in.H*in.W
	return along(out, func(k, i int) int {
		at := i * behind[k]
		return at%plane*in.C + at/plane
	})
}

// Kind implements layer.Op.
func (Transpose) Kind() *layer.Kind { return transposeKind }

// Node implements layer.Op.
func (a Transpose) Node(in []layer.Source) (*layer.Node, error) {
	return layer.Argue(transposeKind, a, in[0])
}

// On implements layer.Arguments.
func (a Transpose) On(s tensor.Shape) (Transpose, tensor.Shape, error) {
	var out [3]int
	for k, from := range a.Order {
		if !slices.Contains(a.Order[:], k) {
			return a, s, layer.BadArg("Order", "%s has not each of 0, 1 and 2", tensor.List(a.Order[:]...))
		}
		out[k] = layer.Axes(s)[min(max(from, 0), 2)]
	}
	return a, layer.ShapeOf(out), nil
}

func (a Transpose) places(in, out tensor.Shape) places {
	step := layer.Steps(in)
	return along(out, func(k, i int) int { return i * step[a.Order[k]] })
}

// Kind implements layer.Op.
func (ChannelShuffle) Kind() *layer.Kind { return channelShuffleKind }

// Node implements layer.Op.
func (a ChannelShuffle) Node(in []layer.Source) (*layer.Node, error) {
	return layer.Argue(channelShuffleKind, a, in[0])
}

// On implements layer.Arguments.
func (a ChannelShuffle) On(s tensor.Shape) (ChannelShuffle, tensor.Shape, error) {
	if a.Groups < 1 || s.C%a.Groups != 0 {
		return a, s, layer.BadArg("Groups", "the channels of %v cannot be divided by %d", s, a.Groups)
	}
	return a, s, nil
}

func (a ChannelShuffle) places(in, out tensor.Shape) places {
	step := layer.Steps(in)
	return along(out, func(k, i int) int {
		if k == 2 {
			return i%a.Groups*(in.C/a.Groups) + i/a.Groups
		}
		return i * step[k]
	})
}

// Kind implements layer.Op.
func (PixelShuffle) Kind() *layer.Kind { return pixelShuffleKind }

// Node implements layer.Op.
func (a PixelShuffle) Node(in []layer.Source) (*layer.Node, error) {
	return layer.Argue(pixelShuffleKind, a, in[0])
}

// On implements layer.Arguments.
func (a PixelShuffle) On(s tensor.Shape) (PixelShuffle, tensor.Shape, error) {
	r := a.Factor
	if r < 1 || r > s.C || s.C%(r*r) != 0 {
		return a, s, layer.BadArg("Factor", "%d channels are not divided by the square of %d", s.C, r)
	}
	return a, tensor.Shape{H: s.H * r, W: s.W * r, C: s.C / (r * r)}, nil
}

func (a PixelShuffle) places(in, out tensor.Shape) places {
	r, step := a.Factor, layer.Steps(in)
	return along(out, func(k, i int) int {
		return [3]int{i/r*step[0] + i%r*r, i/r*step[1] + i%r, i * r * r}[k]
	})
}

// Kind implements layer.Op.
func (PixelUnshuffle) Kind() *layer.Kind { return pixelUnshuffleKind }

// Node implements layer.Op.
func (a PixelUnshuffle) Node(in []layer.Source) (*layer.Node, error) {
	return layer.Argue(pixelUnshuffleKind, a, in[0])
}

// On implements layer.Arguments.
func (a PixelUnshuffle) On(s tensor.Shape) (PixelUnshuffle, tensor.Shape, error) {
	r := a.Factor
	if r < 1 || r > s.H || s.H%r != 0 || s.W%r != 0 {
		return a, s, layer.BadArg("Factor", "the height and the width of %v are not divided by %d", s, r)
	}
	return a, tensor.Shape{H: s.H / r, W: s.W / r, C: s.C * r * r}, nil
}

func (a PixelUnshuffle) places(in, out tensor.Shape) places {
	r, step := a.Factor, layer.Steps(in)
	return along(out, func(k, i int) int {
		return [3]int{i * r * step[0], i * r * step[1], i/r%r*step[0] + i%r*step[1] + i/(r*r)}[k]
	})
}
