package pointwise

import (
	"math"
	"slices"

	"qpipe/onnx/model"
	"qpipe/onnx/op"
	"qpipe/onnx/value"
)

// clipRow: before operator set 11 the bounds are attributes, then inputs of one element.
func clipRow() *op.Row {
	return &op.Row{
		Name: "Clip", Since: []int{1, 6, 11, 12, 13}, Least: 1, Most: 3, Outputs: 1,
		Attrs: []op.Attr{op.Float("min", -math.MaxFloat32).Until(11), op.Float("max", math.MaxFloat32).Until(11), op.Ints("consumed_inputs").Until(6)},
		Shape: func(c *op.Call) []op.Type {
			for i := 1; i < len(c.In); i++ {
				if c.Has(i) {
					c.Same(0, i)
					if c.Arg(i).Len() != 1 {
						c.Fail("input %d has the shape %v; it must have one element", i, c.Arg(i).Dims)
					}
				}
			}
			return like(c)
		},
		Eval: clip,
	}
}

func clip(c *op.Call) {
	in, out := c.Known(0), c.Out[0]
	c.Work(out.Len())
	if in.F == nil {
		for i, x := range in.I {
			if c.Has(1) && less(in.Type, x, c.Ints(1)[0]) {
				x = c.Ints(1)[0]
			}
			if c.Has(2) && less(in.Type, c.Ints(2)[0], x) {
				x = c.Ints(2)[0]
			}
			out.I[i] = x
		}
		return
	}
	least, most := math.Inf(-1), math.Inf(1)
	if c.Since < 11 {
		least, most = c.Float("min"), c.Float("max")
	}
	if c.Has(1) {
		least = c.Floats(1)[0]
	}
	if c.Has(2) {
		most = c.Floats(2)[0]
	}
	for i, x := range in.F {
		out.F[i] = clamp(x, least, most)
	}
}

func castRow() *op.Row {
	return &op.Row{
		Name: "Cast", Since: []int{1, 6, 9, 13, 19, 21, 23, 24}, Least: 1, Most: 1, Outputs: 1,
		Attrs: []op.Attr{op.NeedInt("to"), op.Int("saturate", 1), op.Text("round_mode", "up")},
		Shape: func(c *op.Call) []op.Type {
			t := model.Type(c.Int("to"))
			if t.Bits() == 0 {
				c.Fail("a cast to %s is not supported", t)
			}
			return []op.Type{{Elem: t, Dims: c.Arg(0).Dims}}
		},
		Eval: cast,
	}
}

func castLikeRow() *op.Row {
	return &op.Row{
		Name: "CastLike", Since: []int{15, 19, 21, 23, 24}, Least: 2, Most: 2, Outputs: 1,
		Attrs: []op.Attr{op.Int("saturate", 1), op.Text("round_mode", "up")},
		Shape: func(c *op.Call) []op.Type { return []op.Type{{Elem: c.Arg(1).Type, Dims: c.Arg(0).Dims}} },
		Eval:  cast,
	}
}

// cast: fractions are cut off toward 0; a bool is whether a number is not 0.
func cast(c *op.Call) {
	in, out := c.Known(0), c.Out[0]
	c.Work(out.Len())
	switch {
	case out.F != nil:
		copy(out.F, in.Numbers())
	case in.F == nil:
		copy(out.I, in.I)
	case out.Type == model.Bool:
		for i, x := range in.F {
			if x != 0 {
				out.I[i] = 1
			}
		}
	case out.Type == model.Uint64:
		for i, x := range in.F {
			out.I[i] = truncate(x)
			if x >= 0x1p63 && x < 0x1p64 {
				out.I[i] = int64(uint64(x))
			}
		}
	default:
		for i, x := range in.F {
			out.I[i] = truncate(x)
		}
	}
}

// truncate cuts a fraction off; what int64 cannot have is the nearest value that it can, and NaN is 0.
func truncate(x float64) int64 {
	switch {
	case x != x:
		return 0
	case x >= 0x1p63:
		return math.MaxInt64
	case x < -0x1p63:
		return math.MinInt64
	}
	return int64(x)
}

func whereRow() *op.Row {
	return &op.Row{
		Name: "Where", Since: []int{9, 16}, Least: 3, Most: 3, Outputs: 1,
		Shape: func(c *op.Call) []op.Type {
			c.Same(1, 2)
			if t := c.Arg(0).Type; t != model.Bool {
				c.Fail("input 0 is %s; it must be a bool", t)
			}
			dims, err := value.Broadcast(c.Arg(0).Dims, c.Arg(1).Dims)
			c.Check(err)
			dims, err = value.Broadcast(dims, c.Arg(2).Dims)
			c.Check(err)
			return []op.Type{{Elem: c.Arg(1).Type, Dims: dims}}
		},
		Eval: func(c *op.Call) {
			out, cond := c.Out[0], c.Ints(0)
			c.Work(out.Len())
			var s [][]int
			for i := range 3 {
				s = append(s, value.Spread(c.Known(i).Dims, out.Dims))
			}
			n, step := value.Last(out.Dims, s...)
			value.Rows(out.Dims, s, func(row int, at []int) {
				for j := range n {
					k := 2
					if cond[at[0]+j*step[0]] != 0 {
						k = 1
					}
					out.Copy(row+j, c.In[k], at[k]+j*step[k], 1)
				}
			})
		},
	}
}

// preluRow: the slope is broadcast to the input; before operator set 7 a list of slopes is one for each channel.
func preluRow() *op.Row {
	slope := func(c *op.Call) []int {
		x, s := c.Arg(0).Dims, c.Arg(1).Dims
		if c.Since < 7 && len(s) == 1 && len(x) > 1 {
			s = slices.Concat(s, slices.Repeat([]int{1}, len(x)-2))
		}
		return s
	}
	return &op.Row{
		Name: "PRelu", Since: []int{1, 6, 7, 9, 16}, Least: 2, Most: 2, Outputs: 1, Attrs: []op.Attr{op.Ints("consumed_inputs").Until(6)},
		Shape: func(c *op.Call) []op.Type {
			c.Same(0, 1)
			dims, err := value.Broadcast(c.Arg(0).Dims, slope(c))
			c.Check(err)
			if !slices.Equal(dims, c.Arg(0).Dims) {
				c.Fail("slopes of the shape %v do not fit an input of the shape %v", c.Arg(1).Dims, c.Arg(0).Dims)
			}
			return like(c)
		},
		Eval: func(c *op.Call) {
			x, out := c.Known(0), c.Out[0]
			c.Work(out.Len())
			spread := value.Spread(slope(c), out.Dims)
			n, step := value.Last(out.Dims, spread)
			s := c.Known(1)
			value.Rows(out.Dims, [][]int{spread}, func(row int, at []int) {
				for i := row; i < row+n; i++ {
					k := at[0] + (i-row)*step[0]
					switch {
					case x.F == nil:
						out.I[i] = x.I[i]
						if x.I[i] < 0 && x.Type != model.Uint64 {
							out.I[i] *= s.I[k]
						}
					case x.F[i] < 0:
						out.F[i] = x.F[i] * s.F[k]
					default:
						out.F[i] = x.F[i]
					}
				}
			})
		},
	}
}
