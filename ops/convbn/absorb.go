package convbn

import "math"

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
	k := n.Geom.K()
	w, b := NewTensor(len(n.W.Data)), NewTensor(n.Geom.OutC)
	for o := range n.Geom.OutC {
		s := n.factor(o)
		for i := o * k; i < (o+1)*k; i++ {
			w.Data[i] = n.W.Data[i] * s
		}
		b.Data[o] = n.BN.Shift(o, n.bias(o))
	}
	n.W, n.B = w, b
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
			n.UpdateScale()
		}
		n.Frozen = true
	}
	n.Fold()
	if n.W.Data != nil {
		n.UpdateScale()
	}
}
