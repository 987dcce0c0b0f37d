package ref

import "qpipe/ops/kernel"

// AvgPool computes, for the output rows r0 <= n·OH+oh < r1:
//
//	y[n,oh,ow,c] = Σ_{kh,kw} x[n, oh·StrideH-PadTop+kh, ow·StrideW-PadLeft+kw, c] / count
//
// over the window's elements in the image. count is KH·KW with CountPad, else the
// number of those elements; a window without one gives 0.
func AvgPool(p *kernel.Pool, x, y []float32, r0, r1 int) {
	for r := r0; r < r1; r++ {
		n, oh := r/p.OH, r%p.OH
		for ow := range p.OW {
			count := p.Count(oh, ow)
			for c := range p.C {
				var sum float64
				for kh := range p.KH {
					for kw := range p.KW {
						ih, iw := oh*p.StrideH-p.PadTop+kh, ow*p.StrideW-p.PadLeft+kw
						if ih >= 0 && ih < p.H && iw >= 0 && iw < p.W {
							sum += float64(x[((n*p.H+ih)*p.W+iw)*p.C+c])
						}
					}
				}
				y[(r*p.OW+ow)*p.C+c] = float32(sum / float64(max(count, 1)))
			}
		}
	}
}

// AvgPoolBackward computes, for the images n0 <= n < n1: dx = 0, then every window gives
// dy[n,oh,ow,c] / count to each of its elements in the image.
func AvgPoolBackward(p *kernel.Pool, dy, dx []float32, n0, n1 int) {
	clear(dx[n0*p.H*p.W*p.C : n1*p.H*p.W*p.C])
	for r := n0 * p.OH; r < n1*p.OH; r++ {
		n, oh := r/p.OH, r%p.OH
		for ow := range p.OW {
			count := float32(max(p.Count(oh, ow), 1))
			for kh := range p.KH {
				for kw := range p.KW {
					ih, iw := oh*p.StrideH-p.PadTop+kh, ow*p.StrideW-p.PadLeft+kw
					if ih < 0 || ih >= p.H || iw < 0 || iw >= p.W {
						continue
					}
					for c := range p.C {
						dx[((n*p.H+ih)*p.W+iw)*p.C+c] += dy[(r*p.OW+ow)*p.C+c] / count
					}
				}
			}
		}
	}
}

// SumPoolInt8 computes, for the output rows r0 <= n·OH+oh < r1: acc[n,oh,ow,c] =
// Σ_{kh,kw} (int32(x[…]) - xZero) over the window's elements in the image.
func SumPoolInt8(p *kernel.Pool, x []uint8, xZero int32, acc []int32, r0, r1 int) {
	for r := r0; r < r1; r++ {
		n, oh := r/p.OH, r%p.OH
		for ow := range p.OW {
			for c := range p.C {
				var sum int32
				for kh := range p.KH {
					for kw := range p.KW {
						ih, iw := oh*p.StrideH-p.PadTop+kh, ow*p.StrideW-p.PadLeft+kw
						if ih >= 0 && ih < p.H && iw >= 0 && iw < p.W {
							sum += int32(x[((n*p.H+ih)*p.W+iw)*p.C+c]) - xZero
						}
					}
				}
				acc[(r*p.OW+ow)*p.C+c] = sum
			}
		}
	}
}
