package ref

import "qpipe/ops/kernel"

// ConvPack copies the weights of the output channels o0 <= o < o1.
func ConvPack(p *kernel.Conv, w, packed []float32, o0, o1 int) {
	copy(packed[o0*p.K():], w[o0*p.K():o1*p.K()])
}

// ConvForward computes, for the output rows r0 <= n·OH+oh < r1, every ow and the output
// channels o0 <= o < o1 of group g = o/(OutC/Groups):
//
//	y[n,oh,ow,o] = Σ_{kh,kw,c} x[n, oh·StrideH-PadTop+kh·DilationH, ow·StrideW-PadLeft+kw·DilationW, g·C/Groups+c] · w[o,kh,kw,c]
//
// over c < C/Groups and the taps that lie in the image.
func ConvForward(p *kernel.Conv, x, w, y []float32, _ *kernel.Scratch, r0, r1, o0, o1 int) {
	cg, og := p.C/p.Groups, p.OutC/p.Groups
	for r := r0; r < r1; r++ {
		n, oh := r/p.OH, r%p.OH
		for ow := range p.OW {
			for o := o0; o < o1; o++ {
				var sum float64
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
							sum += float64(xs[c]) * float64(ws[c])
						}
					}
				}
				y[(r*p.OW+ow)*p.OutC+o] = float32(sum)
			}
		}
	}
}

// ConvDataPack copies the weights of the input channels c0 <= c < c1; with groups, all of them.
func ConvDataPack(p *kernel.Conv, w, packed []float32, c0, c1 int) {
	if p.Groups > 1 {
		copy(packed, w)
		return
	}
	for i := range p.OutC * p.KH * p.KW {
		copy(packed[i*p.C+c0:], w[i*p.C+c0:i*p.C+c1])
	}
}

// ConvBackwardData computes, for the input rows r0 <= n·H+h < r1, every iw and every input
// channel g·C/Groups+c:
//
//	dx[n,ih,iw,g·C/Groups+c] = Σ_{kh,kw,o in g} dy[n,oh,ow,o] · w[o,kh,kw,c]
//
// over the taps with oh·StrideH = ih+PadTop-kh·DilationH and ow·StrideW =
// iw+PadLeft-kw·DilationW inside the output. With add it is dx += Σ; the sum is
// rounded before it is added.
func ConvBackwardData(p *kernel.Conv, dy, w, dx []float32, add bool, _ *kernel.Scratch, r0, r1 int) {
	cg, og := p.C/p.Groups, p.OutC/p.Groups
	for r := r0; r < r1; r++ {
		n, ih := r/p.H, r%p.H
		for iw := range p.W {
			for c := range p.C {
				var sum float64
				for kh := range p.KH {
					oh, ok := source(ih+p.PadTop-kh*p.DilationH, p.StrideH, p.OH)
					if !ok {
						continue
					}
					for kw := range p.KW {
						ow, ok := source(iw+p.PadLeft-kw*p.DilationW, p.StrideW, p.OW)
						if !ok {
							continue
						}
						for o := c / cg * og; o < (c/cg+1)*og; o++ {
							sum += float64(dy[((n*p.OH+oh)*p.OW+ow)*p.OutC+o]) * float64(w[((o*p.KH+kh)*p.KW+kw)*cg+c%cg])
						}
					}
				}
				if i := (r*p.W+iw)*p.C + c; add {
					dx[i] += float32(sum)
				} else {
					dx[i] = float32(sum)
				}
			}
		}
	}
}

// source returns the output position whose window's tap lies at the given distance
// from the padded edge, and whether there is one.
func source(distance, stride, limit int) (int, bool) {
	if distance < 0 || distance%stride != 0 {
		return 0, false
	}
	return distance / stride, distance/stride < limit
}

// ConvBackwardWeights computes, for the output channels o0 <= o < o1 of group g and every tap:
//
//	dw[o,kh,kw,c] += Σ_{n0<=n<n1, oh, ow} dy[n,oh,ow,o] · x[n, oh·StrideH-PadTop+kh·DilationH, ow·StrideW-PadLeft+kw·DilationW, g·C/Groups+c]
//
// over the positions whose tap lies in the image. Where x has codes, it is q - Zero.
// The sum is rounded before it is added.
func ConvBackwardWeights(p *kernel.Conv, x kernel.Operand, dy, dw []float32, _ *kernel.Scratch, n0, n1, o0, o1 int) {
	cg, og := p.C/p.Groups, p.OutC/p.Groups
	for o := o0; o < o1; o++ {
		for kh := range p.KH {
			for kw := range p.KW {
				for c := range cg {
					var sum float64
					for r := n0 * p.OH; r < n1*p.OH; r++ {
						n, oh := r/p.OH, r%p.OH
						ih := oh*p.StrideH - p.PadTop + kh*p.DilationH
						if ih < 0 || ih >= p.H {
							continue
						}
						for ow := range p.OW {
							iw := ow*p.StrideW - p.PadLeft + kw*p.DilationW
							if iw < 0 || iw >= p.W {
								continue
							}
							i := ((n*p.H+ih)*p.W+iw)*p.C + o/og*cg + c
							d := float64(dy[(r*p.OW+ow)*p.OutC+o])
							if x.F != nil {
								sum += d * float64(x.F[i])
							} else {
								sum += d * float64(int32(x.Q[i])-x.Zero)
							}
						}
					}
					dw[((o*p.KH+kh)*p.KW+kw)*cg+c] += float32(sum)
				}
			}
		}
	}
}
