package move

import (
	"slices"

	"qpipe/onnx/model"
	"qpipe/onnx/op"
	"qpipe/onnx/value"
)

func padRow() *op.Row {
	return &op.Row{
		Name: "Pad", Since: []int{1, 2, 11, 13, 18, 19, 21, 23, 24}, Least: 1, Most: 4, Outputs: 1,
		Attrs: []op.Attr{op.Text("mode", "constant"), op.Ints("pads").Until(11), op.Ints("paddings").Until(2), op.Float("value", 0).Until(11)},
		Shape: func(c *op.Call) []op.Type {
			before, after := padding(c)
			dims := slices.Clone(c.Arg(0).Dims)
			for i, d := range dims {
				if before[i] < -d || after[i] < -d || before[i]+after[i] < -d {
					c.Fail("pads of %d and %d leave nothing of the extent %d", before[i], after[i], d)
				}
				dims[i] += before[i] + after[i]
			}
			_, err := model.Elements(dims)
			c.Check(err)
			return like(c, dims)
		},
		Eval: pad,
	}
}

// padding is what is added before and after each dimension.
func padding(c *op.Call) (before, after []int) {
	rank := len(c.Arg(0).Dims)
	name := "pads"
	if c.Since < 2 {
		name = "paddings"
	}
	list, given := listed(c, name, 1)
	if !given {
		c.Fail("there are no pads")
	}
	axes := make([]int, rank)
	for i := range axes {
		axes[i] = i
	}
	if c.Has(3) {
		axes = op.Narrow(c.Ints(3))
		c.Axes(axes, rank)
	}
	if len(list) != 2*len(axes) {
		c.Fail("%d pads are given for %d dimensions", len(list), len(axes))
	}
	before, after = make([]int, rank), make([]int, rank)
	for i, a := range axes {
		a = c.Axis(a, rank)
		before[a], after[a] = list[i], list[len(axes)+i]
		if max(before[a], -before[a], after[a], -after[a]) > 1<<40 {
			c.Fail("the pads %v are too large", list)
		}
	}
	return before, after
}

func pad(c *op.Call) {
	in, out := c.Known(0), c.Out[0]
	before, _ := padding(c)
	c.Work(out.Len(), len(out.Dims)+1)
	from := make([][]int, len(in.Dims)) // by dimension: where an element of the output comes from, negative for the filling
	for d, extent := range in.Dims {
		from[d] = make([]int, out.Dims[d])
		for i := range from[d] {
			from[d][i] = source(c, i-before[d], extent)
		}
	}
	fill(c, in, out)
	own, places := value.Strides(in.Dims), value.Strides(out.Dims)
	out.Pick(in, func(i int) int {
		at := 0
		for d, s := range places {
			k := from[d][i/s%out.Dims[d]]
			if k < 0 {
				return -1
			}
			at += k * own[d]
		}
		return at
	})
}

// source is the place in the input that a place beyond its ends repeats.
func source(c *op.Call, i, extent int) int {
	if i >= 0 && i < extent {
		return i
	}
	switch mode := c.Text("mode"); mode {
	case "constant":
		return -1
	case "edge", "reflect", "wrap":
		if extent == 0 {
			c.Fail("an empty dimension cannot be padded with its values")
		}
		switch {
		case mode == "edge":
			return min(max(i, 0), extent-1)
		case mode == "wrap":
			return (i%extent + extent) % extent
		case extent == 1:
			return 0
		}
		period := 2 * (extent - 1)
		i = (i%period + period) % period
		return min(i, period-i)
	default:
		c.Fail("the mode %q is not supported", mode)
		return 0
	}
}

// fill writes the constant of a padding into the whole output.
func fill(c *op.Call, in, out *value.Value) {
	x := value.New(in.Type, []int{1})
	switch {
	case c.Has(2):
		c.Same(0, 2)
		x = c.Single(2)
	case c.Since < 11 && in.F != nil:
		x.F[0] = c.Float("value")
	}
	out.Pick(x, func(int) int { return 0 })
}
