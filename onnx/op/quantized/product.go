package quantized

import (
	"slices"

	"qpipe/onnx/model"
	"qpipe/onnx/op"
	"qpipe/onnx/op/product"
	"qpipe/onnx/op/window"
	"qpipe/onnx/value"
)

func productRows() []*op.Row {
	return []*op.Row{
		{
			Name: "QLinearConv", Since: []int{10}, Least: 8, Most: 9, Outputs: 1, Attrs: window.Attrs(op.Int("group", 1)),
			Shape: func(c *op.Call) []op.Type {
				integers(c, 0, 3, 7)
				v := window.Plan(c, c.Arg(0).Dims, c.Arg(3).Dims)
				if c.Has(8) && c.Arg(8).Len() != v.Maps {
					c.Fail("the bias has the shape %v, and there are %d maps", c.Arg(8).Dims, v.Maps)
				}
				return []op.Type{{Elem: c.Arg(7).Type, Dims: v.Dims()}}
			},
			Eval: linearConv,
		},
		{
			Name: "QLinearMatMul", Since: []int{10, 21}, Least: 8, Most: 8, Outputs: 1,
			Shape: func(c *op.Call) []op.Type {
				integers(c, 0, 3, 7)
				return []op.Type{{Elem: c.Arg(7).Type, Dims: product.Of(c, c.Arg(0).Dims, c.Arg(3).Dims).Dims}}
			},
			Eval: linearMatMul,
		},
		{
			Name: "QGemm", Domain: microsoft, Since: []int{1}, Least: 6, Most: 9, Outputs: 1,
			Attrs: []op.Attr{op.Float("alpha", 1), op.Int("transA", 0), op.Int("transB", 0)},
			Shape: gemmShape, Eval: gemm,
		},
	}
}

// gemmShape: without a scale of the output it is float.
func gemmShape(c *op.Call) []op.Type {
	bytes(c, 0)
	bytes(c, 3)
	dims := product.GemmPlan(c, 0, 3).Dims
	if c.Has(6) {
		all, err := value.Broadcast(dims, c.Arg(6).Dims)
		c.Check(err)
		if !slices.Equal(all, dims) {
			c.Fail("input 6 of the shape %v cannot be added to an output of the shape %v", c.Arg(6).Dims, dims)
		}
	}
	if c.Has(7) != c.Has(8) {
		c.Fail("the output must have a scale and a zero point, or neither")
	}
	if c.Has(8) {
		bytes(c, 8)
		return []op.Type{{Elem: c.Arg(8).Type, Dims: dims}}
	}
	return []op.Type{{Elem: model.Float, Dims: dims}}
}

// gemm: alpha is part of the scale, so that it leaves what is added as it is.
func gemm(c *op.Call) {
	p := product.GemmPlan(c, 0, 3)
	columnAxis := -1
	if c.Flag("transB") {
		columnAxis = -2
	}
	sums := make([]int64, c.Out[0].Len())
	product.RunGemm(c, p, sums, product.Centered(c, 0, 2, 0), product.Centered(c, 3, 5, columnAxis))
	if c.Has(6) {
		add, s := c.Ints(6), value.Spread(c.In[6].Dims, p.Dims)
		for i := range sums {
			sums[i] += add[i/p.Columns*s[0]+i%p.Columns*s[1]]
		}
	}
	unit := float32(float32(c.Float("alpha")) * float32(c.Single(1).Number(0)))
	scale := scaleOf(c, 4, p.Dims, -1)
	if !c.Has(8) {
		for i, sum := range sums {
			c.Out[0].F[i] = float64(float32(int32(sum)) * float32(unit*scale(i)))
		}
		return
	}
	g := gridOf(c, 7, 8, c.Out[0].Type)
	for i, sum := range sums {
		c.Out[0].I[i] = g.fit(float32(int32(sum)) * (float32(unit*scale(i)) / g.scale))
	}
}

func linearConv(c *op.Call) {
	w := c.Arg(3).Dims
	v := window.Plan(c, c.Arg(0).Dims, w)
	out := c.Out[0].I
	window.Run(c, v, out, product.Centered(c, 0, 2, 0), product.Centered(c, 3, 5, -len(w)))
	if c.Has(8) {
		window.AddBias(out, v.N, c.Ints(8))
	}
	if len(out) == 0 {
		return
	}
	g := gridOf(c, 6, 7, c.Out[0].Type)
	places := value.Count(v.Out)
	units := perChannel(c, v.Maps)
	for i, sum := range out {
		out[i] = g.fit(float32(int32(sum)) * units[i/places%v.Maps])
	}
}

// perChannel is what one step of the accumulator is in steps of the output, for each channel.
func perChannel(c *op.Call, channels int) []float32 {
	x, y, w := float32(c.Single(1).Number(0)), float32(c.Single(6).Number(0)), c.Floats(4)
	if len(w) != 1 && len(w) != channels {
		c.Fail("the scales of weights are %d, and the channels %d in number", len(w), channels)
	}
	units := make([]float32, channels)
	for k := range units {
		units[k] = float32(x*float32(w[k%len(w)])) / y
	}
	return units
}

func linearMatMul(c *op.Call) {
	p := product.Of(c, c.Arg(0).Dims, c.Arg(3).Dims)
	out := c.Out[0].I
	product.Run(c, p, out, product.Centered(c, 0, 2, -2), product.Centered(c, 3, 5, -1))
	g := gridOf(c, 6, 7, c.Out[0].Type)
	rows, columns := scaleOf(c, 1, c.Out[0].Dims, -2), scaleOf(c, 4, c.Out[0].Dims, -1)
	for i, sum := range out {
		out[i] = g.fit(float32(int32(sum)) * (float32(rows(i)*columns(i)) / g.scale))
	}
}

// scaleOf gives the scale of each element of the output: one for all, or one for each row or column.
func scaleOf(c *op.Call, input int, dims []int, axis int) func(i int) float32 {
	s := c.Floats(input)
	if len(s) == 1 {
		return func(int) float32 { return float32(s[0]) }
	}
	extent, inner := 0, 1
	if len(dims) >= -axis {
		extent, inner = dims[len(dims)+axis], value.Count(dims[len(dims)+axis+1:])
	}
	if len(s) != extent || c.Arg(input).Dims[0] != extent && len(c.Arg(input).Dims) == 1 {
		c.Fail("scales of the shape %v do not fit an output of the shape %v", c.Arg(input).Dims, dims)
	}
	return func(i int) float32 { return float32(s[i/inner%extent]) }
}
