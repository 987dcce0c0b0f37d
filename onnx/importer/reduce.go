package importer

import (
	"slices"

	"qpipe/lang/diag"
	"qpipe/ops/layer"
	"qpipe/ops/norm"
	"qpipe/ops/op"
)

// reduceRows are the ops that combine the elements of an image.
func reduceRows() []row {
	return []row{
		{"", "MaxPool", maxPool},
		{"", "AveragePool", avgPool},
		{"", "GlobalAveragePool", func(c *call) { c.global(op.GlobalAvgPool{}) }},
		{"", "GlobalMaxPool", func(c *call) { c.global(op.GlobalMaxPool{}) }},
		{"", "ReduceMean", func(c *call) { c.reduce("mean") }},
		{"", "ReduceSum", func(c *call) { c.reduce("sum") }},
		{"", "ReduceMax", func(c *call) { c.reduce("max") }},
		{"", "Softmax", func(c *call) { c.softmax(func(axis int) layer.Op { return op.Softmax{Axis: axis} }) }},
		{"", "LogSoftmax", func(c *call) { c.softmax(func(axis int) layer.Op { return op.LogSoftmax{Axis: axis} }) }},
		{"", "ArgMax", argMax},
		{"", "InstanceNormalization", instanceNorm},
		{"", "LayerNormalization", layerNorm},
		{"", "GroupNormalization", groupNorm},
		{own, "ChannelNorm", channelNorm},
		{own, "GroupNorm", writtenGroupNorm},
	}
}

func maxPool(c *call) {
	x := c.image()
	if len(c.Outputs) > 1 && c.uses[c.Outputs[1]] > 0 {
		c.fail("its indices are read by other nodes")
	}
	w := c.window(nil, x.rank()-2)
	c.set(0, c.put(op.MaxPool{Kernel: w.kernel, Stride: w.stride, Pads: w.pads, Auto: w.auto, Ceil: c.int("ceil_mode", 0) != 0, Dilation: w.dilation}, x))
}

func avgPool(c *call) {
	x := c.image()
	w := c.window(nil, x.rank()-2)
	if w.dilation != [2]int{1, 1} {
		c.fail("its window has gaps (dilations %v), which a network's average does not", w.dilation)
	}
	c.set(0, c.put(op.AvgPool{
		Kernel: w.kernel, Stride: w.stride, Pads: w.pads, Auto: w.auto, Ceil: c.int("ceil_mode", 0) != 0,
		CountIncludePad: c.int("count_include_pad", 0) != 0,
	}, x))
}

func (c *call) global(o layer.Op) {
	x := c.image()
	c.set(0, c.put(o, x))
}

func (c *call) reduce(function string) {
	v := c.x(0)
	axes, given := c.list(1, "axes")
	if !given || len(axes) == 0 {
		if c.int("noop_with_empty_axes", 0) != 0 {
			c.set(0, v)
			return
		}
		c.fail("it reduces all dimensions, the batch too")
	}
	a := op.Reduce{Function: function}
	gone := map[int]bool{}
	for _, axis := range axes {
		at := c.axis(v, axis)
		gone[at] = true
		a.Axes[v.axes[at]] = true
	}
	var how layer.Op = a
	if a.Axes == [3]bool{true, true, false} && function == "mean" {
		how = op.GlobalAvgPool{}
	}
	y := c.put(how, v)
	if c.int("keepdims", 1) == 0 {
		y.axes = nil
		for i, axis := range v.axes {
			if !gone[i] {
				y.axes = append(y.axes, axis)
			}
		}
		if len(y.axes) == 0 {
			c.fail("a single number of each image is left: set keepdims")
		}
	}
	c.set(0, y)
}

// softmax works along an axis. Before version 13 it is along all from the axis on.
func (c *call) softmax(of func(axis int) layer.Op) {
	v := c.x(0)
	def := -1
	if c.opset() < 13 {
		def = 1
	}
	at := c.axis(v, c.int("axis", def))
	if c.opset() < 13 {
		for _, d := range v.dims()[at+1:] {
			if d != 1 {
				c.fail("it works along all of %v from axis %d on, which a network's softmax does not: export with a newer version of the operator set", v.dims(), at+1)
			}
		}
	}
	c.set(0, c.put(of(v.axes[at]), v))
}

// argMax at the end of a network is left out: the class is chosen by who uses it.
func argMax(c *call) {
	v := c.x(0)
	for _, o := range c.model.Graph.Outputs {
		if o.Name == c.Outputs[0] && c.uses[c.Outputs[0]] == 1 {
			c.set(0, v)
			return
		}
	}
	c.fail("its result is computed with, and it is no output: a network cannot train through an index")
}

func instanceNorm(c *call) {
	x := c.image()
	c.normed(x, norm.InstanceNorm{Eps: c.float("epsilon", 1e-5), Affine: true}, c.floats(1), c.floats(2))
}

// normed adds a normalization with a weight and a bias for each channel.
func (c *call) normed(x *value, o layer.Op, weight, bias []float32) {
	n := x.made.Shape().C
	if len(weight) != n || len(bias) != n {
		c.fail("it has %s and %d biases for %s", diag.Count(len(weight), "weight"), len(bias), diag.Count(n, "channel"))
	}
	y := c.put(o, x)
	c.weight(c.name+".weight", []int{n}, weight)
	c.weight(c.name+".bias", []int{n}, bias)
	c.set(0, y)
}

// layerNorm is over the last dimension, which must be the channels.
func layerNorm(c *call) {
	x := c.x(0)
	at := c.axis(x, c.int("axis", -1))
	if at != len(x.axes)-1 {
		c.fail("it normalizes over %d dimensions; a network's is over the channels of each pixel", len(x.axes)-at)
	}
	x = c.withChannels(x, at)
	bias := make([]float32, x.made.Shape().C)
	if c.has(2) {
		bias = c.floats(2)
	}
	c.normed(x, norm.LayerNorm{Eps: c.float("epsilon", 1e-5), Affine: true}, c.floats(1), bias)
}

// groupNorm has weights for each channel, and for each group before version 21.
func groupNorm(c *call) {
	x := c.image()
	groups := c.int("num_groups", 0)
	n := x.made.Shape().C
	each := func(i int) []float32 {
		list := c.floats(i)
		if c.opset() >= 21 || groups < 1 || len(list) != groups || n%groups != 0 {
			return list
		}
		var out []float32
		for _, v := range list {
			out = append(out, slices.Repeat([]float32{v}, n/groups)...)
		}
		return out
	}
	c.normed(x, norm.GroupNorm{Groups: groups, Eps: c.float("epsilon", 1e-5), Affine: true}, each(1), each(2))
}

// channelNorm is a recognized layer norm over the channels, which come first.
func channelNorm(c *call) {
	x := c.image()
	c.normed(x, norm.LayerNorm{Eps: c.float("epsilon", 1e-5), Affine: true}, c.perChannel(x, c.constant(1)), c.perChannel(x, c.constant(2)))
}

// writtenGroupNorm is a recognized group norm: an instance norm of a map that has its groups as channels. Its operands are the map,
// the shape with groups, the instance norm's weight and bias, and the group norm's.
func writtenGroupNorm(c *call) {
	x := c.image()
	shape, _ := c.list(1, "")
	if len(shape) != 3 || shape[2] != -1 || shape[1] < 1 {
		c.fail("it normalizes a map that was reshaped to %v, which are no groups of channels", shape)
	}
	for i, want := range []float32{1, 0} {
		for _, v := range c.floats(2 + i) {
			if v != want {
				c.fail("its groups have weights and biases of their own, besides those of the channels")
			}
		}
	}
	c.normed(x, norm.GroupNorm{Groups: shape[1], Eps: c.float("epsilon", 1e-5), Affine: true}, c.perChannel(x, c.constant(4)), c.perChannel(x, c.constant(5)))
}
