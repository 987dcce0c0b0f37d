package convbn

import (
	"math"

	"qpipe/ops/kernel"
	"qpipe/ops/kernel/ref"
)

// Update derives WScale from the present weight (in reverse fold: from the
// folded one), unless it is frozen.
func (n *Node) Update() {
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
	lo, hi = ref.MinMax(n.W.Data[o*k : (o+1)*k])
	return n.foldRange(o, lo, hi)
}

// foldRange turns the extremes of channel o's raw weights into those of what is
// quantized: in reverse fold the folded weights.
func (n *Node) foldRange(o int, lo, hi float32) (float32, float32) {
	if n.BN == nil || n.Mode != ReverseFold {
		return lo, hi
	}
	s := n.BN.folded(o)
	return min(lo*s, hi*s), max(lo*s, hi*s)
}

// scale returns the weight scale of channel o.
func (n *Node) scale(o int) float32 {
	if len(n.WScale) == 1 {
		return n.WScale[0]
	}
	return n.WScale[o]
}

// codes is the quantized weight as a forward pass computes with it.
type codes struct {
	Codes  []int8    // integers
	Values []float32 // what they stand for, W·Scale
	Scale  []float32 // per output channel; 1 where the weight is not quantized
	Mask   []uint8   // where the straight-through gradient passes; a channel's bits start on a byte of their own
	Bias   []int32   // on the grid sx·Scale, where the bias is
}

func (c *codes) init(n *Node) {
	k, outs := n.Geom.WeightLen(), n.Geom.OutC
	c.Codes, c.Values, c.Mask = make([]int8, k), make([]float32, k), make([]uint8, outs*maskBytes(n.Geom.K()))
	c.Scale, c.Bias = make([]float32, outs), make([]int32, outs)
}

// maskBytes is the bytes of mask of a channel with k weights.
func maskBytes(k int) int { return (k + 7) / 8 }

// mask returns the mask of channel o, which has k weights.
func (c *codes) mask(o, k int) []uint8 {
	w := maskBytes(k)
	return c.Mask[o*w : (o+1)*w]
}

// encode quantizes the weight as the int8 form has it, for an integer input of scale
// sx: with BN absorbed and the bias on the grid sx·Scale.
func (n *Node) encode(c *codes, sx float32) {
	set := ref.Set()
	for o := range n.Geom.OutC {
		n.encodeChannel(set, c, o, sx, true)
	}
}

// maxBias bounds the integer of a bias, so that it fits into int32 beside a sum of k products, of weights up to 127 in size and
// codes up to 255 from their zero point.
func maxBias(k int) int32 { return int32(min(1<<30, math.MaxInt32-127*255*int64(k))) }

// encodeChannel quantizes channel o's weights: as training does or, with absorb, as
// after the absorption of BN. Where nothing but the bias is left to follow the
// accumulator and sx, the scale of an integer input, is given, the bias goes on the
// grid sx·Scale.
func (n *Node) encodeChannel(set *kernel.Set, c *codes, o int, sx float32, absorb bool) {
	k := n.Geom.K()
	w := n.W.Data[o*k : (o+1)*k]
	f, s := float32(1), n.scale(o)
	switch {
	case n.BN == nil:
	case absorb:
		f, s = n.factor(o), n.absorbedScale(set, o)
	case n.Mode == ReverseFold:
		f = n.BN.folded(o)
	}
	if (absorb || n.BN == nil) && (n.Bias || n.BN != nil) && sx > 0 {
		b := n.shift(o, absorb)
		most := maxBias(min(k, kernel.MaxProducts))
		s = fitBias(s, b, sx, most)
		c.Bias[o] = biasCode(b, sx, s, most)
	}
	c.Scale[o] = s
	set.EncodeWeights(w, f, n.Weight.Params(s, 0), c.Codes[o*k:(o+1)*k], c.Values[o*k:(o+1)*k], c.mask(o, k))
}

// minScale keeps a scale that BN made tiny from becoming zero.
const minScale = 1.0 / (1 << 50) / (1 << 50)

// fitBias raises a weight scale so far that the bias fits on the accumulator's
// grid. That is needed only where the weights are next to nothing beside the bias:
// a channel whose γ is zero must still compute β.
func fitBias(s, bias, sx float32, most int32) float32 {
	least := float32(math.Abs(float64(bias)) / (float64(sx) * float64(most)))
	return max(s, least, minScale)
}

// biasCode is the bias on the accumulator's grid sx·sw, at most most in size.
func biasCode(bias, sx, sw float32, most int32) int32 {
	q := math.RoundToEven(float64(bias) / float64(sx*sw))
	if !(q > float64(-most)) {
		return -most
	}
	return int32(min(q, float64(most)))
}
