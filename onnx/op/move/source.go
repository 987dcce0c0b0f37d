package move

import (
	"math"

	"qpipe/onnx/model"
	"qpipe/onnx/op"
	"qpipe/onnx/value"
)

func sourceRows() []*op.Row {
	return []*op.Row{constantRow(), constantOfShapeRow(), shapeRow(), sizeRow(), rangeRow()}
}

func constantRow() *op.Row {
	return &op.Row{
		Name: "Constant", Since: []int{1, 9, 11, 12, 13, 19, 21, 23, 24}, Outputs: 1,
		Attrs: []op.Attr{
			op.Tensor("value"), op.Float("value_float", 0), op.Floats("value_floats"), op.Int("value_int", 0), op.Ints("value_ints"),
		},
		Shape: func(c *op.Call) []op.Type {
			v := constant(c)
			return []op.Type{{Elem: v.Type, Dims: v.Dims}}
		},
		Eval: func(c *op.Call) {
			v := constant(c)
			c.Out[0].Copy(0, v, 0, v.Len())
		},
	}
}

func constant(c *op.Call) *value.Value {
	switch {
	case c.Given("value"):
		return value.Of(c.AttrTensor("value"))
	case c.Given("value_float"):
		return value.Floats(nil, c.Float("value_float"))
	case c.Given("value_int"):
		return value.Ints(nil, int64(c.Int("value_int")))
	case c.Given("value_floats"):
		v := value.New(model.Float, []int{len(c.AttrFloats("value_floats"))})
		for i, x := range c.AttrFloats("value_floats") {
			v.F[i] = float64(x)
		}
		return v
	case c.Given("value_ints"):
		v := value.New(model.Int64, []int{len(c.AttrInts("value_ints"))})
		for i, x := range c.AttrInts("value_ints") {
			v.I[i] = int64(x)
		}
		return v
	}
	c.Fail("there is no value")
	return nil
}

func constantOfShapeRow() *op.Row {
	return &op.Row{
		Name: "ConstantOfShape", Since: []int{9, 20, 21, 23, 24}, Least: 1, Most: 1, Outputs: 1, Attrs: []op.Attr{op.Tensor("value")},
		Shape: func(c *op.Call) []op.Type {
			dims := listedIn(c, 0)
			t := model.Float
			if x := c.AttrTensor("value"); x != nil {
				t = x.Type
				if x.Len() != 1 {
					c.Fail("the value has the shape %v; it must have one element", x.Dims)
				}
			}
			return []op.Type{{Elem: t, Dims: dims}}
		},
		Eval: func(c *op.Call) {
			c.Work(c.Out[0].Len())
			if x := c.AttrTensor("value"); x != nil {
				c.Out[0].Pick(value.Of(x), func(int) int { return 0 })
			}
		},
	}
}

func shapeRow() *op.Row {
	span := func(c *op.Call) []int {
		d := c.Arg(0).Dims
		end := len(d)
		if c.Given("end") {
			end = c.Int("end")
		}
		clip := func(i int) int {
			if i < 0 {
				i += len(d)
			}
			return min(max(i, 0), len(d))
		}
		from, to := clip(c.Int("start")), clip(end)
		return d[from:max(from, to)]
	}
	return &op.Row{
		Name: "Shape", Since: []int{1, 13, 15, 19, 21, 23, 24}, Least: 1, Most: 1, Outputs: 1, ShapeOnly: true,
		Attrs: []op.Attr{op.Int("start", 0), op.Int("end", 0)},
		Shape: func(c *op.Call) []op.Type { return []op.Type{{Elem: model.Int64, Dims: []int{len(span(c))}}} },
		Eval: func(c *op.Call) {
			for i, d := range span(c) {
				c.Out[0].I[i] = int64(d)
			}
		},
	}
}

func sizeRow() *op.Row {
	return &op.Row{
		Name: "Size", Since: []int{1, 13, 19, 21, 23, 24}, Least: 1, Most: 1, Outputs: 1, ShapeOnly: true,
		Shape: func(c *op.Call) []op.Type {
			c.Arg(0)
			return []op.Type{{Elem: model.Int64}}
		},
		Eval: func(c *op.Call) { c.Out[0].I[0] = int64(c.Arg(0).Len()) },
	}
}

func rangeRow() *op.Row {
	return &op.Row{
		Name: "Range", Since: []int{11}, Least: 3, Most: 3, Outputs: 1,
		Shape: func(c *op.Call) []op.Type {
			for i := range 3 {
				c.Same(0, i)
			}
			start, limit, step := c.Single(0).Number(0), c.Single(1).Number(0), c.Single(2).Number(0)
			n := math.Ceil((limit - start) / step)
			if !(n <= 1<<40) { // NaN too
				c.Fail("the range from %v to %v by %v has no end", start, limit, step)
			}
			return like(c, []int{int(max(n, 0))})
		},
		Eval: func(c *op.Call) {
			out := c.Out[0]
			c.Work(out.Len())
			for i := range out.F {
				out.F[i] = c.In[0].F[0] + float64(float64(i)*c.In[2].F[0])
			}
			for i := range out.I {
				out.I[i] = c.In[0].I[0] + int64(i)*c.In[2].I[0]
			}
		},
	}
}

// dropoutRow: nothing is dropped, except while training, which has no one result.
func dropoutRow() *op.Row {
	return &op.Row{
		Name: "Dropout", Since: []int{1, 6, 7, 10, 12, 13, 22}, Least: 1, Most: 3, Outputs: 2,
		Attrs: []op.Attr{op.Float("ratio", 0.5).Until(12), op.Int("is_test", 0).Until(7), op.Int("seed", 0), op.Ints("consumed_inputs").Until(6)},
		Shape: func(c *op.Call) []op.Type {
			v := c.Arg(0)
			if c.Since < 7 && !c.Flag("is_test") {
				c.Fail("it drops values, as while training: export the model for inference")
			}
			if c.Has(2) && c.Single(2).Number(0) != 0 && (!c.Has(1) || c.Single(1).Number(0) != 0) {
				c.Fail("it drops values, as while training: export the model for inference")
			}
			mask := model.Bool
			if c.Since < 10 {
				mask = v.Type
			}
			return []op.Type{{Elem: v.Type, Dims: v.Dims}, {Elem: mask, Dims: v.Dims}}[:max(1, len(c.Node.Outputs))]
		},
		Eval: func(c *op.Call) {
			copyAll(c)
			for _, mask := range c.Out[1:] {
				one := value.New(mask.Type, []int{1})
				if one.F != nil {
					one.F[0] = 1
				} else {
					one.I[0] = 1
				}
				mask.Pick(one, func(int) int { return 0 })
			}
		},
	}
}
