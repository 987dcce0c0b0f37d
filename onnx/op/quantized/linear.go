package quantized

import (
	"math"

	"qpipe/onnx/model"
	"qpipe/onnx/op"
	"qpipe/onnx/value"
)

func linearRows() []*op.Row {
	versions := []int{10, 13, 19, 21, 23, 24}
	quantize := []op.Attr{op.Int("axis", 1), op.Int("saturate", 1), op.Int("block_size", 0), op.Int("output_dtype", 0), op.Int("precision", 0)}
	dequantize := []op.Attr{op.Int("axis", 1), op.Int("block_size", 0), op.Int("output_dtype", 0)}
	return []*op.Row{
		{Name: "QuantizeLinear", Since: versions, Least: 2, Most: 3, Outputs: 1, Attrs: quantize, Shape: quantizedShape, Eval: quantizeLinear},
		{Name: "QuantizeLinear", Domain: microsoft, Since: []int{1}, Least: 2, Most: 3, Outputs: 1, Attrs: quantize, Shape: quantizedShape, Eval: quantizeLinear},
		{Name: "DequantizeLinear", Since: versions, Least: 2, Most: 3, Outputs: 1, Attrs: dequantize, Shape: dequantizedShape, Eval: dequantizeLinear},
		{Name: "DequantizeLinear", Domain: microsoft, Since: []int{1}, Least: 2, Most: 3, Outputs: 1, Attrs: dequantize, Shape: dequantizedShape, Eval: dequantizeLinear},
		{Name: "DynamicQuantizeLinear", Since: []int{11}, Least: 1, Most: 1, Outputs: 3, Shape: func(c *op.Call) []op.Type {
			if t := c.Arg(0).Type; t != model.Float {
				c.Fail("input 0 is %s; it must be float", t)
			}
			return []op.Type{{Elem: model.Uint8, Dims: c.Arg(0).Dims}, {Elem: model.Float}, {Elem: model.Uint8}}
		}, Eval: dynamicQuantize},
	}
}

func quantizedShape(c *op.Call) []op.Type {
	t := model.Uint8
	switch {
	case c.Has(2):
		t = c.Arg(2).Type
	case c.Int("output_dtype") != 0:
		t = model.Type(c.Int("output_dtype"))
	}
	if t.Float() || t.Bits() == 0 || t.Bits() > 16 || t == model.Bool {
		c.Fail("values cannot be quantized to %s", t)
	}
	steps(c)
	return []op.Type{{Elem: t, Dims: c.Arg(0).Dims}}
}

func dequantizedShape(c *op.Call) []op.Type {
	if t := c.Arg(0).Type; t.Float() || t == model.Bool {
		c.Fail("input 0 is %s; it must be an integer", t)
	}
	if c.Has(2) {
		c.Same(0, 2)
	}
	steps(c)
	t := c.Arg(1).Type
	if o := c.Int("output_dtype"); o != 0 {
		t = model.Type(o)
	}
	if !t.Float() || !c.Arg(1).Type.Float() {
		c.Fail("a scale of %s and an output of %s are not possible", c.Arg(1).Type, t)
	}
	return []op.Type{{Elem: t, Dims: c.Arg(0).Dims}}
}

// steps says which scale an element has: that of element i is number at(i). There is one for all, one for each place
// along the axis, or one for each block of places along it.
func steps(c *op.Call) (at func(i int) int) {
	d, s := c.Arg(0).Dims, c.Arg(1)
	if c.Has(2) && c.Arg(2).Len() != s.Len() {
		c.Fail("there are scales of the shape %v and zero points of the shape %v", s.Dims, c.Arg(2).Dims)
	}
	block := c.Int("block_size")
	if block == 0 && s.Len() == 1 {
		return func(int) int { return 0 }
	}
	axis := c.Axis(c.Int("axis"), len(d))
	inner := value.Count(d[axis+1:])
	if block == 0 {
		if len(s.Dims) != 1 || s.Dims[0] != d[axis] {
			c.Fail("scales of the shape %v do not fit axis %d of the shape %v", s.Dims, axis, d)
		}
		return func(i int) int { return i / inner % d[axis] }
	}
	if block < 0 || len(s.Dims) != len(d) {
		c.Fail("scales of the shape %v do not fit blocks of %d in the shape %v", s.Dims, block, d)
	}
	for k, n := range d {
		if k == axis {
			n = (n-1)/block + 1
		}
		if s.Dims[k] != n {
			c.Fail("scales of the shape %v do not fit blocks of %d in the shape %v", s.Dims, block, d)
		}
	}
	return func(i int) int {
		return (i/inner/d[axis]*s.Dims[axis]+i/inner%d[axis]/block)*inner + i%inner
	}
}

// zeros are the zero points, nil without.
func zeros(c *op.Call, i int) []int64 {
	if !c.Has(i) {
		return nil
	}
	return c.Ints(i)
}

func quantizeLinear(c *op.Call) {
	x, scales, z, at := c.Known(0), c.Known(1), zeros(c, 2), steps(c)
	out := c.Out[0]
	c.Work(out.Len())
	for i := range out.I {
		k := at(i)
		g := grid{scale: float32(scales.Number(k)), t: out.Type}
		if z != nil {
			g.zero = z[k]
		}
		out.I[i] = g.quantize(float32(x.Number(i)))
	}
}

func dequantizeLinear(c *op.Call) {
	q, scales, z, at := c.Ints(0), c.Floats(1), zeros(c, 2), steps(c)
	out := c.Out[0].F
	c.Work(len(out))
	for i := range out {
		k := at(i)
		n := q[i]
		if z != nil {
			n -= z[k]
		}
		out[i] = float64(float32(n)) * scales[k]
	}
}

func dynamicQuantize(c *op.Call) {
	x := c.Floats(0)
	c.Work(len(x))
	least, most := 0.0, 0.0
	for _, v := range x {
		least, most = math.Min(least, v), math.Max(most, v)
	}
	scale := (float32(most) - float32(least)) / 255
	if most == least {
		scale = 1
	}
	g := grid{scale: scale, t: model.Uint8}
	g.zero = g.fit(-float32(least) / scale)
	for i, v := range x {
		c.Out[0].I[i] = g.quantize(float32(v))
	}
	c.Out[1].F[0], c.Out[2].I[0] = float64(scale), g.zero
}
