package convbn

import (
	"fmt"
	"slices"

	"qpipe/ops/tensor"
)

// Int8 is the parameters of the int8 form: integer weights, their scales, and
// the bias on the grid scale_x·scale_w.
type Int8 struct {
	W      []int8
	WScale []float32 // one an output channel
	Bias   []int32   // nil without one
}

func (q *Int8) clone() *Int8 {
	if q == nil {
		return nil
	}
	return &Int8{slices.Clone(q.W), slices.Clone(q.WScale), slices.Clone(q.Bias)}
}

// BecomeInt8 drops the float parameters, BN among them, for an int8 form without tensors.
func (n *Node) BecomeInt8() {
	if n.BN != nil {
		n.BN, n.Bias = nil, true
	}
	n.Int8 = &Int8{}
	n.W, n.B, n.WScale = tensor.Param{}, tensor.Param{}, nil
}

// AllocInt8 makes the int8 form without numbers and drops the float parameters.
func (n *Node) AllocInt8() {
	n.BecomeInt8()
	n.allocCodes()
}

// allocCodes makes the tensors of the int8 form.
func (n *Node) allocCodes() {
	n.Int8 = &Int8{W: make([]int8, n.Geom.WeightLen()), WScale: make([]float32, n.Geom.OutC)}
	switch {
	case n.Bias && n.Island:
		n.B = tensor.NewParam(n.Geom.OutC)
	case n.Bias:
		n.Int8.Bias = make([]int32, n.Geom.OutC)
	}
}

// Convert makes the int8 form for an input of scale sx: the weight's codes, scales
// and bias with which the evaluation forward computes. What is left of BN is absorbed.
func (n *Node) Convert(sx float32) error {
	n.Update()
	var c codes
	c.init(n)
	n.encode(&c, sx)
	if err := c.finite(); err != nil {
		return err
	}
	n.BN, n.Bias = nil, n.Bias || n.BN != nil
	n.AllocInt8()
	copy(n.Int8.W, c.Codes)
	copy(n.Int8.WScale, c.Scale)
	copy(n.Int8.Bias, c.Bias)
	return nil
}

// Release lets go of the integer weights.
func (n *Node) Release() { n.Int8.W = nil }

// finite refuses weights and scales that are no numbers.
func (c *codes) finite() error {
	for i, s := range c.Scale {
		if s-s != 0 {
			return fmt.Errorf("the weight's scale of output channel %d is %v", i, s)
		}
	}
	for _, v := range c.Values {
		if v != v {
			return fmt.Errorf("a weight is not a number")
		}
	}
	return nil
}
