// Package reduce has the ops that compute a number from many: reductions, softmax, and norms.
package reduce

import (
	"math"
	"slices"

	"qpipe/onnx/model"
	"qpipe/onnx/op"
	"qpipe/onnx/value"
	"qpipe/ops/elementary"
)

// Rows are the ops of this package.
func Rows() []*op.Row {
	return slices.Concat(reduceRows(), argRows(), softmaxRows(), normRows())
}

// reduction is a function of a list.
type reduction struct {
	name     string
	since    []int
	input    int // the version from which the axes are an input
	f        func(x []float64) float64
	integers func(t model.Type, x []int64) int64 // nil if the op has none
}

func reductions() []reduction {
	old := []int{1, 11, 13, 18}
	extreme := []int{1, 11, 12, 13, 18, 20}
	return []reduction{
		{"ReduceSum", []int{1, 11, 13}, 13, sum, func(_ model.Type, x []int64) int64 { return intSum(x) }},
		{"ReduceMean", old, 18, func(x []float64) float64 { return sum(x) / float64(len(x)) }, func(_ model.Type, x []int64) int64 {
			return intSum(x) / int64(max(len(x), 1))
		}},
		{"ReduceProd", old, 18, func(x []float64) float64 {
			p := 1.0
			for _, v := range x {
				p *= v
			}
			return p
		}, func(_ model.Type, x []int64) int64 {
			p := int64(1)
			for _, v := range x {
				p *= v
			}
			return p
		}},
		{"ReduceMax", extreme, 18, largest, func(t model.Type, x []int64) int64 { return intExtreme(t, x, 1) }},
		{"ReduceMin", extreme, 18, func(x []float64) float64 {
			m := math.Inf(1)
			for _, v := range x {
				m = math.Min(m, v)
			}
			return m
		}, func(t model.Type, x []int64) int64 { return intExtreme(t, x, -1) }},
		{"ReduceL1", old, 18, func(x []float64) float64 { return sumOf(x, math.Abs) }, nil},
		{"ReduceL2", old, 18, func(x []float64) float64 { return math.Sqrt(sumOf(x, square)) }, nil},
		{"ReduceSumSquare", old, 18, func(x []float64) float64 { return sumOf(x, square) }, nil},
		{"ReduceLogSumExp", old, 18, func(x []float64) float64 {
			m := largest(x)
			return m + elementary.Log(sumOf(x, func(v float64) float64 { return elementary.Exp(v - m) }))
		}, nil},
	}
}

func square(x float64) float64 { return float64(x * x) }

func sum(x []float64) float64 { return sumOf(x, func(v float64) float64 { return v }) }

func sumOf(x []float64, f func(float64) float64) (s float64) {
	for _, v := range x {
		s += f(v)
	}
	return s
}

func largest(x []float64) float64 {
	m := math.Inf(-1)
	for _, v := range x {
		m = math.Max(m, v)
	}
	return m
}

func intSum(x []int64) (s int64) {
	for _, v := range x {
		s += v
	}
	return s
}

// intExtreme is the largest integer, or with sign −1 the smallest. Of no integers it is 0.
func intExtreme(t model.Type, x []int64, sign int) (m int64) {
	for i, v := range x {
		less := m < v
		if t == model.Uint64 {
			less = uint64(m) < uint64(v)
		}
		if i == 0 || less == (sign > 0) {
			m = v
		}
	}
	return m
}

func reduceRows() []*op.Row {
	var rows []*op.Row
	for _, r := range reductions() {
		rows = append(rows, &op.Row{
			Name: r.name, Since: r.since, Least: 1, Most: 2, Outputs: 1,
			Attrs: []op.Attr{op.Ints("axes").Until(r.input), op.Int("keepdims", 1), op.Int("noop_with_empty_axes", 0)},
			Shape: func(c *op.Call) []op.Type {
				if t := c.Arg(0).Type; r.integers == nil && !t.Float() {
					c.Fail("input 0 is %s; it must be a float", t)
				}
				on := axesOf(c)
				return []op.Type{{Elem: c.Arg(0).Type, Dims: reduced(c.Arg(0).Dims, on, c.Flag("keepdims"))}}
			},
			Eval: r.eval,
		})
	}
	return rows
}

// axesOf are the dimensions that are reduced: all if none is named, except with noop_with_empty_axes.
func axesOf(c *op.Call) []bool {
	axes := c.AttrInts("axes")
	if c.Has(1) {
		axes = op.Narrow(c.Ints(1))
	}
	on := c.Axes(axes, len(c.Arg(0).Dims))
	if len(axes) == 0 && !c.Flag("noop_with_empty_axes") {
		for i := range on {
			on[i] = true
		}
	}
	return on
}

func reduced(dims []int, on []bool, keep bool) (out []int) {
	for i, d := range dims {
		switch {
		case !on[i]:
			out = append(out, d)
		case keep:
			out = append(out, 1)
		}
	}
	return out
}

// lists brings the elements that are reduced to one behind each other: list i makes element i of the output.
func lists(c *op.Call, on []bool) (all *value.Value, count, length int) {
	in := c.Known(0)
	var dims, strides []int
	count, length = 1, 1
	own := value.Strides(in.Dims)
	for _, want := range []bool{false, true} {
		for i, d := range in.Dims {
			if on[i] != want {
				continue
			}
			dims, strides = append(dims, d), append(strides, own[i])
			if want {
				length *= d
			} else {
				count *= d
			}
		}
	}
	all = value.New(in.Type, dims)
	c.Work(all.Len())
	all.Walk(in, 0, strides)
	return all, count, length
}

func (r reduction) eval(c *op.Call) {
	all, count, length := lists(c, axesOf(c))
	c.Work(count)
	for i := range count {
		if all.F != nil {
			c.Out[0].F[i] = r.f(all.F[i*length:][:length])
		} else {
			c.Out[0].I[i] = r.integers(all.Type, all.I[i*length:][:length])
		}
	}
}

func argRows() []*op.Row {
	row := func(name string, sign float64) *op.Row {
		return &op.Row{
			Name: name, Since: []int{1, 11, 12, 13}, Least: 1, Most: 1, Outputs: 1,
			Attrs: []op.Attr{op.Int("axis", 0), op.Int("keepdims", 1), op.Int("select_last_index", 0)},
			Shape: func(c *op.Call) []op.Type {
				d := c.Arg(0).Dims
				on := c.Axes([]int{c.Int("axis")}, len(d))
				if d[c.Axis(c.Int("axis"), len(d))] == 0 {
					c.Fail("of no elements none is the largest")
				}
				return []op.Type{{Elem: model.Int64, Dims: reduced(d, on, c.Flag("keepdims"))}}
			},
			Eval: func(c *op.Call) {
				all, count, length := lists(c, c.Axes([]int{c.Int("axis")}, len(c.Arg(0).Dims)))
				for i := range count {
					best := 0
					for k := range length {
						x, y := sign*all.Number(i*length+k), sign*all.Number(i*length+best)
						if x > y || x == y && c.Flag("select_last_index") {
							best = k
						}
					}
					c.Out[0].I[i] = int64(best)
				}
			},
		}
	}
	return []*op.Row{row("ArgMax", 1), row("ArgMin", -1)}
}

// softmaxRows: before operator set 13 all dimensions from the axis on are one, which by default is axis 1.
func softmaxRows() []*op.Row {
	row := func(name string, f func(x float64, sum float64) float64) *op.Row {
		return &op.Row{
			Name: name, Since: []int{1, 11, 13}, Least: 1, Most: 1, Outputs: 1, Attrs: []op.Attr{op.Int("axis", -1)},
			Shape: func(c *op.Call) []op.Type {
				SoftmaxLists(c, c.Arg(0).Dims, c.Since < 13)
				return []op.Type{{Elem: c.Arg(0).Type, Dims: c.Arg(0).Dims}}
			},
			Eval: func(c *op.Call) {
				x, out := c.Floats(0), c.Out[0].F
				count, length, inner := SoftmaxLists(c, c.Arg(0).Dims, c.Since < 13)
				c.Work(len(x))
				for i := range count {
					at := i/inner*length*inner + i%inner
					m, s := math.Inf(-1), 0.0
					for k := range length {
						m = math.Max(m, x[at+k*inner])
					}
					for k := range length {
						s += elementary.Exp(x[at+k*inner] - m)
					}
					for k := range length {
						out[at+k*inner] = f(x[at+k*inner]-m, s)
					}
				}
			},
		}
	}
	return []*op.Row{
		row("Softmax", func(x, sum float64) float64 { return elementary.Exp(x) / sum }),
		row("LogSoftmax", func(x, sum float64) float64 { return x - elementary.Log(sum) }),
	}
}

// SoftmaxLists is how many lists a softmax works on, their length, and the distance of a list's elements. With flat, all
// dimensions from the axis on are one list.
func SoftmaxLists(c *op.Call, dims []int, flat bool) (count, length, inner int) {
	axis := c.Int("axis")
	if !c.Given("axis") && flat {
		axis = 1
	}
	if flat && axis == len(dims) {
		return value.Count(dims), 1, 1
	}
	axis = c.Axis(axis, len(dims))
	if flat {
		return value.Count(dims[:axis]), value.Count(dims[axis:]), 1
	}
	inner = value.Count(dims[axis+1:])
	return value.Count(dims[:axis]) * inner, dims[axis], inner
}
