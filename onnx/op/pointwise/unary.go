// Package pointwise has the ops that compute each element of their output from one element of each input.
package pointwise

import (
	"math"

	"qpipe/onnx/model"
	"qpipe/onnx/op"
	"qpipe/onnx/value"
	"qpipe/ops/elementary"
)

// Rows are the ops of this package.
func Rows() []*op.Row {
	rows := append(unaryRows(), binaryRows()...)
	rows = append(rows, variadicRows()...)
	return append(rows, clipRow(), castRow(), castLikeRow(), whereRow(), preluRow())
}

// unary is a function of one number. It gets the attributes when a node is computed.
type unary struct {
	name     string
	since    []int
	attrs    []op.Attr
	f        func(c *op.Call) func(x float64) float64
	integers func(x int64) int64 // nil if the op has none
}

func unaryRows() []*op.Row {
	rows := []*op.Row{}
	for _, u := range append(curves(), shaped()...) {
		attrs := u.attrs
		if len(u.since) > 0 && u.since[0] == 1 {
			attrs = append(attrs, op.Ints("consumed_inputs").Until(6)) // of operator sets before 6; it says nothing
		}
		rows = append(rows, &op.Row{
			Name: u.name, Since: u.since, Least: 1, Most: 1, Outputs: 1, Attrs: attrs,
			Shape: like, Eval: u.eval,
		})
	}
	not := &op.Row{Name: "Not", Since: []int{1}, Least: 1, Most: 1, Outputs: 1, Shape: like, Eval: func(c *op.Call) {
		for i, x := range c.Ints(0) {
			c.Out[0].I[i] = 1 - value.Wrap(model.Bool, x)
		}
	}}
	return append(rows, not)
}

// like is the shape of an op whose output is like its first input.
func like(c *op.Call) []op.Type {
	v := c.Arg(0)
	return []op.Type{{Elem: v.Type, Dims: v.Dims}}
}

func (u unary) eval(c *op.Call) {
	c.Work(c.Out[0].Len())
	if c.In[0].F == nil && u.integers != nil {
		for i, x := range c.Ints(0) {
			c.Out[0].I[i] = u.integers(x)
		}
		return
	}
	f, in, out := u.f(c), c.Floats(0), c.Out[0].F
	const piece = 1 << 14
	c.Parallel((len(in)+piece-1)/piece, func(p int) {
		for i := p * piece; i < min(len(in), (p+1)*piece); i++ {
			out[i] = f(in[i])
		}
	})
}

// plain is a function without attributes.
func plain(f func(float64) float64) func(*op.Call) func(float64) float64 {
	return func(*op.Call) func(float64) float64 { return f }
}

// curves are functions without attributes. Those of the standard library that are not exact are taken from
// ops/elementary, which gives the same bits on every processor.
func curves() []unary {
	return []unary{
		{name: "Abs", since: []int{1, 6, 13}, f: plain(math.Abs), integers: func(x int64) int64 { return max(x, -x) }},
		{name: "Neg", since: []int{1, 6, 13}, f: plain(func(x float64) float64 { return -x }), integers: func(x int64) int64 { return -x }},
		{name: "Sign", since: []int{9, 13}, f: plain(sign), integers: func(x int64) int64 { return min(max(x, -1), 1) }},
		{name: "Relu", since: []int{1, 6, 13, 14}, f: plain(func(x float64) float64 { return math.Max(x, 0) }), integers: func(x int64) int64 { return max(x, 0) }},
		{name: "Sqrt", since: []int{1, 6, 13}, f: plain(math.Sqrt)},
		{name: "Reciprocal", since: []int{1, 6, 13}, f: plain(func(x float64) float64 { return 1 / x })},
		{name: "Exp", since: []int{1, 6, 13}, f: plain(elementary.Exp)},
		{name: "Log", since: []int{1, 6, 13}, f: plain(elementary.Log)},
		{name: "Tanh", since: []int{1, 6, 13}, f: plain(elementary.Tanh)},
		{name: "Sigmoid", since: []int{1, 6, 13}, f: plain(elementary.Sigmoid)},
		{name: "Erf", since: []int{9, 13}, f: plain(elementary.Erf)},
		{name: "Floor", since: []int{1, 6, 13}, f: plain(math.Floor)},
		{name: "Ceil", since: []int{1, 6, 13}, f: plain(math.Ceil)},
		{name: "Round", since: []int{11, 22}, f: plain(math.RoundToEven)},
		{name: "Softplus", since: []int{1, 22}, f: plain(softplus)},
		{name: "Softsign", since: []int{1, 22}, f: plain(func(x float64) float64 { return x / (1 + math.Abs(x)) })},
		{name: "HardSwish", since: []int{14, 22}, f: plain(func(x float64) float64 { return x * clamp(x/6+0.5, 0, 1) })},
		{name: "Mish", since: []int{18, 22}, f: plain(func(x float64) float64 { return x * elementary.Tanh(softplus(x)) })},
	}
}

// shaped are functions with attributes.
func shaped() []unary {
	return []unary{
		{name: "LeakyRelu", since: []int{1, 6, 16}, attrs: []op.Attr{op.Float("alpha", 0.01)}, f: func(c *op.Call) func(float64) float64 {
			alpha := c.Float("alpha")
			return func(x float64) float64 { return either(x < 0, alpha*x, x) }
		}},
		{name: "ThresholdedRelu", since: []int{10, 22}, attrs: []op.Attr{op.Float("alpha", 1)}, f: func(c *op.Call) func(float64) float64 {
			alpha := c.Float("alpha")
			return func(x float64) float64 { return either(x > alpha, x, 0) }
		}},
		{name: "Elu", since: []int{1, 6, 22}, attrs: []op.Attr{op.Float("alpha", 1)}, f: func(c *op.Call) func(float64) float64 {
			alpha := c.Float("alpha")
			return func(x float64) float64 { return either(x < 0, alpha*elementary.Expm1(math.Min(x, 0)), x) }
		}},
		{name: "Celu", since: []int{12}, attrs: []op.Attr{op.Float("alpha", 1)}, f: func(c *op.Call) func(float64) float64 {
			alpha := c.Float("alpha")
			return func(x float64) float64 {
				return math.Max(x, 0) + math.Min(0, alpha*elementary.Expm1(math.Min(x/alpha, 0)))
			}
		}},
		{name: "Selu", since: []int{1, 6, 22}, attrs: []op.Attr{op.Float("alpha", 1.67326319217681884765625), op.Float("gamma", 1.05070102214813232421875)}, f: func(c *op.Call) func(float64) float64 {
			alpha, gamma := c.Float("alpha"), c.Float("gamma")
			return func(x float64) float64 {
				return gamma * either(x > 0, x, alpha*elementary.Expm1(math.Min(x, 0)))
			}
		}},
		{name: "HardSigmoid", since: []int{1, 6, 22}, attrs: []op.Attr{op.Float("alpha", 0.2), op.Float("beta", 0.5)}, f: func(c *op.Call) func(float64) float64 {
			alpha, beta := c.Float("alpha"), c.Float("beta")
			return func(x float64) float64 { return clamp(float64(alpha*x)+beta, 0, 1) }
		}},
		{name: "Swish", since: []int{24}, attrs: []op.Attr{op.Float("alpha", 1)}, f: func(c *op.Call) func(float64) float64 {
			alpha := c.Float("alpha")
			return func(x float64) float64 { return x * elementary.Sigmoid(alpha*x) }
		}},
		{name: "Gelu", since: []int{20}, attrs: []op.Attr{op.Text("approximate", "none")}, f: gelu},
	}
}

func gelu(c *op.Call) func(float64) float64 {
	if c.Text("approximate") == "tanh" {
		k := math.Sqrt(2 / math.Pi)
		return func(x float64) float64 { return 0.5 * x * (1 + elementary.Tanh(k*(x+float64(0.044715*x*x*x)))) }
	}
	return func(x float64) float64 { return 0.5 * x * (1 + elementary.Erf(x/math.Sqrt2)) }
}

func softplus(x float64) float64 {
	return math.Max(x, 0) + elementary.Log1p(elementary.Exp(-math.Abs(x)))
}

func sign(x float64) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return x
}

func clamp(x, least, most float64) float64 { return math.Min(math.Max(x, least), most) }

func either(first bool, a, b float64) float64 {
	if first {
		return a
	}
	return b
}
