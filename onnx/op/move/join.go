package move

import (
	"slices"

	"qpipe/onnx/model"
	"qpipe/onnx/op"
	"qpipe/onnx/value"
)

func joinRows() []*op.Row {
	return []*op.Row{{
		Name: "Concat", Since: []int{1, 4, 11, 13}, Least: 1, Most: -1, Outputs: 1, Attrs: []op.Attr{op.Int("axis", 1)},
		Shape: func(c *op.Call) []op.Type {
			for i := range c.In {
				c.Same(0, i)
			}
			if c.Since >= 4 && !c.Given("axis") {
				c.Fail("the attribute \"axis\" is missing")
			}
			return like(c, Joined(c, c.In))
		},
		Eval: func(c *op.Call) {
			for i := range c.In {
				c.Known(i)
			}
			c.Work(c.Out[0].Len())
			Join(c, c.Out[0], c.In)
		},
	}}
}

// Joined is the shape of several values one behind the other along the attribute axis.
func Joined(c *op.Call, in []*value.Value) []int {
	dims := slices.Clone(in[0].Dims)
	axis := c.Axis(c.Int("axis"), len(dims))
	for _, v := range in[1:] {
		if len(v.Dims) != len(dims) {
			c.Fail("the shapes %v and %v do not fit behind each other", in[0].Dims, v.Dims)
		}
		for i, d := range v.Dims {
			if i == axis {
				dims[i] += d
			} else if d != dims[i] {
				c.Fail("the shapes %v and %v do not fit behind each other along axis %d", in[0].Dims, v.Dims, axis)
			}
		}
		_, err := model.Elements(dims)
		c.Check(err)
	}
	return dims
}

// Join puts values one behind the other.
func Join(c *op.Call, out *value.Value, in []*value.Value) {
	axis := c.Axis(c.Int("axis"), len(out.Dims))
	row := value.Count(out.Dims[axis:])
	at := 0
	for _, v := range in {
		n := value.Count(v.Dims[axis:])
		for o := range value.Count(out.Dims[:axis]) {
			out.Copy(o*row+at, v, o*n, n)
		}
		at += n
	}
}
