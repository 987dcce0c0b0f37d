package convbn

import (
	"math"

	"qpipe/ops/quant"
)

// folds reports whether the weight was multiplied by s′ before it was quantized.
func (e *Exec) folds() bool {
	return e.n.BN != nil && e.n.Mode == ReverseFold && e.run.st.Quantize && e.n.Weight.Quantized()
}

// unfold settles s′ of channel o and whether γ has a gradient through it: not
// where s′ is not s, nor where the weight's scale is at its floor, for there FQ(W·s)/s
// is all rounding error and its derivative by s without bound.
func (e *Exec) unfold(o int) {
	bn, b := e.n.BN, e.bn
	s := bn.folded(o)
	b.sf[o] = float64(s)
	b.up[o] /= b.sf[o]
	if math.Abs(float64(bn.Scale(o))) >= delta && e.c.Scale[o] > quant.Epsilon {
		b.rinv[o] = 1 / math.Sqrt(float64(bn.Var[o])+bn.Eps)
	}
}

// foldBackward adds to γ's gradient what comes through Wf = W·s and the division
// by s: ds = Σ dWf·W - Σ dv·c/s², with dwf = Σ dWf·W of channel o.
func (e *Exec) foldBackward(o int, dwf float64) {
	b := e.bn
	if b.rinv[o] == 0 {
		return
	}
	ds := dwf - float64(b.dva[o]*b.up[o])/b.sf[o]
	e.n.BN.Gamma.Grad[o] += float32(ds * b.rinv[o])
}
