package importer

import (
	"fmt"
	"math"

	"qpipe/onnx/model"
	"qpipe/ops/layer"
	"qpipe/ops/nn"
	"qpipe/ops/tensor"
)

// row is what becomes of an op.
type row struct {
	domain, op string
	make       func(c *call)
}

// call is a node that a row makes. Its methods read operands and attributes; a mistake ends the row.
type call struct {
	*build
	*model.Node
	name string
}

// fail ends the row: the node cannot be had, and why. Lists of numbers are written as in a pipeline.
func (c *call) fail(format string, args ...any) {
	for i, a := range args {
		switch a := a.(type) {
		case []int:
			args[i] = tensor.List(a...)
		case [2]int:
			args[i] = tensor.List(a[:]...)
		}
	}
	panic(stop{fmt.Sprintf(format, args...)})
}

// has reports whether the node has an operand i.
func (c *call) has(i int) bool { return i < len(c.Inputs) && c.Inputs[i] != "" }

// in is operand i.
func (c *call) in(i int) *value {
	if !c.has(i) {
		c.fail("its operand %d is missing", i)
	}
	return c.values[c.Inputs[i]]
}

// x is operand i, which must depend on the network's input.
func (c *call) x(i int) *value {
	v := c.in(i)
	switch {
	case v.constant != nil:
		c.fail("its operand %d is a constant, and all of its operands are: it should have been computed before", i)
	case v.pieces != nil:
		c.fail("its operand %d has %d dimensions; a network's have at most 4", i, v.rank())
	}
	return v
}

// image is operand 0 as a map (or a row) with its axes in the usual order.
func (c *call) image() *value {
	v := c.x(0)
	if v.rank() < 3 {
		c.fail("its operand has the dimensions N×%d; a map is needed", v.dims()[0])
	}
	return c.inOrder(v, c.name+".order")
}

// constant is operand i, which must be one.
func (c *call) constant(i int) *model.Tensor {
	v := c.in(i)
	if v.constant == nil {
		c.fail("its operand %d is computed; only a constant can stand there", i)
	}
	return v.constant
}

// floats are the numbers of a constant operand.
func (c *call) floats(i int) []float32 { return c.numbers(c.constant(i)) }

// numbers are those of a constant.
func (c *call) numbers(t *model.Tensor) []float32 {
	out := make([]float32, t.Len())
	if !t.Type.Float() {
		for k, x := range t.Ints() {
			out[k] = float32(x)
		}
		return out
	}
	for k, x := range t.Floats() {
		out[k] = float32(x)
		if math.IsInf(float64(out[k]), 0) || math.IsNaN(float64(out[k])) {
			c.fail("its constant %q has a value that is not finite", t.Name)
		}
	}
	return out
}

// scalar is a constant of one element, def if the operand is missing.
func (c *call) scalar(i int, def float64) float64 {
	if !c.has(i) {
		return def
	}
	t := c.constant(i)
	if t.Len() != 1 {
		c.fail("its operand %d has %d numbers; one is needed", i, t.Len())
	}
	if !t.Type.Float() {
		return float64(t.Ints()[0])
	}
	return t.Floats()[0]
}

// list are the integers of an operand, or of the attribute of older versions.
func (c *call) list(i int, attr string) ([]int, bool) {
	if c.has(i) {
		t := c.constant(i)
		if t.Type.Float() {
			c.fail("its operand %d has the type %s; integers are needed", i, t.Type)
		}
		return c.fit(t.Ints()), true
	}
	return c.ints(attr)
}

// fit are integers that sizes and axes can be. A slice may have an end far beyond.
func (c *call) fit(list []int64) []int {
	out := make([]int, len(list))
	for k, x := range list {
		out[k] = int(min(max(x, -math.MaxInt32), math.MaxInt32))
	}
	return out
}

// ints is an attribute of integers.
func (c *call) ints(name string) ([]int, bool) {
	switch v := c.attr(name).(type) {
	case nil:
		return nil, false
	case []int64:
		return c.fit(v), true
	}
	c.fail("its attribute %q is no list of integers", name)
	return nil, false
}

func (c *call) attr(name string) any {
	if a := c.Attr(name); a != nil {
		return a.Value
	}
	return nil
}

// int is an attribute, def if it is missing.
func (c *call) int(name string, def int) int {
	switch v := c.attr(name).(type) {
	case nil:
		return def
	case int64:
		return c.fit([]int64{v})[0]
	}
	c.fail("its attribute %q is no integer", name)
	return 0
}

// float is an attribute, def if it is missing.
func (c *call) float(name string, def float64) float64 {
	switch v := c.attr(name).(type) {
	case nil:
		return def
	case float32:
		return float64(v)
	}
	c.fail("its attribute %q is no number", name)
	return 0
}

// text is an attribute, def if it is missing.
func (c *call) text(name, def string) string {
	switch v := c.attr(name).(type) {
	case nil:
		return def
	case string:
		return v
	}
	c.fail("its attribute %q is no text", name)
	return ""
}

// axis is the dimension a of a value (negative from the end), without the batch, which a network cannot compute with.
func (c *call) axis(v *value, a int) int {
	rank := v.rank()
	if a < 0 {
		a += rank
	}
	if a < 0 || a >= rank {
		c.fail("its axis %d is none of %d dimensions", a, rank)
	}
	if a == 0 {
		c.fail("it works along the batch; a network computes each image by itself")
	}
	return a - 1
}

// set gives output i of the node a value.
func (c *call) set(i int, v *value) {
	if i < len(c.Outputs) && c.Outputs[i] != "" {
		c.values[c.Outputs[i]] = v
	}
}

// put adds an op on x to the network, under the node's name; the output has x's axes.
func (c *call) put(op layer.Op, x *value) *value {
	return &value{made: c.apply(c.name, op, x.made), axes: x.axes, flat: x.flat}
}

// weight adds a tensor of the node to the weights.
func (c *call) weight(name string, shape []int, data []float32) {
	c.weights = append(c.weights, nn.Tensor{Name: name, Shape: shape, Data: data})
}

// opset is the version of ONNX's operator set.
func (c *call) opset() int64 { return c.model.Opsets[""] }
