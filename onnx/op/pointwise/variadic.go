package pointwise

import (
	"math"

	"qpipe/onnx/model"
	"qpipe/onnx/op"
	"qpipe/onnx/value"
)

// variadic is an op of any number of inputs, combined one after the other.
type variadic struct {
	name  string
	since []int
	f     func(a, b float64) float64
	i     func(t model.Type, a, b int64) int64
	mean  bool
}

func variadicRows() []*op.Row {
	add := func(a, b float64) float64 { return a + b }
	var rows []*op.Row
	for _, v := range []variadic{
		{name: "Max", since: []int{1, 6, 8, 12, 13}, f: math.Max, i: func(t model.Type, a, b int64) int64 {
			if less(t, a, b) {
				return b
			}
			return a
		}},
		{name: "Min", since: []int{1, 6, 8, 12, 13}, f: math.Min, i: func(t model.Type, a, b int64) int64 {
			if less(t, a, b) {
				return a
			}
			return b
		}},
		{name: "Sum", since: []int{1, 6, 8, 13}, f: add},
		{name: "Mean", since: []int{1, 6, 8, 13}, f: add, mean: true},
	} {
		rows = append(rows, &op.Row{
			Name: v.name, Since: v.since, Least: 1, Most: -1, Outputs: 1, Attrs: []op.Attr{op.Ints("consumed_inputs").Until(6)},
			Shape: v.shape, Eval: v.eval,
		})
	}
	return rows
}

func (v variadic) shape(c *op.Call) []op.Type {
	dims := c.Arg(0).Dims
	for i := range c.In {
		c.Same(0, i)
		var err error
		dims, err = value.Broadcast(dims, c.Arg(i).Dims)
		c.Check(err)
	}
	if v.i == nil && !c.Arg(0).Type.Float() {
		c.Fail("input 0 is %s; it must be a float", c.Arg(0).Type)
	}
	return []op.Type{{Elem: c.Arg(0).Type, Dims: dims}}
}

func (v variadic) eval(c *op.Call) {
	out := c.Out[0]
	for k := range c.In {
		in := c.Known(k)
		c.Work(out.Len())
		spread := value.Spread(in.Dims, out.Dims)
		n, step := value.Last(out.Dims, spread)
		value.Rows(out.Dims, [][]int{spread}, func(row int, at []int) {
			for j := range n {
				from := at[0] + j*step[0]
				switch {
				case k == 0:
					out.Copy(row+j, in, from, 1)
				case in.F != nil:
					out.F[row+j] = v.f(out.F[row+j], in.F[from])
				default:
					out.I[row+j] = v.i(in.Type, out.I[row+j], in.I[from])
				}
			}
		})
	}
	if v.mean {
		for i := range out.F {
			out.F[i] /= float64(len(c.In))
		}
	}
}
