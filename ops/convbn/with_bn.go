package convbn

import "math"

// Norm is a BN's computation over an accumulator that is multiplied by unit[channel]
// for real values: v = acc·up + bias, y = BN(v) = acc·a + b. It keeps what the backward
// pass must know of the forward pass, in float64.
type Norm struct {
	unit          []float64 // unit, or unit/s′ in reverse fold
	mean          []float64 // of acc over the batch
	invStd        []float64 // 1/√(variance + ε) of what was normalized with
	folded        []float64 // reverse fold's s′; 1 in the other modes
	runningInvStd []float64 // ds/dγ: 1/√(σ²+ε) with the running variance; 0 where s′ is not s
	sumGrad       []float64 // Σ dv
	sumProd       []float64 // Σ dv·acc
}

// NewNorm returns the computation for c channels.
func NewNorm(c int) *Norm {
	b := &Norm{}
	for _, s := range []*[]float64{&b.unit, &b.mean, &b.invStd, &b.folded, &b.runningInvStd, &b.sumGrad, &b.sumProd} {
		*s = make([]float64, c)
	}
	return b
}

// Unit sets the unit of channel o: what 1 in its accumulator stands for.
func (b *Norm) Unit(o int, up float64) { b.unit[o], b.folded[o], b.runningInvStd[o] = up, 1, 0 }

// Batch normalizes with the batch's mean and biased variance, out of Σacc and
// Σacc² of count values, and moves the running statistics, with the unbiased variance.
func (b *Norm) Batch(o int, bn *BN, bias, sum, sq, count float64) (scale, shift float32) {
	up, mean := b.unit[o], sum/count
	variance := float64(max(sq/count-float64(mean*mean), 0) * up * up)
	b.mean[o], b.invStd[o] = mean, 1/math.Sqrt(variance+bn.Eps)
	a := float64(bn.Gamma.Data[o]) * b.invStd[o] * up
	bn.track(o, float64(mean*up)+bias, variance, count)
	return float32(a), float32(float64(bn.Beta.Data[o]) - float64(mean*a))
}

// Running normalizes with the running statistics.
func (b *Norm) Running(o int, bn *BN, bias float64) (scale, shift float32) {
	b.invStd[o] = 1 / math.Sqrt(float64(bn.Var[o])+bn.Eps)
	s := float64(bn.Gamma.Data[o]) * b.invStd[o]
	return float32(s * b.unit[o]), float32(float64((bias-float64(bn.Mean[o]))*s) + float64(bn.Beta.Data[o]))
}

// track moves the running statistics of channel o.
func (b *BN) track(o int, mean, variance, count float64) {
	if count > 1 {
		variance *= count / (count - 1)
	}
	m := b.Momentum
	b.Mean[o] = float32(float64((1-m)*float64(b.Mean[o])) + float64(m*mean))
	b.Var[o] = float32(float64((1-m)*float64(b.Var[o])) + float64(m*variance))
}

// Backward turns g = Σdy and ga = Σdy·acc into the gradients of γ and β, and into the
// coefficients of the gradient in front of BN (in reverse fold: in front of the
// division by s′), dc = dy·a + acc·k + l. With running statistics k and l are zero.
func (b *Norm) Backward(o int, bn *BN, batch bool, bias, g, ga, count float64) (a, k, l float32) {
	s, up := float64(bn.Gamma.Data[o])*b.invStd[o], b.unit[o]
	bn.Beta.Grad[o] = float32(g)
	if !batch {
		bn.Gamma.Grad[o] = float32(b.invStd[o] * (float64(up*ga) + float64((bias-float64(bn.Mean[o]))*g)))
		b.sumGrad[o], b.sumProd[o] = s*g, s*ga
		return float32(s / b.folded[o]), 0, 0
	}
	centred := ga - float64(b.mean[o]*g)
	gx := up * b.invStd[o] * centred
	bn.Gamma.Grad[o] = float32(gx)
	b.sumGrad[o], b.sumProd[o] = 0, s*centred*bn.Eps*b.invStd[o]*b.invStd[o]
	kk := -s / b.folded[o] * gx / count * up * b.invStd[o]
	return float32(s / b.folded[o]), float32(kk), float32(-s/b.folded[o]*g/count - float64(kk*b.mean[o]))
}

// normalize computes scale and shift of a node with BN.
func (e *Exec) normalize() {
	count := float64(e.run.geom.Rows() * e.run.geom.OW)
	for o := range e.scale {
		e.norm.Unit(o, float64(e.unit[o]))
		if e.folds() {
			e.unfold(o)
		}
		bias := float64(e.node.bias(o))
		if e.run.batch {
			sum, sq := e.machine.Total(e.run.cut.N, e.run.geom.OutC, o)
			e.scale[o], e.shift[o] = e.norm.Batch(o, e.node.BN, bias, sum, sq, count)
		} else {
			e.scale[o], e.shift[o] = e.norm.Running(o, e.node.BN, bias)
		}
	}
}
