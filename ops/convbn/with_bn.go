package convbn

import "math"

// Norm is a BN's computation over an accumulator of which 1 is worth up per
// channel: v = acc·up + bias, y = BN(v) = acc·a + b. It keeps what the backward
// pass must know of the forward pass, in float64.
type Norm struct {
	up   []float64 // unit, or unit/s′ in reverse fold
	mean []float64 // of acc over the batch
	inv  []float64 // 1/√(variance + ε) of what was normalized with
	sf   []float64 // reverse fold's s′; 1 in the other modes
	rinv []float64 // ds/dγ: 1/√(σ²+ε) with the running variance; 0 where s′ is not s
	db   []float64 // Σ dv
	dva  []float64 // Σ dv·acc
}

// NewNorm returns the computation for c channels.
func NewNorm(c int) *Norm {
	b := &Norm{}
	for _, s := range []*[]float64{&b.up, &b.mean, &b.inv, &b.sf, &b.rinv, &b.db, &b.dva} {
		*s = make([]float64, c)
	}
	return b
}

// Unit settles what 1 in the accumulator of channel o is worth.
func (b *Norm) Unit(o int, up float64) { b.up[o], b.sf[o], b.rinv[o] = up, 1, 0 }

// Batch normalizes with the batch's mean and biased variance, out of Σacc and
// Σacc² of count values, and moves the running statistics, with the unbiased variance.
func (b *Norm) Batch(o int, bn *BN, bias, sum, sq, count float64) (scale, shift float32) {
	up, mean := b.up[o], sum/count
	variance := max(sq/count-float64(mean*mean), 0) * up * up
	b.mean[o], b.inv[o] = mean, 1/math.Sqrt(variance+bn.Eps)
	a := float64(bn.Gamma.Data[o]) * b.inv[o] * up
	bn.track(o, float64(mean*up)+bias, variance, count)
	return float32(a), float32(float64(bn.Beta.Data[o]) - float64(mean*a))
}

// Running normalizes with the running statistics.
func (b *Norm) Running(o int, bn *BN, bias float64) (scale, shift float32) {
	b.inv[o] = 1 / math.Sqrt(float64(bn.Var[o])+bn.Eps)
	s := float64(bn.Gamma.Data[o]) * b.inv[o]
	return float32(s * b.up[o]), float32(float64((bias-float64(bn.Mean[o]))*s) + float64(bn.Beta.Data[o]))
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
	s, up := float64(bn.Gamma.Data[o])*b.inv[o], b.up[o]
	bn.Beta.Grad[o] = float32(g)
	if !batch {
		bn.Gamma.Grad[o] = float32(b.inv[o] * (float64(up*ga) + float64((bias-float64(bn.Mean[o]))*g)))
		b.db[o], b.dva[o] = s*g, s*ga
		return float32(s / b.sf[o]), 0, 0
	}
	centred := ga - float64(b.mean[o]*g)
	gx := up * b.inv[o] * centred
	bn.Gamma.Grad[o] = float32(gx)
	b.db[o], b.dva[o] = 0, s*centred*bn.Eps*b.inv[o]*b.inv[o]
	kk := -s / b.sf[o] * gx / count * up * b.inv[o]
	return float32(s / b.sf[o]), float32(kk), float32(-s/b.sf[o]*g/count - float64(kk*b.mean[o]))
}

// normalize settles a and b of a node with BN.
func (e *Exec) normalize() {
	count := float64(e.run.p.Rows() * e.run.p.OW)
	for o := range e.a {
		e.bn.Unit(o, float64(e.unit[o]))
		if e.folds() {
			e.unfold(o)
		}
		bias := float64(e.n.bias(o))
		if e.run.batch {
			sum, sq := e.m.Total(e.run.cut.N, e.run.p.OutC, o)
			e.a[o], e.b[o] = e.bn.Batch(o, e.n.BN, bias, sum, sq, count)
		} else {
			e.a[o], e.b[o] = e.bn.Running(o, e.n.BN, bias)
		}
	}
}
