package ref

import "qpipe/ops/kernel"

// ConvForward computes, for the output rows r0 <= n·OH+oh < r1, every ow and every output
// channel o of group g = o/(OutC/Groups):
//
//	y[n,oh,ow,o] = Σ_{kh,kw,c} x[n, oh·StrideH-PadTop+kh·DilationH, ow·StrideW-PadLeft+kw·DilationW, g·C/Groups+c] · w[o,kh,kw,c]
//
// over c < C/Groups and the taps that lie in the image.
func ConvForward(p *kernel.Conv, x, w, y, _ []float32, r0, r1 int) {
	cg, og := p.C/p.Groups, p.OutC/p.Groups
	for r := r0; r < r1; r++ {
		n, oh := r/p.OH, r%p.OH
		for ow := range p.OW {
			for o := range p.OutC {
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

// ConvBackwardData computes, for the input rows r0 <= n·H+h < r1, every iw and every input
// channel g·C/Groups+c:
//
//	dx[n,ih,iw,g·C/Groups+c] = Σ_{kh,kw,o in g} dy[n,oh,ow,o] · w[o,kh,kw,c]
//
// over the taps with oh·StrideH = ih+PadTop-kh·DilationH and ow·StrideW =
// iw+PadLeft-kw·DilationW inside the output.
func ConvBackwardData(p *kernel.Conv, dy, w, dx, _ []float32, r0, r1 int) {
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
				dx[(r*p.W+iw)*p.C+c] = float32(sum)
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
// over the positions whose tap lies in the image. The sum is rounded before it is added.
func ConvBackwardWeights(p *kernel.Conv, x, dy, dw, _ []float32, n0, n1, o0, o1 int) {
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
							sum += float64(dy[(r*p.OW+ow)*p.OutC+o]) * float64(x[((n*p.H+ih)*p.W+iw)*p.C+o/og*cg+c])
						}
					}
					dw[((o*p.KH+kh)*p.KW+kw)*cg+c] += float32(sum)
				}
			}
		}
	}
}
