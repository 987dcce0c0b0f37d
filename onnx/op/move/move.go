// Package move has the ops that move values, give them other shapes, or make them out of nothing but shapes.
package move

import (
	"slices"

	"qpipe/onnx/model"
	"qpipe/onnx/op"
	"qpipe/onnx/value"
)

// Rows are the ops of this package.
func Rows() []*op.Row {
	return slices.Concat(viewRows(), sliceRows(), joinRows(), sourceRows(), []*op.Row{
		transposeRow(), padRow(), gatherRow(), expandRow(), tileRow(), depthToSpaceRow(), spaceToDepthRow(), dropoutRow(), upsampleRow(), resizeRow(),
	})
}

// like is the type of the first input with another shape.
func like(c *op.Call, dims []int) []op.Type {
	return []op.Type{{Elem: c.Arg(0).Type, Dims: dims}}
}

// copyAll is what an op computes that only changes the shape.
func copyAll(c *op.Call) {
	c.Work(c.Out[0].Len())
	c.Out[0].Copy(0, c.Known(0), 0, c.Out[0].Len())
}

// viewRows are the ops that change nothing but the shape.
func viewRows() []*op.Row {
	moved := []int{1, 13, 21, 23, 24}
	view := func(name string, since []int, most int, shape func(c *op.Call) []int, attrs ...op.Attr) *op.Row {
		return &op.Row{
			Name: name, Since: since, Least: 1, Most: most, Outputs: 1, Attrs: attrs,
			Shape: func(c *op.Call) []op.Type {
				dims := shape(c)
				if n, err := model.Elements(dims); err != nil || n != c.Arg(0).Len() {
					c.Fail("the shape %v becomes %v, which has another number of elements", c.Arg(0).Dims, dims)
				}
				return like(c, dims)
			},
			Eval: copyAll,
		}
	}
	return []*op.Row{
		view("Identity", []int{1, 13, 14, 16, 19, 21, 23, 24}, 1, func(c *op.Call) []int { return c.Arg(0).Dims }),
		view("Flatten", []int{1, 9, 11, 13, 21, 23, 24}, 1, flatten, op.Int("axis", 1)),
		view("Reshape", []int{1, 5, 13, 14, 19, 21, 23, 24}, 2, reshape, op.Int("allowzero", 0), op.Ints("shape").Until(5), op.Ints("consumed_inputs").Until(5)),
		view("Squeeze", append([]int{1, 11}, moved[1:]...), 2, squeeze, op.Ints("axes").Until(13)),
		view("Unsqueeze", append([]int{1, 11}, moved[1:]...), 2, unsqueeze, op.Ints("axes").Until(13)),
	}
}

func flatten(c *op.Call) []int {
	d := c.Arg(0).Dims
	axis := c.Int("axis")
	if axis != len(d) {
		axis = c.Axis(axis, len(d))
	}
	return []int{value.Count(d[:axis]), value.Count(d[axis:])}
}

// listed are numbers that older versions have as an attribute and newer ones as an input. given is false if there are
// none.
func listed(c *op.Call, name string, input int) (list []int, given bool) {
	if c.Given(name) {
		return c.AttrInts(name), true
	}
	if !c.Has(input) {
		return nil, false
	}
	return listedIn(c, input), true
}

// listedIn are the numbers of an input that is a list.
func listedIn(c *op.Call, input int) []int {
	if len(c.Arg(input).Dims) > 1 {
		c.Fail("input %d has the shape %v; it must be a list", input, c.Arg(input).Dims)
	}
	return op.Narrow(c.Ints(input))
}

// reshape: 0 keeps the extent of the input, except with allowzero, and one −1 takes what is left.
func reshape(c *op.Call) []int {
	in := c.Arg(0).Dims
	dims, given := listed(c, "shape", 1)
	if !given {
		c.Fail("there is no shape")
	}
	dims = slices.Clone(dims)
	free, known := -1, 1
	for i, d := range dims {
		switch {
		case d == -1 && free < 0:
			free = i
			continue
		case d == 0 && !c.Flag("allowzero"):
			if i >= len(in) {
				c.Fail("the shape %v takes over dimension %d of the shape %v", dims, i, in)
			}
			dims[i] = in[i]
		case d < 0:
			c.Fail("the shape %v has a negative extent", dims)
		}
		n, err := model.Elements([]int{known, dims[i]})
		c.Check(err)
		known = n
	}
	if free >= 0 {
		if known == 0 {
			c.Fail("the shape %v leaves open what -1 is", dims)
		}
		dims[free] = c.Arg(0).Len() / known
	}
	return dims
}

func squeeze(c *op.Call) []int {
	in := c.Arg(0).Dims
	axes, given := listed(c, "axes", 1)
	off := c.Axes(axes, len(in))
	var dims []int
	for i, d := range in {
		if given && off[i] && d != 1 {
			c.Fail("axis %d of the shape %v is not 1", i, in)
		}
		if !off[i] && (given || d != 1) {
			dims = append(dims, d)
		}
	}
	return dims
}

func unsqueeze(c *op.Call) []int {
	in := c.Arg(0).Dims
	axes, given := listed(c, "axes", 1)
	if !given {
		c.Fail("there are no axes")
	}
	if len(axes) > 64 {
		c.Fail("there are %d new axes", len(axes))
	}
	on := c.Axes(axes, len(in)+len(axes))
	dims := make([]int, len(on))
	for i := range dims {
		dims[i] = 1
		if !on[i] {
			dims[i], in = in[0], in[1:]
		}
	}
	return dims
}

func transposeRow() *op.Row {
	perm := func(c *op.Call) []int {
		rank := len(c.Arg(0).Dims)
		p := c.AttrInts("perm")
		if len(p) == 0 {
			for i := range rank {
				p = append(p, rank-1-i)
			}
		}
		if len(p) != rank {
			c.Fail("the permutation %v does not fit the shape %v", p, c.Arg(0).Dims)
		}
		c.Axes(p, rank)
		for i := range p {
			p[i] = c.Axis(p[i], rank)
		}
		return p
	}
	return &op.Row{
		Name: "Transpose", Since: []int{1, 13, 21, 23, 24}, Least: 1, Most: 1, Outputs: 1, Attrs: []op.Attr{op.Ints("perm")},
		Shape: func(c *op.Call) []op.Type {
			var dims []int
			for _, p := range perm(c) {
				dims = append(dims, c.Arg(0).Dims[p])
			}
			return like(c, dims)
		},
		Eval: func(c *op.Call) {
			c.Work(c.Out[0].Len())
			in := c.Known(0)
			own, strides := value.Strides(in.Dims), []int{}
			for _, p := range perm(c) {
				strides = append(strides, own[p])
			}
			c.Out[0].Walk(in, 0, strides)
		},
	}
}

func gatherRow() *op.Row {
	return &op.Row{
		Name: "Gather", Since: []int{1, 11, 13}, Least: 2, Most: 2, Outputs: 1, Attrs: []op.Attr{op.Int("axis", 0)},
		Shape: func(c *op.Call) []op.Type {
			d := c.Arg(0).Dims
			axis := c.Axis(c.Int("axis"), len(d))
			return like(c, slices.Concat(d[:axis], c.Arg(1).Dims, d[axis+1:]))
		},
		Eval: func(c *op.Call) {
			in, index := c.Known(0), c.Ints(1)
			axis := c.Axis(c.Int("axis"), len(in.Dims))
			outer, extent, inner := value.Count(in.Dims[:axis]), in.Dims[axis], value.Count(in.Dims[axis+1:])
			c.Work(c.Out[0].Len() + outer*len(index))
			to := 0
			for o := range outer {
				for _, i := range index {
					if i < 0 {
						i += int64(extent)
					}
					if i < 0 || i >= int64(extent) {
						c.Fail("the index %d is none of %d elements", i, extent)
					}
					c.Out[0].Copy(to, in, (o*extent+int(i))*inner, inner)
					to += inner
				}
			}
		},
	}
}

func expandRow() *op.Row {
	return &op.Row{
		Name: "Expand", Since: []int{8, 13}, Least: 2, Most: 2, Outputs: 1,
		Shape: func(c *op.Call) []op.Type {
			dims, err := value.Broadcast(c.Arg(0).Dims, op.Narrow(c.Ints(1)))
			c.Check(err)
			return like(c, dims)
		},
		Eval: func(c *op.Call) {
			c.Work(c.Out[0].Len())
			c.Out[0].Walk(c.Known(0), 0, value.Spread(c.In[0].Dims, c.Out[0].Dims))
		},
	}
}

func tileRow() *op.Row {
	return &op.Row{
		Name: "Tile", Since: []int{6, 13}, Least: 2, Most: 2, Outputs: 1,
		Shape: func(c *op.Call) []op.Type {
			times, dims := op.Narrow(c.Ints(1)), slices.Clone(c.Arg(0).Dims)
			if len(times) != len(dims) {
				c.Fail("%d repeats are given for the shape %v", len(times), dims)
			}
			for i, n := range times {
				if n < 0 {
					c.Fail("the repeats %v have a negative number", times)
				}
				n, err := model.Elements([]int{dims[i], n})
				c.Check(err)
				dims[i] = n
			}
			return like(c, dims)
		},
		Eval: func(c *op.Call) {
			in, out := c.Known(0), c.Out[0]
			c.Work(out.Len(), len(out.Dims)+1)
			own, places := value.Strides(in.Dims), value.Strides(out.Dims)
			out.Pick(in, func(i int) int {
				at := 0
				for d, s := range places {
					at += i / s % out.Dims[d] % in.Dims[d] * own[d]
				}
				return at
			})
		},
	}
}

// blocks reads the input of depth to space or its opposite: it has four dimensions.
func blocks(c *op.Call) (d []int, block int) {
	d, block = c.Arg(0).Dims, c.Int("blocksize")
	if len(d) != 4 || block < 1 || block > 1<<15 {
		c.Fail("blocks of %d do not fit the shape %v", block, d)
	}
	return d, block
}

func depthToSpaceRow() *op.Row {
	return &op.Row{
		Name: "DepthToSpace", Since: []int{1, 11, 13}, Least: 1, Most: 1, Outputs: 1,
		Attrs: []op.Attr{op.NeedInt("blocksize"), op.Text("mode", "DCR")},
		Shape: func(c *op.Call) []op.Type {
			d, b := blocks(c)
			if d[1]%(b*b) != 0 {
				c.Fail("%d channels cannot be divided into blocks of %d×%d", d[1], b, b)
			}
			return like(c, []int{d[0], d[1] / (b * b), d[2] * b, d[3] * b})
		},
		Eval: func(c *op.Call) {
			d, b := blocks(c)
			cs := d[1] / (b * b)
			s := value.Strides(d)
			c.Work(c.Out[0].Len())
			// The output, as n, c, y, row in the block, x, column in the block.
			row, col, channel := s[1]*cs*b, s[1]*cs, s[1]
			if c.Text("mode") == "CRD" {
				row, col, channel = s[1]*b, s[1], s[1]*b*b
			}
			c.Out[0].View([]int{d[0], cs, d[2], b, d[3], b}).Walk(c.Known(0), 0, []int{s[0], channel, s[2], row, s[3], col})
		},
	}
}

func spaceToDepthRow() *op.Row {
	return &op.Row{
		Name: "SpaceToDepth", Since: []int{1, 13}, Least: 1, Most: 1, Outputs: 1, Attrs: []op.Attr{op.NeedInt("blocksize")},
		Shape: func(c *op.Call) []op.Type {
			d, b := blocks(c)
			if d[2]%b != 0 || d[3]%b != 0 {
				c.Fail("the shape %v cannot be divided into blocks of %d×%d", d, b, b)
			}
			n, err := model.Elements([]int{d[1], b, b})
			c.Check(err)
			return like(c, []int{d[0], n, d[2] / b, d[3] / b})
		},
		Eval: func(c *op.Call) {
			d, b := blocks(c)
			s := value.Strides(d)
			c.Work(c.Out[0].Len())
			// The output, as n, row in the block, column in the block, c, y, x.
			c.Out[0].View([]int{d[0], b, b, d[1], d[2] / b, d[3] / b}).Walk(c.Known(0), 0, []int{s[0], s[2], s[3], s[1], s[2] * b, s[3] * b})
		},
	}
}
