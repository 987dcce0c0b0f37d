package importer

import (
	"slices"

	"qpipe/onnx/model"
	"qpipe/ops/layer"
	"qpipe/ops/move"
	"qpipe/ops/nn"
	"qpipe/ops/tensor"
)

// The axes of a map in the network.
const (
	rowAxis = iota
	colAxis
	channelAxis
)

// value is what a name of the model stands for: a constant, or a value of the network.
type value struct {
	constant *model.Tensor

	made nn.Value
	// axes says which axis of the network each dimension of the model is, behind the batch. Axes that are not named have an extent
	// of 1.
	axes []int

	pieces *pieces // a map that was cut into more dimensions than the network has; made is the map
	bn     string  // the BN that has made it
	flat   bool    // made is the features of a map in one vector
}

// standard is how a map (N, C, H, W), a row (N, C, W) or a vector (N, C) has its axes.
func standard(rank int) []int {
	switch rank {
	case 2:
		return []int{channelAxis}
	case 3:
		return []int{channelAxis, colAxis}
	}
	return []int{channelAxis, rowAxis, colAxis}
}

// extent is a shape's size along an axis.
func extent(s tensor.Shape, axis int) int { return [3]int{s.H, s.W, s.C}[axis] }

// rank is the number of dimensions in the model, the batch included.
func (v *value) rank() int {
	switch {
	case v.constant != nil:
		return len(v.constant.Dims)
	case v.pieces != nil:
		return 1 + len(v.pieces.dims)
	}
	return 1 + len(v.axes)
}

// dims are the sizes in the model, behind the batch.
func (v *value) dims() []int {
	if v.pieces != nil {
		return v.pieces.dims
	}
	list := make([]int, len(v.axes))
	for i, a := range v.axes {
		list[i] = extent(v.made.Shape(), a)
	}
	return list
}

// inOrder is a value whose axes are the standard ones: a transpose is added if they are not.
func (c *build) inOrder(v *value, name string) *value {
	want := standard(v.rank())
	if slices.Equal(v.axes, want) {
		return v
	}
	return c.reordered(v, want, name)
}

// reordered moves the data so that the dimensions of the model are the axes want.
func (c *build) reordered(v *value, want []int, name string) *value {
	var order [3]int
	left := []int{rowAxis, colAxis, channelAxis}
	taken := [3]bool{}
	for i, a := range want { // the output's axis a is the operand's axis v.axes[i]
		order[a] = v.axes[i]
		taken[a] = true
		left = slices.DeleteFunc(left, func(x int) bool { return x == v.axes[i] })
	}
	for a := range order { // axes of extent 1
		if !taken[a] {
			order[a], left = left[0], left[1:]
		}
	}
	return &value{made: c.apply(c.names.Unique(name), move.Transpose{Order: order}, v.made), axes: want}
}

// withChannels is a value whose dimension at is the channels of the network: the axis that it was is where the channels were.
func (c *call) withChannels(v *value, at int) *value {
	want := channelsAt(v.axes, at)
	if slices.Equal(v.axes, want) {
		return v
	}
	return c.reordered(v, want, c.name+".order")
}

// channelsAt are axes with the channels at a dimension.
func channelsAt(axes []int, at int) []int {
	want := slices.Clone(axes)
	if i := slices.Index(want, channelAxis); i >= 0 {
		want[i] = want[at]
	}
	want[at] = channelAxis
	return want
}

// reshaped gives a value other dimensions, all of them behind the batch; one may be -1.
func (c *call) reshaped(v *value, to []int) *value {
	have := 1
	for _, d := range v.dims() {
		have *= d
	}
	to = slices.Clone(to)
	rest, open := 1, -1
	for i, d := range to {
		if d < 0 {
			open = i
			continue
		}
		rest *= d
	}
	if open >= 0 && rest > 0 {
		to[open], rest = have/rest, have/rest*rest
	}
	if rest != have {
		c.fail("%v elements of an image cannot become %v: the batch must stay as it is", v.dims(), to)
	}
	switch {
	case slices.Equal(to, v.dims()):
		return v
	case v.pieces != nil:
		return c.joined(v, to)
	case len(to) > 3:
		return c.cut(v, to)
	}
	v = c.inOrder(v, c.name+".order")
	axes := standard(len(to) + 1)
	if len(to) == 0 {
		c.fail("the batch would be all that is left")
	}
	var s tensor.Shape
	s.H, s.W, s.C = 1, 1, 1
	for i, a := range axes {
		*[...]*int{&s.H, &s.W, &s.C}[a] = to[i]
	}
	was := v.made.Shape()
	if was.H == s.H && was.W == s.W && was.C == s.C {
		return &value{made: v.made, axes: axes, flat: v.flat}
	}
	if len(to) == 1 {
		return &value{made: c.b.Flatten(c.name, v.made), axes: axes, flat: true}
	}
	if v.flat {
		c.fail("a flattened map becomes a map of %v again, which a network cannot do: export the model without the flatten", to)
	}
	return &value{made: c.apply(c.name, move.Reshape{Height: s.H, Width: s.W, Channels: s.C}, v.made), axes: axes}
}

// pieces is a map whose dimensions were cut, and then put into another order.
type pieces struct {
	of    []int // the sizes after the cut
	dims  []int // the sizes now
	order []int // dims[i] is of[order[i]]
}

// cut gives a map more dimensions than the network has. What becomes of it shows when they are joined again.
func (c *call) cut(v *value, to []int) *value {
	v = c.inOrder(v, c.name+".order")
	if v.flat {
		c.fail("a flattened map gets the dimensions %v", to)
	}
	order := make([]int, len(to))
	for i := range order {
		order[i] = i
	}
	return &value{made: v.made, axes: standard(4), pieces: &pieces{of: to, dims: to, order: order}}
}

// joined makes three dimensions of pieces: a shuffle of channels or of pixels, or the map as it was.
func (c *call) joined(v *value, to []int) *value {
	p, s := v.pieces, v.made.Shape()
	map3 := []int{s.C, s.H, s.W}
	whole := &value{made: v.made, axes: standard(4)}
	is := func(of []int, order ...int) bool { return slices.Equal(p.of, of) && slices.Equal(p.order, order) }
	put := func(op layer.Op) *value { return &value{made: c.apply(c.name, op, v.made), axes: standard(4)} }
	if slices.IsSorted(p.order) {
		return c.reshaped(whole, to)
	}
	if len(p.of) == 4 && len(to) == 3 && slices.Equal(to, map3) && is([]int{p.of[0], s.C / p.of[0], s.H, s.W}, 1, 0, 2, 3) {
		return put(move.ChannelShuffle{Groups: p.of[0]})
	}
	if len(p.of) == 5 && len(to) == 3 {
		switch r := p.of[1]; {
		case is([]int{s.C / (r * r), r, r, s.H, s.W}, 0, 3, 1, 4, 2) && slices.Equal(to, []int{s.C / (r * r), s.H * r, s.W * r}):
			return put(move.PixelShuffle{Factor: r})
		case is([]int{r, r, s.C / (r * r), s.H, s.W}, 2, 3, 0, 4, 1) && slices.Equal(to, []int{s.C / (r * r), s.H * r, s.W * r}):
			return c.depthToSpace(v, r, true)
		}
		if r := p.of[2]; r > 0 && slices.Equal(p.of, []int{s.C, s.H / r, r, s.W / r, r}) && slices.Equal(to, []int{s.C * r * r, s.H / r, s.W / r}) {
			if slices.Equal(p.order, []int{0, 2, 4, 1, 3}) {
				return put(move.PixelUnshuffle{Factor: r})
			}
			if slices.Equal(p.order, []int{2, 4, 0, 1, 3}) {
				return c.spaceToDepth(v, r)
			}
		}
	}
	c.fail("the dimensions %v, transposed by %v and joined to %v, are no shuffle of channels or pixels, which is what a network can do", p.of, p.order, to)
	return nil
}

// depthToSpace moves channels into blocks of pixels: block by block (ONNX's DCR) or, as PyTorch does, channel by channel.
func (c *call) depthToSpace(v *value, r int, blocks bool) *value {
	x := v.made
	if blocks {
		x = c.apply(c.names.Unique(c.name+".shuffle"), move.ChannelShuffle{Groups: r * r}, x)
	}
	return &value{made: c.apply(c.name, move.PixelShuffle{Factor: r}, x), axes: standard(4)}
}

// spaceToDepth moves blocks of pixels into channels, block by block.
func (c *call) spaceToDepth(v *value, r int) *value {
	x := c.apply(c.names.Unique(c.name+".unshuffle"), move.PixelUnshuffle{Factor: r}, v.made)
	return &value{made: c.apply(c.name, move.ChannelShuffle{Groups: v.made.Shape().C}, x), axes: standard(4)}
}
