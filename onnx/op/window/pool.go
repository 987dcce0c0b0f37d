package window

import (
	"math"
	"slices"

	"qpipe/onnx/model"
	"qpipe/onnx/op"
	"qpipe/onnx/value"
)

func poolRows() []*op.Row {
	global := func(name string, eval func(c *op.Call)) *op.Row {
		return &op.Row{
			Name: name, Since: []int{1, 22}, Least: 1, Most: 1, Outputs: 1, Eval: eval,
			Shape: func(c *op.Call) []op.Type {
				d := c.Arg(0).Dims
				if len(d) < 3 {
					c.Fail("input 0 has the shape %v; it must have a batch, channels and at least one more dimension", d)
				}
				return []op.Type{{Elem: c.Arg(0).Type, Dims: append(slices.Clone(d[:2]), slices.Repeat([]int{1}, len(d)-2)...)}}
			},
		}
	}
	return []*op.Row{
		{
			Name: "MaxPool", Since: []int{1, 8, 10, 11, 12, 22}, Least: 1, Most: 1, Outputs: 2,
			Attrs: Attrs(op.Int("ceil_mode", 0), op.Int("storage_order", 0)), Shape: poolShape, Eval: maxPool,
		},
		{
			Name: "AveragePool", Since: []int{1, 7, 10, 11, 19, 22}, Least: 1, Most: 1, Outputs: 1,
			Attrs: Attrs(op.Int("ceil_mode", 0), op.Int("count_include_pad", 0)), Shape: poolShape,
			Eval: func(c *op.Call) { Average(c, PoolGeometry(c, c.Arg(0).Dims), c.Out[0].F, c.Floats(0)) },
		},
		global("GlobalAveragePool", func(c *op.Call) {
			perChannel(c, func(x []float64) float64 { return sum(x) / float64(len(x)) })
		}),
		global("GlobalMaxPool", func(c *op.Call) {
			perChannel(c, func(x []float64) float64 {
				if len(x) == 0 {
					return math.Inf(-1)
				}
				return slices.Max(x)
			})
		}),
	}
}

func sum(x []float64) (s float64) {
	for _, v := range x {
		s += v
	}
	return s
}

func perChannel(c *op.Call, f func(x []float64) float64) {
	x, out := c.Floats(0), c.Out[0].F
	c.Work(len(x))
	if len(out) == 0 {
		return
	}
	size := len(x) / len(out)
	for i := range out {
		out[i] = f(x[i*size:][:size])
	}
}

// largest is the most elements of a pool's window. Unlike those of a convolution they cost no bytes in a file.
const largest = 1 << 22

// PoolGeometry is the geometry of a pool over an input of that shape.
func PoolGeometry(c *op.Call, dims []int) Geometry {
	g := Of(c, dims, c.AttrInts("kernel_shape"), c.Flag("ceil_mode"))
	if g.Taps() > largest {
		c.Fail("the window %v has more than %d elements", g.Kernel, largest)
	}
	return g
}

func poolShape(c *op.Call) []op.Type {
	v := c.Arg(0)
	dims := slices.Concat(v.Dims[:min(2, len(v.Dims))], PoolGeometry(c, v.Dims).Out)
	types := []op.Type{{Elem: v.Type, Dims: dims}}
	if len(c.Node.Outputs) > 1 && c.Row.Name == "MaxPool" {
		types = append(types, op.Type{Elem: model.Int64, Dims: dims})
	}
	return types
}

// Pool calls f for each window of each channel: with its place in the output, that of the channel in the input, and the
// elements of the window.
func Pool(c *op.Call, g Geometry, channels int, f func(to, plane int, window []int)) {
	places, size := value.Count(g.Out), value.Count(g.In)
	c.Work(channels+1, places, g.Taps())
	c.Parallel(places, func(p int) {
		var inside []int
		g.window(p, func(_, at int, _ bool) {
			if at >= 0 {
				inside = append(inside, at)
			}
		})
		for ch := range channels {
			f(ch*places+p, ch*size, inside)
		}
	})
}

func maxPool(c *op.Call) {
	x, out := c.Known(0), c.Out[0]
	g := PoolGeometry(c, x.Dims)
	Pool(c, g, x.Dims[0]*x.Dims[1], func(to, plane int, window []int) {
		best := -1
		for _, at := range window {
			if i := plane + at; best < 0 || x.F != nil && (x.F[i] > x.F[best] || x.F[i] != x.F[i]) || x.F == nil && x.I[i] > x.I[best] {
				best = i
			}
		}
		switch {
		case best >= 0:
			out.Copy(to, x, best, 1)
		case out.F != nil:
			out.F[to] = math.Inf(-1)
		}
		if len(c.Out) > 1 {
			c.Out[1].I[to] = int64(order(c, g, best))
		}
	})
}

// order is the index of an element as MaxPool gives it: by rows, or by columns within a channel.
func order(c *op.Call, g Geometry, i int) int {
	if i < 0 || !c.Flag("storage_order") {
		return i
	}
	size := value.Count(g.In)
	at, place, step := i%size, 0, size
	for d := len(g.In) - 1; d >= 0; d-- {
		step /= g.In[d]
		place += at % g.In[d] * step
		at /= g.In[d]
	}
	return i/size*size + place
}

// Average computes the means of windows. With count_include_pad the padding counts as zeros, as far as it reaches.
func Average(c *op.Call, g Geometry, out, x []float64) {
	channels := c.Arg(0).Dims[0] * c.Arg(0).Dims[1]
	counts := make([]int, value.Count(g.Out))
	c.Work(len(counts), g.Taps())
	for p := range counts {
		g.window(p, func(_, at int, padded bool) {
			if at >= 0 || padded && c.Flag("count_include_pad") {
				counts[p]++
			}
		})
	}
	Pool(c, g, channels, func(to, plane int, window []int) {
		s := 0.0
		for _, at := range window {
			s += x[plane+at]
		}
		out[to] = s / float64(counts[to%len(counts)])
	})
}

// lrnRow divides by the squares of neighboring channels.
func lrnRow() *op.Row {
	return &op.Row{
		Name: "LRN", Since: []int{1, 13}, Least: 1, Most: 1, Outputs: 1,
		Attrs: []op.Attr{op.NeedInt("size"), op.Float("alpha", 0.0001), op.Float("beta", 0.75), op.Float("bias", 1)},
		Shape: func(c *op.Call) []op.Type {
			if v := c.Arg(0); len(v.Dims) < 2 || c.Int("size") < 1 {
				c.Fail("a size of %d does not fit the shape %v", c.Int("size"), v.Dims)
			}
			return []op.Type{{Elem: c.Arg(0).Type, Dims: c.Arg(0).Dims}}
		},
		Eval: func(c *op.Call) {
			x, out, d := c.Floats(0), c.Out[0].F, c.Arg(0).Dims
			size := min(c.Int("size"), 2*d[1]+1)
			alpha, beta, bias := c.Float("alpha")/float64(c.Int("size")), c.Float("beta"), c.Float("bias")
			inner := value.Count(d[2:])
			c.Work(len(x), size)
			for i := range out {
				ch := i / inner % d[1]
				s := 0.0
				for k := max(0, ch-(size-1)/2); k <= min(d[1]-1, ch+size/2); k++ {
					s += float64(x[i+(k-ch)*inner] * x[i+(k-ch)*inner])
				}
				out[i] = x[i] / math.Pow(bias+float64(alpha*s), beta)
			}
		},
	}
}
