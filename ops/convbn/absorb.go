package convbn

import (
	"math"

	"qpipe/ops/kernel"
	"qpipe/ops/tensor"
)

// delta is the smallest |s| that the reverse fold multiplies and divides by. It
// is so small that the weight's codes are zero there (its scale has float32's
// epsilon as its floor), so the output is β, and large enough that no quotient overflows.
const delta = 1.0 / (1 << 30) / (1 << 30)

// folded is the s′ of reverse fold for channel c: copysign(max(|s|, δ), s).
func (b *BN) folded(c int) float32 {
	s := b.Scale(c)
	if a := math.Abs(float64(s)); a < delta {
		return float32(math.Copysign(delta, float64(s)))
	}
	return s
}

// factor is what the weights of channel c are multiplied with when BN is folded
// into them.
func (n *Node) factor(c int) float32 {
	if n.Mode == ReverseFold {
		return n.BN.folded(c)
	}
	return n.BN.Scale(c)
}

// Fold moves BN with its running statistics into the weight and a bias:
// W·s and (b - μ)·s + β. The node's tensors are new ones after it.
func (n *Node) Fold() {
	if n.W.Data != nil {
		n.fold()
	}
	n.BN, n.Bias = nil, true
}

func (n *Node) fold() {
	w, b := tensor.NewParam(len(n.W.Data)), tensor.NewParam(n.Geom.OutC)
	n.foldWeight(w.Data)
	for o := range b.Data {
		b.Data[o] = n.shift(o, true)
	}
	n.W, n.B = w, b
}

// foldWeight writes the weight that the node has when BN is folded into it.
func (n *Node) foldWeight(w []float32) {
	k := n.Geom.K()
	for o := range n.Geom.OutC {
		s := n.factor(o)
		for i := o * k; i < (o+1)*k; i++ {
			w[i] = n.W.Data[i] * s
		}
	}
}

// shift is the bias of channel o, with BN folded into it if absorb asks for that.
func (n *Node) shift(o int, absorb bool) float32 {
	if absorb && n.BN != nil {
		return n.BN.Shift(o, n.bias(o))
	}
	return n.bias(o)
}

// absorbedScale is the weight scale that channel o has once BN is absorbed. Reverse fold's scale has seen BN already. In
// with_bn a scale per channel follows from the folded weight, as it does after an
// absorption that recomputes it; one that does not follow from the channel's own weights
// is multiplied by |s|, which every channel can afford: the int8 form has a scale for each.
func (n *Node) absorbedScale(set *kernel.Set, o int) float32 {
	if n.Mode != WithBN {
		return n.scale(o)
	}
	s, k := n.BN.Scale(o), n.Geom.K()
	if n.Weight.PerChannel && !n.Frozen {
		lo, hi := set.MinMax(n.W.Data[o*k : (o+1)*k])
		scale, _ := n.Weight.Scale(min(lo*s, hi*s), max(lo*s, hi*s))
		return scale
	}
	return max(n.scale(o)*float32(math.Abs(float64(s))), minScale)
}

func (n *Node) bias(o int) float32 {
	if !n.Bias || n.B.Data == nil {
		return 0
	}
	return n.B.Data[o]
}

// Absorb folds BN in the middle of training quantized. In with_bn the weight's
// scale stays as it was and is frozen, unless recompute asks for that of the
// absorbed weight. In reverse fold both are the same, and stays derived.
func (n *Node) Absorb(recompute bool) {
	if n.Mode == WithBN && !recompute && n.Weight.Quantized() {
		if n.W.Data != nil {
			n.Update()
		}
		n.Frozen = true
	}
	n.Fold()
	if n.W.Data != nil {
		n.Update()
	}
}
