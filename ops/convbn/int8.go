package convbn

import (
	"fmt"
	"math"
	"slices"
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

// AllocInt8 makes the int8 form without numbers and drops the float parameters.
func (n *Node) AllocInt8() {
	n.Int8 = &Int8{W: make([]int8, n.Geom.WeightLen()), WScale: make([]float32, n.Geom.OutC)}
	if n.Bias {
		n.Int8.Bias = make([]int32, n.Geom.OutC)
	}
	n.W, n.B, n.WScale = Tensor{}, Tensor{}, nil
}

// Convert makes the int8 form for an input of scale sx. What is left of BN is
// absorbed: in with_bn the integers stay, and BN goes into the scale, S·|s|, and
// the integers' sign; in reverse fold it is folded and the scale stays.
func (n *Node) Convert(sx float32) error {
	withBN := n.BN != nil && n.Mode == WithBN
	if n.BN != nil && !withBN {
		n.Fold()
	}
	n.UpdateScale()
	var c codes
	c.init(n)
	n.encode(&c, sx)
	if withBN {
		n.scaleByBN(&c, sx)
	}
	if err := c.finite(); err != nil {
		return err
	}
	n.BN, n.Bias = nil, n.Bias || withBN
	n.AllocInt8()
	copy(n.Int8.W, c.W)
	copy(n.Int8.WScale, c.Scale)
	copy(n.Int8.Bias, c.Bias)
	return nil
}

// scaleByBN puts BN into the scale S·|s|, the sign of the integers and the
// bias. γ = 0 leaves integers 0 and the scale S.
func (n *Node) scaleByBN(c *codes, sx float32) {
	k := n.Geom.K()
	for o := range n.Geom.OutC {
		s, b := n.BN.Scale(o), n.BN.Shift(o, n.bias(o))
		was, sign := c.Scale[o], float32(1)
		switch {
		case s == 0:
			sign = 0
		case s < 0:
			sign, c.Scale[o] = -1, was*-s
		default:
			c.Scale[o] = was * s
		}
		scale := fitBias(c.Scale[o], b, sx)
		shrink := c.Scale[o] / scale // 1 but for channels that hardly weigh anything
		c.Scale[o], c.Bias[o] = scale, biasCode(b, sx, scale)
		for i := o * k; i < (o+1)*k; i++ {
			c.W[i] = int8(math.RoundToEven(float64(float32(c.W[i]) * sign * shrink)))
		}
	}
}

// finite refuses weights and scales that are no numbers.
func (c *codes) finite() error {
	for i, s := range c.Scale {
		if s-s != 0 {
			return fmt.Errorf("the weight's scale of output channel %d is %v", i, s)
		}
	}
	for _, v := range c.V {
		if v != v {
			return fmt.Errorf("a weight is not a number")
		}
	}
	return nil
}
