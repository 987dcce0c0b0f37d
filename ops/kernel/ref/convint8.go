package ref

import "qpipe/ops/kernel"

// ConvInt8 is ConvForward in integers:
//
//	acc[n,oh,ow,o] = Σ_{kh,kw,c} (int32(x[…]) - xZero) · int32(w[o,kh,kw,c])
//
// over the taps that lie in the image: padding counts as xZero. A sum that does
// not fit int32 wraps; it fits while K·255·128 < 2^31, which is K < 65793.
func ConvInt8(p *kernel.Conv, x []int8, xZero int32, w []int8, acc []int32, _ []byte, r0, r1 int) {
	cg, og := p.C/p.Groups, p.OutC/p.Groups
	for r := r0; r < r1; r++ {
		n, oh := r/p.OH, r%p.OH
		for ow := range p.OW {
			for o := range p.OutC {
				var sum int32
				for kh := range p.KH {
					ih := oh*p.StrideH - p.PadTop + kh*p.DilationH
					if ih < 0 || ih >= p.H {
						continue
					}
					for kw := range p.KW {
						iw := ow*p.StrideW - p.PadLeft + kw*p.DilationW
						if iw < 0 || iw >= p.W {
							continue
						}
						xs := x[((n*p.H+ih)*p.W+iw)*p.C+o/og*cg:]
						ws := w[((o*p.KH+kh)*p.KW+kw)*cg:]
						for c := range cg {
							sum += (int32(xs[c]) - xZero) * int32(ws[c])
						}
					}
				}
				acc[(r*p.OW+ow)*p.OutC+o] = sum
			}
		}
	}
}
