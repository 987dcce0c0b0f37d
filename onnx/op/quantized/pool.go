package quantized

import (
	"math"
	"slices"

	"qpipe/onnx/op"
	"qpipe/onnx/op/window"
	"qpipe/onnx/value"
)

func poolRows() []*op.Row {
	return []*op.Row{
		{
			Name: "QLinearGlobalAveragePool", Domain: microsoft, Since: []int{1}, Least: 4, Most: 5, Outputs: 1,
			Attrs: []op.Attr{op.Int("channels_last", 0)},
			Shape: func(c *op.Call) []op.Type {
				types := likeBytes(c)
				d := channelsFirst(c)
				types[0].Dims = append(slices.Clone(d[:2]), slices.Repeat([]int{1}, len(d)-2)...)
				return types
			},
			Eval: globalAverage,
		},
		{
			Name: "QLinearAveragePool", Domain: microsoft, Since: []int{1}, Least: 4, Most: 5, Outputs: 1,
			Attrs: window.Attrs(op.Int("channels_last", 0), op.Int("ceil_mode", 0), op.Int("count_include_pad", 0)),
			Shape: func(c *op.Call) []op.Type {
				types := likeBytes(c)
				d := channelsFirst(c)
				types[0].Dims = slices.Concat(d[:2], window.PoolGeometry(c, d).Out)
				return types
			},
			Eval: average,
		},
	}
}

func channelsFirst(c *op.Call) []int {
	d := c.Arg(0).Dims
	if c.Flag("channels_last") {
		c.Fail("channels_last is not supported")
	}
	if len(d) < 3 {
		c.Fail("input 0 has the shape %v; it must have a batch, channels and at least one more dimension", d)
	}
	return d
}

// globalAverage: the sum is exact, the division part of the scale.
func globalAverage(c *op.Call) {
	q, out := c.Ints(0), c.Out[0]
	x, y := gridOf(c, 1, 2, out.Type), gridOf(c, 3, 4, out.Type)
	c.Work(len(q))
	if len(q) == 0 || len(out.I) == 0 {
		return
	}
	size := len(q) / len(out.I)
	unit := x.scale / float32(y.scale*float32(size))
	for i := range out.I {
		sum := int64(0)
		for _, n := range q[i*size:][:size] {
			sum += n - x.zero
		}
		out.I[i] = y.fit(float32(sum) * unit)
	}
}

// average: values are added in float32. A window over everything is a global pool.
func average(c *op.Call) {
	d := c.Arg(0).Dims
	g := window.PoolGeometry(c, d)
	if slices.Equal(g.Kernel, g.In) && max(slices.Max(g.Before), slices.Max(g.After)) == 0 {
		globalAverage(c)
		return
	}
	q, out := c.Ints(0), c.Out[0]
	x, y := gridOf(c, 1, 2, out.Type), gridOf(c, 3, 4, out.Type)
	window.Pool(c, g, d[0]*d[1], func(to, plane int, inside []int) {
		sum := float32(0)
		for _, at := range inside {
			sum += x.value(q[plane+at])
		}
		n := len(inside)
		if c.Flag("count_include_pad") {
			n = value.Count(g.Kernel)
		}
		mean := sum / float32(n)
		if math.IsNaN(float64(mean)) {
			mean = 0
		}
		out.I[to] = y.cut(float32(mean/y.scale) + float32(y.zero))
	})
}
