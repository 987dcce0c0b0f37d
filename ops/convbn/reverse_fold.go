package convbn

import (
	"math"

	"qpipe/ops/quant"
)

// folds reports whether the weight was multiplied by s′ before it was quantized.
func (e *Exec) folds() bool {
	return e.node.BN != nil && e.node.Mode == ReverseFold && e.run.step.Quantize && e.node.Weight.Quantized()
}

// unfold sets s′ of channel o and whether γ has a gradient through it: not
// where s′ is not s, nor where the weight's scale is at its floor, for there FQ(W·s)/s
// is all rounding error and its derivative by s without bound.
func (e *Exec) unfold(o int) {
	bn, b := e.node.BN, e.norm
	s := bn.folded(o)
	b.folded[o] = float64(s)
	b.unit[o] /= b.folded[o]
	if math.Abs(float64(bn.Scale(o))) >= delta && e.codes.Scale[o] > quant.Epsilon {
		b.runningInvStd[o] = 1 / math.Sqrt(float64(bn.Var[o])+bn.Eps)
	}
}

// foldBackward adds to γ's gradient what comes through Wf = W·s and the division
// by s: ds = Σ dWf·W - Σ dv·c/s², with dwf = Σ dWf·W of channel o.
func (e *Exec) foldBackward(o int, dwf float64) {
	b := e.norm
	if b.runningInvStd[o] == 0 {
		return
	}
	ds := dwf - float64(b.sumProd[o]*b.unit[o])/b.folded[o]
	e.node.BN.Gamma.Grad[o] += float32(ds * b.runningInvStd[o])
}
