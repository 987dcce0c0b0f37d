package convbn

import (
	"qpipe/ops/layer"
	"qpipe/ops/tensor"
)

var _ layer.Islander = (*Node)(nil)

// BecomeIsland implements layer.Islander: BN goes, and of a quantized weight its codes and scales are left.
func (n *Node) BecomeIsland() {
	if n.BN != nil {
		n.BN, n.Bias = nil, true
	}
	n.Island = true
	if n.Weight.Quantized() {
		n.Int8 = &Int8{}
		n.W, n.B, n.WScale = tensor.Param{}, tensor.Param{}, nil
	}
}

// ConvertIsland implements layer.Islander: the weight and the bias are those that an evaluation of the QAT form computes with.
func (n *Node) ConvertIsland() error {
	n.Update()
	if !n.Weight.Quantized() {
		if n.BN != nil {
			n.Fold()
		}
		n.BecomeIsland()
		return nil
	}
	var c codes
	c.init(n)
	n.encode(&c, 0)
	if err := c.finite(); err != nil {
		return err
	}
	bias := make([]float32, n.Geom.OutC)
	for o := range bias {
		bias[o] = n.shift(o, true)
	}
	n.BecomeIsland()
	n.allocCodes()
	copy(n.Int8.W, c.Codes)
	copy(n.Int8.WScale, c.Scale)
	copy(n.B.Data, bias)
	return nil
}

// decode makes the weight of an island out of its codes: the values that encodeChannel has computed.
func (c *codes) decode(n *Node) {
	copy(c.Codes, n.Int8.W)
	copy(c.Scale, n.Int8.WScale)
	k := n.Geom.K()
	for i, w := range c.Codes {
		c.Values[i] = float32(w) * c.Scale[i/k]
	}
}
