package importer

import (
	"fmt"
	"math"
	"slices"

	"qpipe/onnx/model"
	"qpipe/onnx/recognize"
	"qpipe/ops/arith"
	"qpipe/ops/curve"
	"qpipe/ops/kernel"
	"qpipe/ops/layer"
	"qpipe/ops/op"
)

// elementRows are the ops that work on each element alone.
func elementRows() []row {
	list := []row{
		{"", "Add", func(c *call) { c.pair(arith.Add{}, func(k float32) (float32, float32) { return 1, k }) }},
		{"", "Mul", func(c *call) { c.pair(arith.Mul{}, func(k float32) (float32, float32) { return k, 0 }) }},
		{"", "Sub", sub},
		{"", "Div", div},
		{"", "Pow", pow},
		{own, "Affine", affine},
		{own, "Standard", standardize},
		{"", "Max", func(c *call) { c.most(arith.Max{}, math.Inf(1)) }},
		{"", "Min", func(c *call) { c.most(arith.Min{}, math.Inf(-1)) }},
		{"", "Sum", func(c *call) { c.set(0, c.fold(arith.Add{})) }},
		{"", "Mean", mean},
		{"", "Relu", func(c *call) { c.clip(0, math.Inf(1)) }},
		{"", "Clip", clip},
		{"", "PRelu", pRelu},
		{"", "Identity", alias},
		{"", "Cast", cast},
		{"", "Dropout", dropout},
	}
	for name, of := range curves() {
		list = append(list, row{"", name, func(c *call) {
			x := c.x(0)
			c.set(0, c.put(of(c), x))
		}})
	}
	return list
}

// own is the domain of what is recognized.
const own = recognize.Domain

// curves are the functions of one number.
func curves() map[string]func(c *call) curve.Pointwise {
	plain := func(name string) func(c *call) curve.Pointwise {
		return func(*call) curve.Pointwise { return curve.Pointwise{Function: name} }
	}
	with := func(name string, args map[string]float64, from map[string]string) func(c *call) curve.Pointwise {
		return func(c *call) curve.Pointwise {
			p := curve.Pointwise{Function: name, Args: map[string]float64{}}
			for arg, def := range args {
				p.Args[arg] = c.float(from[arg], def)
			}
			return p
		}
	}
	return map[string]func(c *call) curve.Pointwise{
		"Sigmoid": plain("sigmoid"), "Tanh": plain("tanh"), "HardSwish": plain("hard_swish"), "Mish": plain("mish"), "Softplus": plain("softplus"),
		"Exp": plain("exp"), "Log": plain("log"), "Sqrt": plain("sqrt"), "Abs": plain("abs"), "Neg": plain("neg"), "Reciprocal": plain("reciprocal"), "Erf": plain("erf"),
		"LeakyRelu":   with("leaky_relu", map[string]float64{"negative_slope": 0.01}, map[string]string{"negative_slope": "alpha"}),
		"Elu":         with("elu", map[string]float64{"alpha": 1}, map[string]string{"alpha": "alpha"}),
		"HardSigmoid": with("hard_sigmoid", map[string]float64{"alpha": 0.2, "beta": 0.5}, map[string]string{"alpha": "alpha", "beta": "beta"}),
		"Gelu": func(c *call) curve.Pointwise {
			if c.text("approximate", "none") == "tanh" {
				return curve.Pointwise{Function: "gelu_tanh"}
			}
			return curve.Pointwise{Function: "gelu"}
		},
		"Swish": func(c *call) curve.Pointwise {
			if a := c.float("alpha", 1); a != 1 {
				c.fail("its alpha is %g; a network has 1", a)
			}
			return curve.Pointwise{Function: "silu"}
		},
	}
}

// pair is an op on two values. Of a constant and a value, k is what the constant multiplies the value by and adds to it.
func (c *call) pair(op layer.Op, k func(float32) (by, plus float32)) {
	a, b := c.in(0), c.in(1)
	if a.constant != nil {
		a, b = b, a
	}
	if b.constant == nil {
		c.set(0, c.two(op, c.x(0), c.x(1)))
		return
	}
	a = c.along(a, b.constant)
	c.lines(a, c.perChannel(a, b.constant), k)
}

// lines multiplies each channel by a number and adds another; what they are, k says for each of the constants.
func (c *call) lines(x *value, constants []float32, k func(float32) (by, plus float32)) {
	by, plus := make([]float32, len(constants)), make([]float32, len(constants))
	for i, v := range constants {
		by[i], plus[i] = k(v)
	}
	c.line(x, by, plus)
}

// line multiplies each channel by a number and adds another.
func (c *call) line(x *value, by, plus []float32) {
	if x.constant != nil || x.pieces != nil {
		c.x(0)
		c.x(1)
	}
	if x.bn != "" && c.uses[c.reads(x)] == 1 { // the BN's own weight and bias
		for i := range c.weights {
			switch w := &c.weights[i]; w.Name {
			case x.bn + ".weight":
				w.Data = combine(w.Data.([]float32), by, nil)
			case x.bn + ".bias":
				w.Data = combine(w.Data.([]float32), by, plus)
			}
		}
		c.set(0, x)
		return
	}
	adds := slices.ContainsFunc(plus, func(v float32) bool { return v != 0 })
	n := len(by)
	y := c.put(arith.Scale{Bias: adds, Begin: 1}, x)
	c.weight(c.name+".weight", []int{n}, by)
	if adds {
		c.weight(c.name+".bias", []int{n}, plus)
	}
	c.set(0, y)
}

// reads is the name of the operand that is that value.
func (c *call) reads(v *value) string {
	for _, name := range c.Inputs {
		if c.values[name] == v {
			return name
		}
	}
	return ""
}

// combine is x·by + plus.
func combine(x, by, plus []float32) []float32 {
	out := make([]float32, len(x))
	for i, v := range x {
		out[i] = float32(v * by[i])
		if plus != nil {
			out[i] += plus[i]
		}
	}
	return out
}

// along is a value whose channels are the dimension along which a constant has several numbers, if that is one.
func (c *call) along(x *value, t *model.Tensor) *value {
	if x.constant != nil {
		return x
	}
	shift, at := x.rank()-len(t.Dims), 0
	for i, d := range t.Dims {
		switch {
		case d == 1:
		case at > 0 || i+shift < 1 || x.pieces != nil || d != x.dims()[i+shift-1]:
			return x
		default:
			at = i + shift
		}
	}
	if at == 0 {
		return x
	}
	return c.withChannels(x, at-1)
}

// perChannel are a constant's numbers for each channel of a value, as ONNX broadcasts them.
func (c *call) perChannel(x *value, t *model.Tensor) []float32 {
	if x.constant != nil {
		c.fail("all of its operands are constants: it should have been computed before")
	}
	list := c.numbers(t)
	n := x.made.Shape().C
	if len(list) == 1 {
		return slices.Repeat(list, n)
	}
	shift := x.rank() - len(t.Dims)
	for i, d := range t.Dims {
		switch at := i + shift; {
		case d == 1:
		case at < 1, x.axes[at-1] != channelAxis, d != n, len(list) != n:
			c.fail("its constant of the shape %v is not one number, or one for each channel, of a value with the dimensions %v", t.Dims, x.dims())
		}
	}
	return list
}

// two applies an op to two values, whose axes are made to agree.
func (c *call) two(op layer.Op, a, b *value) *value {
	if a.rank() != b.rank() {
		c.fail("its operands have %d and %d dimensions (%v and %v), and a network's have the same", a.rank(), b.rank(), a.dims(), b.dims())
	}
	if !slices.Equal(a.axes, b.axes) {
		b = c.reordered(b, a.axes, c.name+".order")
	}
	return &value{made: c.apply(c.name, op, a.made, b.made), axes: a.axes, flat: a.flat && b.flat}
}

func sub(c *call) {
	if c.in(0).constant != nil { // k - x
		x := c.along(c.in(1), c.in(0).constant)
		c.lines(x, c.perChannel(x, c.in(0).constant), func(k float32) (float32, float32) { return -1, k })
		return
	}
	c.pair(arith.Sub{}, func(k float32) (float32, float32) { return 1, -k })
}

// div divides by constants, or by a value: that is the product with its reciprocal.
func div(c *call) {
	if y := c.in(1); y.constant == nil {
		one := &value{made: c.apply(c.names.Unique(c.name+".reciprocal"), curve.Pointwise{Function: "reciprocal"}, c.x(1).made), axes: y.axes, flat: y.flat}
		if x := c.in(0); x.constant == nil {
			c.set(0, c.two(arith.Mul{}, c.x(0), one))
			return
		}
		one = c.along(one, c.constant(0))
		if k := c.perChannel(one, c.constant(0)); slices.ContainsFunc(k, func(v float32) bool { return v != 1 }) {
			c.line(one, k, make([]float32, len(k)))
			return
		}
		c.set(0, one)
		return
	}
	x := c.along(c.x(0), c.constant(1))
	c.lines(x, c.perChannel(x, c.constant(1)), func(k float32) (float32, float32) {
		if k == 0 {
			c.fail("it divides by 0")
		}
		return 1 / k, 0
	})
}

func pow(c *call) {
	if c.in(0).constant != nil {
		c.fail("it raises a constant to a computed power; write it as Exp of a product")
	}
	x := c.x(0)
	switch e := c.scalar(1, 1); e {
	case 1:
		c.set(0, x)
	case 2:
		c.set(0, c.two(arith.Mul{}, x, x))
	default:
		c.set(0, c.put(curve.Pointwise{Function: "power", Args: map[string]float64{"exponent": e}}, x))
	}
}

// affine is a recognized multiplication with an addition behind it, both with constants.
func affine(c *call) {
	x := c.along(c.x(0), c.constant(1))
	c.line(x, c.perChannel(x, c.constant(1)), c.perChannel(x, c.constant(2)))
}

// standardize is a recognized subtraction with a division behind it, both with constants.
func standardize(c *call) {
	x := c.along(c.x(0), c.constant(1))
	mean, by := c.perChannel(x, c.constant(1)), c.perChannel(x, c.constant(2))
	plus := make([]float32, len(by))
	for i, k := range by {
		if k == 0 {
			c.fail("it divides by 0")
		}
		by[i] = 1 / k
		plus[i] = -mean[i] / k
	}
	c.line(x, by, plus)
}

// most is the largest or smallest of values and constants. none is the constant that changes nothing on the other side.
func (c *call) most(op layer.Op, far float64) {
	low, high := math.Inf(-1), math.Inf(1)
	var values []*value
	for i := range c.Inputs {
		v := c.in(i)
		switch {
		case v.constant == nil:
			values = append(values, c.x(i))
		case far > 0:
			low = max(low, c.scalar(i, 0))
		default:
			high = min(high, c.scalar(i, 0))
		}
	}
	if len(values) == 0 {
		c.x(0)
	}
	y := values[0]
	for i, v := range values[1:] {
		y = c.step(i, op, y, v)
	}
	if !math.IsInf(low, 0) || !math.IsInf(high, 0) {
		y = c.clipped(y, low, high)
	}
	c.set(0, y)
}

// fold applies an op to all operands, two at a time.
func (c *call) fold(op layer.Op) *value {
	y := c.x(0)
	for i := range c.Inputs[1:] {
		y = c.step(i, op, y, c.x(i+1))
	}
	return y
}

// step is one of several applications of an op that the node stands for.
func (c *call) step(i int, op layer.Op, a, b *value) *value {
	one := *c
	if i > 0 {
		one.name = c.names.Unique(fmt.Sprintf("%s.%d", c.name, i))
	}
	return one.two(op, a, b)
}

func mean(c *call) {
	n := len(c.Inputs)
	y := c.fold(arith.Add{})
	if n > 1 {
		name := c.names.Unique(c.name + ".share")
		y = &value{made: c.apply(name, arith.Scale{Begin: 1 / float64(n)}, y.made), axes: y.axes}
		channels := y.made.Shape().C
		c.weight(name+".weight", []int{channels}, slices.Repeat([]float32{1 / float32(n)}, channels))
	}
	c.set(0, y)
}

func clip(c *call) {
	low, high := math.Inf(-1), math.Inf(1)
	if c.opset() < 11 {
		low, high = c.float("min", low), c.float("max", high)
	} else {
		low, high = c.scalar(1, low), c.scalar(2, high)
	}
	c.clip(low, high)
}

func (c *call) clip(low, high float64) { c.set(0, c.clipped(c.x(0), low, high)) }

// clipped limits a value; a limit beyond float32 is none.
func (c *call) clipped(x *value, low, high float64) *value {
	if low <= -math.MaxFloat32 {
		low = math.Inf(-1)
	}
	if high >= math.MaxFloat32 {
		high = math.Inf(1)
	}
	args := map[string]float64{}
	switch {
	case low == 0 && math.IsInf(high, 1):
		return c.put(op.Act{Act: kernel.ReLU}, x)
	case low == 0 && high == 6:
		return c.put(op.Act{Act: kernel.ReLU6}, x)
	case math.IsInf(low, -1) && math.IsInf(high, 1):
		return x
	}
	if !math.IsInf(low, 0) {
		args["min"] = low
	}
	if !math.IsInf(high, 0) {
		args["max"] = high
	}
	return c.put(curve.Pointwise{Function: "clip", Args: args}, x)
}

func pRelu(c *call) {
	x := c.x(0)
	slope := c.floats(1)
	per := len(slope) > 1
	if per {
		x = c.along(x, c.constant(1))
		slope = c.perChannel(x, c.constant(1))
	}
	y := c.put(curve.PReLU{PerChannel: per}, x)
	c.weight(c.name+".weight", []int{len(slope)}, slope)
	c.set(0, y)
}

// alias is a node that changes nothing.
func alias(c *call) { c.set(0, c.in(0)) }

// cast changes nothing between types with fractions.
func cast(c *call) {
	if to := model.Type(c.int("to", 1)); !to.Float() {
		c.fail("it makes %s of values, which a network computes with as float32", to)
	}
	alias(c)
}

func dropout(c *call) {
	p := c.float("ratio", 0.5)
	if c.has(1) {
		p = c.scalar(1, 0.5)
	}
	x := c.x(0)
	if len(c.Outputs) > 1 && c.uses[c.Outputs[1]] > 0 {
		c.fail("its mask is read by other nodes")
	}
	if p == 0 {
		c.set(0, x)
		return
	}
	c.set(0, c.put(op.Dropout{P: p}, x))
}
