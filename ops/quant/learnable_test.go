package quant

import "qpipe/ops/kernel"

// Learnable, which no part uses yet, is a fake quantization whose scale and zero point are trained
// (learned step size quantization, LSQ). A tensor is seen as [outer][channels][Inner];
// one channel is per tensor. Zero points are kept as floats, as a trained
// parameter is, and rounded and clamped to the codes where they are used.
type Learnable struct {
	Scale, Zero []float32 // one a channel
	Inner       int       // elements of a channel that lie together
	Min, Max    int32
	GradFactor  float32 // multiplies the gradients to Scale and Zero; LSQ takes 1/√(elements·Max)
}

// params returns the quantization of the channel that holds element i.
func (l *Learnable) params(i int) (c int, q kernel.Quant) {
	c = i / l.Inner % len(l.Scale)
	zero := clampCode(HalfEven.Round(float64(l.Zero[c])), l.Min, l.Max)
	return c, kernel.Quant{Scale: l.Scale[c], Zero: zero, Min: l.Min, Max: l.Max}
}

// Forward writes the fake-quantized x; y may be x.
func (l *Learnable) Forward(x, y []float32) {
	for i, v := range x {
		_, q := l.params(i)
		y[i] = Fake(v, q)
	}
}

// Backward takes r = round(x/Scale) + Zero, writes dx = dy inside the codes, else
// 0, and adds to the channel's gradients
//
//	dscale += GradFactor · Σ dy·(Min - Zero | Max - Zero | (y - x)/Scale)
//	dzero  += GradFactor · Σ dy·(  -Scale   |   -Scale   |       0      )
//
// for r below, above and inside the codes. Sums are formed in float64. dx may be
// dy. A NaN in x makes dscale NaN; its dx is 0.
func (l *Learnable) Backward(x, dy, dx, dscale, dzero []float32) {
	sums := make([]float64, 2*len(l.Scale))
	for i, v := range x {
		c, q := l.params(i)
		t := float64(v / q.Scale)
		r := HalfEven.Round(t) + float64(q.Zero)
		g := float64(dy[i])
		switch {
		case r < float64(q.Min):
			sums[2*c] += float64(g * float64(q.Min-q.Zero))
			sums[2*c+1] -= float64(g * float64(q.Scale))
			dx[i] = 0
		case r > float64(q.Max):
			sums[2*c] += float64(g * float64(q.Max-q.Zero))
			sums[2*c+1] -= float64(g * float64(q.Scale))
			dx[i] = 0
		case r != r:
			sums[2*c] = r
			dx[i] = 0
		default:
			sums[2*c] += float64(g * (r - float64(q.Zero) - float64(v)/float64(q.Scale)))
			dx[i] = dy[i]
		}
	}
	for c := range l.Scale {
		dscale[c] += float32(sums[2*c] * float64(l.GradFactor))
		dzero[c] += float32(sums[2*c+1] * float64(l.GradFactor))
	}
}
