package move

import (
	"math"
	"slices"

	"qpipe/onnx/op"
	"qpipe/onnx/value"
)

func sliceRows() []*op.Row {
	return []*op.Row{
		{
			Name: "Slice", Since: []int{1, 10, 11, 13}, Least: 1, Most: 5, Outputs: 1,
			Attrs: []op.Attr{op.Ints("starts").Until(10), op.Ints("ends").Until(10), op.Ints("axes").Until(10)},
			Shape: func(c *op.Call) []op.Type {
				_, _, dims := cut(c)
				return like(c, dims)
			},
			Eval: func(c *op.Call) {
				start, strides, _ := cut(c)
				c.Work(c.Out[0].Len())
				c.Out[0].Walk(c.Known(0), start, strides)
			},
		},
		{
			Name: "Split", Since: []int{1, 2, 11, 13, 18}, Least: 1, Most: 2, Outputs: -1,
			Attrs: []op.Attr{op.Int("axis", 0), op.Ints("split").Until(13), op.Int("num_outputs", 0)},
			Shape: splitShape, Eval: split,
		},
	}
}

// cut is where a slice begins, with which strides it is read, and its shape.
func cut(c *op.Call) (start int, strides, dims []int) {
	in := c.Arg(0).Dims
	starts, ok := listed(c, "starts", 1)
	ends, ok2 := listed(c, "ends", 2)
	if !ok || !ok2 || len(starts) != len(ends) {
		c.Fail("%d starts and %d ends are given", len(starts), len(ends))
	}
	axes, given := listed(c, "axes", 3)
	if !given {
		for i := range starts {
			axes = append(axes, i)
		}
	}
	steps := slices.Repeat([]int{1}, len(starts))
	if c.Has(4) {
		steps = op.Narrow(c.Ints(4))
	}
	if len(axes) != len(starts) || len(steps) != len(starts) {
		c.Fail("the starts are %d, the axes %d and the steps %d in number", len(starts), len(axes), len(steps))
	}
	c.Axes(axes, len(in))
	strides, dims = value.Strides(in), slices.Clone(in)
	for i, a := range axes {
		a = c.Axis(a, len(in))
		if steps[i] == 0 || steps[i] == math.MinInt {
			c.Fail("a step is %d", steps[i])
		}
		from, n := sliced(starts[i], ends[i], steps[i], in[a])
		start += from * strides[a]
		strides[a] *= steps[i]
		dims[a] = n
	}
	return start, strides, dims
}

// sliced is the first place and the number of places of a slice of an extent.
func sliced(start, end, step, extent int) (from, n int) {
	if start < 0 {
		start += extent
	}
	if end < 0 {
		end += extent
	}
	if step > 0 {
		start, end = min(max(start, 0), extent), min(max(end, 0), extent)
		if end <= start {
			return 0, 0
		}
		return start, (end-start-1)/step + 1
	}
	start, end = min(max(start, -1), extent-1), min(max(end, -1), extent-1)
	if end >= start {
		return 0, 0
	}
	return start, (start-end-1)/-step + 1
}

// parts are the extents of the outputs of a split.
func parts(c *op.Call) (axis int, list []int) {
	d := c.Arg(0).Dims
	axis = c.Axis(c.Int("axis"), len(d))
	list, given := listed(c, "split", 1)
	if given {
		sum := 0
		for _, n := range list {
			if n < 0 || n > d[axis] {
				c.Fail("%v are no parts of %d", list, d[axis])
			}
			sum += n
		}
		if sum != d[axis] || len(list) != len(c.Node.Outputs) {
			c.Fail("%v are no parts of %d for %d outputs", list, d[axis], len(c.Node.Outputs))
		}
		return axis, list
	}
	n := len(c.Node.Outputs)
	if c.Given("num_outputs") && c.Int("num_outputs") != n {
		c.Fail("num_outputs is %d, and the node has %d", c.Int("num_outputs"), n)
	}
	if c.Since < 18 && d[axis]%n != 0 {
		c.Fail("%d cannot be divided into %d equal parts", d[axis], n)
	}
	size := (d[axis] + n - 1) / n
	for left := d[axis]; len(list) < n; left -= list[len(list)-1] {
		list = append(list, min(size, left))
	}
	return axis, list
}

func splitShape(c *op.Call) []op.Type {
	axis, list := parts(c)
	types := make([]op.Type, len(list))
	for i, n := range list {
		types[i] = op.Type{Elem: c.Arg(0).Type, Dims: slices.Clone(c.Arg(0).Dims)}
		types[i].Dims[axis] = n
	}
	return types
}

func split(c *op.Call) {
	in := c.Known(0)
	axis, list := parts(c)
	start, strides := 0, value.Strides(in.Dims)
	c.Work(in.Len())
	for i, n := range list {
		c.Out[i].Walk(in, start, strides)
		start += n * strides[axis]
	}
}
