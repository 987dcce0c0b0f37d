package convbn

import "math"

// UpdateScale derives WScale from the present weight (in reverse fold: from the
// folded one), unless it is frozen.
func (n *Node) UpdateScale() {
	if !n.Weight.Quantized() || n.W.Data == nil {
		return
	}
	if n.WScale == nil {
		n.WScale = make([]float32, n.Scales())
	}
	if n.Frozen {
		return
	}
	if n.Weight.PerChannel {
		for o := range n.Geom.OutC {
			lo, hi := n.channelRange(o)
			n.WScale[o], _ = n.Weight.Scale(lo, hi)
		}
		return
	}
	lo, hi := float32(0), float32(0)
	for o := range n.Geom.OutC {
		l, h := n.channelRange(o)
		lo, hi = min(lo, l), max(hi, h)
	}
	n.WScale[0], _ = n.Weight.Scale(lo, hi)
}

// channelRange returns the extremes of the weights that are quantized for
// channel o.
func (n *Node) channelRange(o int) (lo, hi float32) {
	k := n.Geom.K()
	lo, hi = float32(math.Inf(1)), float32(math.Inf(-1))
	for _, v := range n.W.Data[o*k : (o+1)*k] {
		if v != v {
			return v, v
		}
		lo, hi = min(lo, v), max(hi, v)
	}
	if n.BN == nil || n.Mode != ReverseFold {
		return lo, hi
	}
	s := n.BN.folded(o)
	lo, hi = lo*s, hi*s
	if lo > hi {
		lo, hi = hi, lo
	}
	return lo, hi
}

// scale returns the weight scale of channel o.
func (n *Node) scale(o int) float32 {
	if len(n.WScale) == 1 {
		return n.WScale[0]
	}
	return n.WScale[o]
}

// codes is the weight as a forward pass computes with it.
type codes struct {
	W     []float32 // integers where the weight is quantized, else the (folded) weight itself
	V     []float32 // what they stand for, W·Scale
	Scale []float32 // per output channel; 1 where the weight is not quantized
	Pass  []uint8   // 1 where the straight-through gradient passes
	Bias  []int32   // on the grid sx·Scale, where the bias is
}

func (c *codes) init(n *Node) {
	k := n.Geom.WeightLen()
	c.W, c.V, c.Pass = make([]float32, k), make([]float32, k), make([]uint8, k)
	c.Scale, c.Bias = make([]float32, n.Geom.OutC), make([]int32, n.Geom.OutC)
}

// encode quantizes the weight with the scales of WScale. With sx, the scale of
// an integer input, a node without BN gets its bias on the grid sx·Scale.
func (n *Node) encode(c *codes, sx float32) {
	for o := range n.Geom.OutC {
		n.encodeChannel(c, o, sx)
	}
}

// maxBias bounds the bias's integer, so that it and an accumulator fit into int32.
const maxBias = 1 << 30

// encodeChannel returns Σ|w| of the channel's codes.
func (n *Node) encodeChannel(c *codes, o int, sx float32) (sum float64) {
	f := float32(1)
	if n.BN != nil && n.Mode == ReverseFold {
		f = n.BN.folded(o)
	}
	s := n.scale(o)
	if n.BN == nil && n.Bias && sx > 0 {
		s = fitBias(s, n.B.Data[o], sx)
		c.Bias[o] = biasCode(n.B.Data[o], sx, s)
	}
	c.Scale[o] = s
	lo32, hi32 := n.Weight.Limits()
	lo, hi := float32(lo32), float32(hi32)
	k := n.Geom.K()
	for i := o * k; i < (o+1)*k; i++ {
		r := n.round((n.W.Data[i] * f) / s)
		q := r
		c.Pass[i] = 1
		if r < lo {
			q, c.Pass[i] = lo, 0
		} else if r > hi {
			q, c.Pass[i] = hi, 0
		}
		c.W[i], c.V[i] = q, q*s
		sum += math.Abs(float64(q))
	}
	return sum
}

func (n *Node) round(v float32) float32 { return float32(n.Weight.Rounding.Round(float64(v))) }

// minScale keeps a scale that BN made tiny from becoming zero.
const minScale = 1.0 / (1 << 50) / (1 << 50)

// fitBias raises a weight scale so far that the bias fits on the accumulator's
// grid. That is needed only where the weights are next to nothing beside the bias:
// a channel whose γ is zero must still compute β.
func fitBias(s, bias, sx float32) float32 {
	least := float32(math.Abs(float64(bias)) / (float64(sx) * maxBias))
	return max(s, least, minScale)
}

// biasCode is the bias on the accumulator's grid sx·sw.
func biasCode(bias, sx, sw float32) int32 {
	q := math.RoundToEven(float64(bias) / float64(sx*sw))
	if !(q > -maxBias) {
		return -maxBias
	}
	return int32(min(q, maxBias))
}
