package importer

import (
	"fmt"
	"math"
	"slices"

	"qpipe/onnx/model"
	"qpipe/ops/kernel"
	"qpipe/ops/op"
)

// quantizedRows are the ops that say what is quantized and how. A network is made of floats: of what is computed they are passed over, and
// the grids are kept (Net.Grids); of weights the values are made.
func quantizedRows() []row {
	list := []row{{"", "QuantizeLinear", quantizeLinear}, {"", "DequantizeLinear", dequantizeLinear}}
	for _, r := range integerOps() {
		list = append(list, row{r.domain, r.op, func(c *call) { c.integer(r) }})
	}
	return list
}

// Grid is how a model quantizes a value: codes of a type with a scale and a zero point.
type Grid struct {
	Node  string // of the network, before fusion
	Type  model.Type
	Scale float64
	Zero  int64
}

// quantizeLinear keeps the grid of a computed value. A constant is quantized.
func quantizeLinear(c *call) {
	v := c.in(0)
	g := c.grid(2)
	if v.constant != nil {
		c.set(0, &value{constant: c.codes(v.constant, g)})
		return
	}
	if v = c.x(0); len(g.scale) > 1 {
		c.fail("it quantizes a computed value with %d scales; a network's values have one", len(g.scale))
	}
	c.set(0, c.gridOf(v, g))
}

// gridOf keeps the grid of a value. One that has no codes below 0 is a ReLU, or a ReLU6 if it ends there: quantizers leave those out.
func (c *call) gridOf(v *value, g *grid) *value {
	low, high := limits(g.of)
	if float64(g.zero[0]) == low {
		act := op.Act{Act: kernel.ReLU}
		if end := float64((high - low) * g.scale[0]); math.Abs(end-6) < g.scale[0] {
			act.Act = kernel.ReLU6
		}
		if had := c.clamped[v.made]; had != act.Act && had != kernel.ReLU6 {
			v = &value{made: c.apply(c.names.Unique(c.name+".act"), act, v.made), axes: v.axes, flat: v.flat}
		}
	}
	if name := c.b.Name(v.made); name != "" {
		c.grids = append(c.grids, Grid{name, g.of, g.scale[0], g.zero[0]})
	}
	return v
}

// dequantizeLinear makes the values of constant codes, and changes nothing else.
func dequantizeLinear(c *call) {
	if c.in(0).constant == nil {
		c.set(0, c.x(0))
		return
	}
	c.set(0, &value{constant: c.dequantize(c.grid(2))})
}

// dequantize makes the values of operand 0, which is constant codes.
func (c *call) dequantize(g *grid) *model.Tensor {
	t := c.constant(0)
	if t.Type.Float() {
		c.fail("it dequantizes a %s", t.Type)
	}
	list := t.Ints()
	out := make([]float64, len(list))
	for i, q := range list {
		k := g.at(i)
		out[i] = float64(float32(q-g.zero[k]) * float32(g.scale[k]))
	}
	return model.OfFloats(t.Name, model.Float, t.Dims, out)
}

// grid is what operands 1 and 2 say: a scale and a zero point, one or one for each slice along an axis.
type grid struct {
	scale []float64
	zero  []int64
	of    model.Type
	inner int // elements between two slices
}

func (g *grid) at(i int) int { return i / g.inner % len(g.scale) }

func (c *call) grid(zero int) *grid {
	if c.int("block_size", 0) != 0 {
		c.fail("its scales are for blocks (block_size)")
	}
	s := c.constant(1)
	if !s.Type.Float() || s.Len() == 0 {
		c.fail("its scale is no number")
	}
	g := &grid{scale: s.Floats(), zero: make([]int64, s.Len()), of: model.Uint8, inner: 1}
	if c.has(zero) {
		z := c.constant(zero)
		if z.Type.Float() || z.Len() != len(g.scale) {
			c.fail("it has %d scales and %d zero points", len(g.scale), z.Len())
		}
		g.zero, g.of = z.Ints(), z.Type
	}
	for _, x := range g.scale {
		if !(x > 0) || math.IsInf(x, 0) {
			c.fail("its scale is %g", x)
		}
	}
	if len(g.scale) == 1 {
		return g
	}
	v := c.in(0)
	if v.constant == nil {
		return g
	}
	axis := c.int("axis", 1)
	dims := v.constant.Dims
	if axis < 0 {
		axis += len(dims)
	}
	if axis < 0 || axis >= len(dims) || dims[axis] != len(g.scale) {
		c.fail("it has %d scales along axis %d of %v", len(g.scale), axis, dims)
	}
	for _, d := range dims[axis+1:] {
		g.inner *= d
	}
	return g
}

// codes quantizes a constant.
func (c *call) codes(t *model.Tensor, g *grid) *model.Tensor {
	low, high := limits(g.of)
	list := c.numbers(t)
	out := make([]int64, len(list))
	for i, x := range list {
		k := g.at(i)
		q := math.RoundToEven(float64(x/float32(g.scale[k]))) + float64(g.zero[k])
		out[i] = int64(min(max(q, low), high))
	}
	return model.OfInts(t.Name, g.of, slices.Clone(t.Dims), out)
}

// limits are the smallest and the largest code of a type.
func limits(t model.Type) (low, high float64) {
	bits := float64(t.Bits())
	switch t {
	case model.Uint8, model.Uint16, model.Uint4:
		return 0, math.Exp2(bits) - 1
	}
	return -math.Exp2(bits - 1), math.Exp2(bits-1) - 1
}

// integerOp is an op on codes: which operands are codes (each with a scale and a zero point behind it), where the scale of the output is,
// which operand is a bias in units of the scales, and the op of values that it is.
type integerOp struct {
	domain, op string
	codes      []int
	out, bias  int // -1: none
	of         string
}

// microsoft is the domain of ONNX Runtime's ops.
const microsoft = "com.microsoft"

func integerOps() []integerOp {
	return []integerOp{
		{"", "QLinearConv", []int{0, 3}, 6, 8, "Conv"},
		{"", "QLinearMatMul", []int{0, 3}, 6, -1, "MatMul"},
		{microsoft, "QGemm", []int{0, 3}, 7, 6, "Gemm"},
		{microsoft, "QLinearAdd", []int{0, 3}, 6, -1, "Add"},
		{microsoft, "QLinearMul", []int{0, 3}, 6, -1, "Mul"},
		{microsoft, "QLinearGlobalAveragePool", []int{0}, 3, -1, "GlobalAveragePool"},
		{microsoft, "QLinearAveragePool", []int{0}, 3, -1, "AveragePool"},
		{microsoft, "QLinearSigmoid", []int{0}, 3, -1, "Sigmoid"},
		{microsoft, "QLinearLeakyRelu", []int{0}, 3, -1, "LeakyRelu"},
		{microsoft, "QLinearSoftmax", []int{0}, 3, -1, "Softmax"},
		{microsoft, "QLinearConcat", nil, 0, -1, "Concat"},
	}
}

// integer makes an op on codes as the op on the values that they stand for, and keeps the grid of its output.
func (c *call) integer(r integerOp) {
	if r.op == "QLinearConcat" {
		for i := 2; i < len(c.Inputs); i += 3 {
			r.codes = append(r.codes, i)
		}
	}
	n := *c.Node
	n.Domain, n.Op, n.Inputs = "", r.of, nil
	var scales []float64
	for _, i := range r.codes {
		v, g := c.dequantized(i)
		scales = append(scales, g.scale...)
		name := c.Inputs[i]
		if v.constant != nil {
			name = c.temporary(v)
		}
		n.Inputs = append(n.Inputs, name)
	}
	if r.bias >= 0 && c.has(r.bias) {
		n.Inputs = append(n.Inputs, c.temporary(&value{constant: c.realBias(c.constant(r.bias), scales)}))
	}
	c.table["."+r.of].make(&call{build: c.build, Node: &n, name: c.name})
	if y := c.values[n.Outputs[0]]; y != nil && r.out >= 0 && c.has(r.out) {
		g := &grid{scale: []float64{c.scalar(r.out, 1)}, zero: []int64{0}, of: model.Uint8}
		if z := c.constant(r.out + 1); z.Len() == 1 && !z.Type.Float() {
			g.zero, g.of = z.Ints(), z.Type
		}
		c.set(0, c.gridOf(y, g))
	}
}

// temporary gives a value a name that no value of the model has.
func (c *call) temporary(v *value) string {
	name := fmt.Sprintf("\x00%d", len(c.values))
	c.values[name] = v
	return name
}

// dequantized is operand i, whose scale and zero point are behind it: the values of constant codes.
func (c *call) dequantized(i int) (*value, *grid) {
	one := *c
	n := *c.Node
	n.Inputs, n.Outputs, n.Attributes = c.Inputs[i:min(i+3, len(c.Inputs))], []string{""}, nil
	if v := c.in(i); v.constant != nil && c.constant(i+1).Len() > 1 {
		axis := int64(0) // of the weights of a convolution; those of a product have their outputs last
		if c.Op != "QLinearConv" && c.int("transB", 0) == 0 {
			axis = int64(len(v.constant.Dims) - 1)
		}
		n.Attributes = []model.Attribute{{Name: "axis", Value: axis}}
	}
	one.Node = &n
	g, v := one.grid(2), one.in(0)
	if v.constant != nil {
		v = &value{constant: one.dequantize(g)}
	}
	return v, g
}

// realBias are the values of a bias in units of the product of the operand's scale and the weight's.
func (c *call) realBias(t *model.Tensor, scales []float64) *model.Tensor {
	out := make([]float64, t.Len())
	for i, b := range t.Ints() {
		k := 1
		if len(scales) > 2 {
			k = 1 + i%(len(scales)-1)
		}
		out[i] = float64(b) * scales[0] * scales[k]
	}
	return model.OfFloats(t.Name, model.Float, t.Dims, out)
}
