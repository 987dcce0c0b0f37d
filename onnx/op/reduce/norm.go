package reduce

import (
	"math"
	"slices"

	"qpipe/onnx/op"
	"qpipe/onnx/value"
)

func normRows() []*op.Row {
	epsilon := op.Float("epsilon", 1e-5)
	return []*op.Row{
		{
			Name: "BatchNormalization", Since: []int{1, 6, 7, 9, 14, 15}, Least: 5, Most: 5, Outputs: 5,
			Attrs: []op.Attr{
				epsilon, op.Float("momentum", 0.9), op.Int("training_mode", 0), op.Int("spatial", 1).Until(9), op.Int("is_test", 0).Until(7),
				op.Ints("consumed_inputs").Until(6),
			},
			Shape: batchShape, Eval: batchNorm,
		},
		{
			Name: "InstanceNormalization", Since: []int{1, 6, 22}, Least: 3, Most: 3, Outputs: 1,
			Attrs: []op.Attr{epsilon, op.Ints("consumed_inputs").Until(6)},
			Shape: likeInput(3), Eval: func(c *op.Call) {
				d := c.Arg(0).Dims
				groups(c, d[0]*d[1], func(i int) int { return i })
			},
		},
		{
			Name: "GroupNormalization", Since: []int{18, 21}, Least: 3, Most: 3, Outputs: 1,
			Attrs: []op.Attr{epsilon, op.NeedInt("num_groups"), op.Int("stash_type", 1)},
			Shape: func(c *op.Call) []op.Type {
				types := likeInput(3)(c)
				if n := c.Int("num_groups"); n < 1 || c.Arg(0).Dims[1]%n != 0 {
					c.Fail("%d channels cannot be divided into %d groups", c.Arg(0).Dims[1], n)
				}
				return types
			},
			Eval: groupNorm,
		},
		{
			Name: "LayerNormalization", Since: []int{17}, Least: 2, Most: 3, Outputs: 3,
			Attrs: []op.Attr{epsilon, op.Int("axis", -1), op.Int("stash_type", 1)}, Shape: layerShape, Eval: layerNorm,
		},
		{
			Name: "MeanVarianceNormalization", Since: []int{9, 13}, Least: 1, Most: 1, Outputs: 1,
			Attrs: []op.Attr{op.Ints("axes")}, Shape: likeInput(1), Eval: meanVariance,
		},
		{
			Name: "LpNormalization", Since: []int{1, 22}, Least: 1, Most: 1, Outputs: 1,
			Attrs: []op.Attr{op.Int("axis", -1), op.Int("p", 2)}, Shape: likeInput(1), Eval: lpNorm,
		},
	}
}

// likeInput is the shape of a norm of an input with at least so many dimensions.
func likeInput(rank int) func(c *op.Call) []op.Type {
	return func(c *op.Call) []op.Type {
		v := c.Arg(0)
		if len(v.Dims) < rank || !v.Type.Float() {
			c.Fail("input 0 is %s of the shape %v; it must be a float with at least %d dimensions", v.Type, v.Dims, rank)
		}
		return []op.Type{{Elem: v.Type, Dims: v.Dims}}
	}
}

// training reports whether a batch norm computes the statistics of the batch: by an attribute since operator set 14,
// before by having more than one output.
func training(c *op.Call) bool {
	if c.Since >= 14 {
		return c.Flag("training_mode")
	}
	return len(c.Node.Outputs) > 1
}

// batchChannels is how many statistics a batch norm has, and how many neighbors share one.
func batchChannels(c *op.Call) (channels, inner int) {
	d := c.Arg(0).Dims
	if len(d) < 2 {
		c.Fail("input 0 has the shape %v; it must have channels", d)
	}
	if c.Since < 9 && !c.Flag("spatial") {
		return value.Count(d[1:]), 1
	}
	return d[1], value.Count(d[2:])
}

func batchShape(c *op.Call) []op.Type {
	channels, _ := batchChannels(c)
	x := c.Arg(0)
	types := []op.Type{{Elem: x.Type, Dims: x.Dims}}
	for i := 1; i < 5; i++ {
		if c.Arg(i).Len() != channels {
			c.Fail("input %d has the shape %v, and the channels are %d in number", i, c.Arg(i).Dims, channels)
		}
	}
	for i := 1; i < len(c.Node.Outputs) && training(c); i++ {
		types = append(types, op.Type{Elem: c.Arg(3).Type, Dims: c.Arg(3).Dims})
	}
	return types
}

func batchNorm(c *op.Call) {
	channels, inner := batchChannels(c)
	x, out := c.Floats(0), c.Out[0].F
	scale, bias, mean, variance := c.Floats(1), c.Floats(2), c.Floats(3), c.Floats(4)
	c.Work(len(x))
	if training(c) {
		mean, variance = batchStatistics(c, x, channels, inner)
	}
	eps := c.Float("epsilon")
	factor := make([]float64, channels)
	for k := range factor {
		factor[k] = scale[k] / math.Sqrt(variance[k]+eps)
	}
	for i := range out {
		k := i / inner % channels
		out[i] = float64((x[i]-mean[k])*factor[k]) + bias[k]
	}
}

// batchStatistics are mean and variance of each channel of the batch; the other outputs are the running statistics and,
// in older versions, these.
func batchStatistics(c *op.Call, x []float64, channels, inner int) (mean, variance []float64) {
	mean, variance = make([]float64, channels), make([]float64, channels)
	n := float64(len(x) / max(channels, 1))
	for i, v := range x {
		mean[i/inner%channels] += v / n
	}
	for i, v := range x {
		k := i / inner % channels
		variance[k] += (v - mean[k]) * (v - mean[k]) / n
	}
	momentum := c.Float("momentum")
	for i, now := range [][]float64{mean, variance} {
		if i+1 < len(c.Out) {
			for k, v := range c.Floats(3 + i) {
				c.Out[i+1].F[k] = float64(v*momentum) + float64(now[k]*(1-momentum))
			}
		}
		if i+3 < len(c.Out) {
			copy(c.Out[i+3].F, now)
		}
	}
	return mean, variance
}

// moments are the mean and the variance of a list.
func moments(x []float64) (mean, variance float64) {
	n := float64(len(x))
	mean = sum(x) / n
	for _, v := range x {
		variance += float64((v - mean) * (v - mean))
	}
	return mean, variance / n
}

// groups normalizes count groups of neighboring elements; scale and bias of a channel are those with the index of index.
func groups(c *op.Call, count int, index func(channel int) int) {
	x, out, scale, bias := c.Floats(0), c.Out[0].F, c.Floats(1), c.Floats(2)
	d := c.Arg(0).Dims
	inner := value.Count(d[2:])
	c.Work(len(x))
	if len(x) == 0 {
		return
	}
	if want := index(d[1]-1) + 1; len(scale) != want || len(bias) != want {
		c.Fail("there are %d scales and %d biases; %d of each are needed", len(scale), len(bias), want)
	}
	length := len(x) / count
	for g := range count {
		mean, variance := moments(x[g*length:][:length])
		r := 1 / math.Sqrt(variance+c.Float("epsilon"))
		for i := g * length; i < (g+1)*length; i++ {
			k := index(i / inner % d[1])
			out[i] = float64((x[i]-mean)*r*scale[k]) + bias[k]
		}
	}
}

// groupNorm: before operator set 21 each group has a scale, then each channel.
func groupNorm(c *op.Call) {
	n, d := c.Int("num_groups"), c.Arg(0).Dims
	groups(c, d[0]*n, func(ch int) int {
		if c.Since < 21 {
			return ch / (d[1] / n)
		}
		return ch
	})
}

func layerShape(c *op.Call) []op.Type {
	types := likeInput(1)(c)
	d := c.Arg(0).Dims
	axis := c.Axis(c.Int("axis"), len(d))
	for i := 1; i < len(c.In); i++ {
		if !c.Has(i) {
			continue
		}
		if all, err := value.Broadcast(d[axis:], c.Arg(i).Dims); err != nil || !slices.Equal(all, d[axis:]) {
			c.Fail("input %d has the shape %v, and what is normalized %v", i, c.Arg(i).Dims, d[axis:])
		}
	}
	stats := append(slices.Clone(d[:axis]), slices.Repeat([]int{1}, len(d)-axis)...)
	for len(types) < len(c.Node.Outputs) {
		types = append(types, op.Type{Elem: c.Arg(0).Type, Dims: stats})
	}
	return types
}

func layerNorm(c *op.Call) {
	x, out, d := c.Floats(0), c.Out[0].F, c.Arg(0).Dims
	c.Work(len(x))
	axis := c.Axis(c.Int("axis"), len(d))
	length := value.Count(d[axis:])
	spread := func(i int) []float64 {
		full := make([]float64, length)
		if c.Has(i) {
			v := &value.Value{Type: c.Arg(0).Type, Dims: d[axis:], F: full}
			c.Floats(i)
			v.Walk(c.In[i], 0, value.Spread(c.In[i].Dims, d[axis:]))
		}
		return full
	}
	scale, bias := spread(1), spread(2)
	for g := range value.Count(d[:axis]) {
		mean, variance := moments(x[g*length:][:length])
		r := 1 / math.Sqrt(variance+c.Float("epsilon"))
		for i := range length {
			out[g*length+i] = float64((x[g*length+i]-mean)*r*scale[i]) + bias[i]
		}
		for i, s := range []float64{mean, r} {
			if i+1 < len(c.Out) {
				c.Out[i+1].F[g] = s
			}
		}
	}
}

// meanVariance normalizes over some dimensions, by default all but the channels.
func meanVariance(c *op.Call) {
	axes := c.AttrInts("axes")
	if !c.Given("axes") {
		axes = []int{0, 2, 3}
	}
	on := c.Axes(axes, len(c.Arg(0).Dims))
	all, count, length := lists(c, on)
	for g := range count {
		x := all.F[g*length:][:length]
		mean, variance := moments(x)
		for i := range x {
			x[i] = (x[i] - mean) / (math.Sqrt(variance) + 1e-9)
		}
	}
	back(c, all, on)
}

// back puts the elements of lists where they came from.
func back(c *op.Call, all *value.Value, on []bool) {
	d := c.Arg(0).Dims
	places, at := value.Strides(all.Dims), 0
	strides := make([]int, len(d))
	for _, want := range []bool{false, true} {
		for i := range d {
			if on[i] == want {
				strides[i] = places[at]
				at++
			}
		}
	}
	c.Out[0].Walk(all, 0, strides)
}

func lpNorm(c *op.Call) {
	p := c.Int("p")
	if p != 1 && p != 2 {
		c.Fail("p is %d; it must be 1 or 2", p)
	}
	on := c.Axes([]int{c.Int("axis")}, len(c.Arg(0).Dims))
	all, count, length := lists(c, on)
	for g := range count {
		x := all.F[g*length:][:length]
		n := sumOf(x, math.Abs)
		if p == 2 {
			n = math.Sqrt(sumOf(x, square))
		}
		for i := range x {
			if n != 0 {
				x[i] /= n
			}
		}
	}
	back(c, all, on)
}
