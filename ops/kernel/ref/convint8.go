package ref

import "qpipe/ops/kernel"

// ConvInt8Pack copies the weights of the output channels o0 <= o < o1 and computes
// sums[o] = Σ_{kh,kw,c} w[o,kh,kw,c].
func ConvInt8Pack(p *kernel.Conv, w, packed []int8, sums []int32, o0, o1 int) {
	k := p.K()
	copy(packed[o0*k:], w[o0*k:o1*k])
	for o := o0; o < o1; o++ {
		sums[o] = 0
		for _, v := range w[o*k : (o+1)*k] {
			sums[o] += int32(v)
		}
	}
}

// ConvInt8 is ConvForward in integers:
//
//	acc[n,oh,ow,o] = bias[o] + Σ_{kh,kw,c} int32(x[…]) · int32(w[o,kh,kw,c])
//
// over all taps; x is pad where a tap lies beyond the edges. A sum that does not
// fit int32 wraps. With bias[o] = -pad·Σw[o] it is Σ (x - pad)·w, which fits while
// K·255·128 < 2^31, and that is K < 65793. Then, as out says:
//
//	Acc = acc
//	F   = float32(acc) [· Q.M[o]]
//	Y   = Requantize of acc, without a bias, with Z
func ConvInt8(p *kernel.Conv, x []uint8, pad uint8, w []int8, bias []int32, out *kernel.Int8Out, _ *kernel.Scratch, r0, r1, o0, o1 int) {
	cg, og := p.C/p.Groups, p.OutC/p.Groups
	for r := r0; r < r1; r++ {
		n, oh := r/p.OH, r%p.OH
		for ow := range p.OW {
			for o := o0; o < o1; o++ {
				sum := bias[o]
				for kh := range p.KH {
					for kw := range p.KW {
						ih := oh*p.StrideH - p.PadTop + kh*p.DilationH
						iw := ow*p.StrideW - p.PadLeft + kw*p.DilationW
						ws := w[((o*p.KH+kh)*p.KW+kw)*cg:][:cg]
						if ih < 0 || ih >= p.H || iw < 0 || iw >= p.W {
							for _, v := range ws {
								sum += int32(pad) * int32(v)
							}
							continue
						}
						xs := x[((n*p.H+ih)*p.W+iw)*p.C+o/og*cg:]
						for c, v := range ws {
							sum += int32(xs[c]) * int32(v)
						}
					}
				}
				store(out, (r*p.OW+ow)*p.OutC+o, o, sum)
			}
		}
	}
}

// store writes the accumulator of element i, which belongs to channel o.
func store(out *kernel.Int8Out, i, o int, acc int32) {
	switch {
	case out.Acc != nil:
		out.Acc[i] = acc
	case out.F != nil && out.Q == nil:
		out.F[i] = float32(acc)
	case out.F != nil:
		out.F[i] = float32(acc) * out.Q.M[o]
	case out.Z != nil:
		out.Y[i], _ = requantize(out.Q, float32(acc)*out.Q.M[o], &out.Z[i])
	default:
		out.Y[i], _ = requantize(out.Q, float32(acc)*out.Q.M[o], nil)
	}
}
