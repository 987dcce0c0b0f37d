package ref

import (
	"math"

	"qpipe/ops/kernel"
)

// MaxPool computes, for the output rows r0 <= n·OH+oh < r1:
//
//	y[n,oh,ow,c] = max_{kh,kw} x[n, oh·StrideH-PadTop+kh·DilationH, ow·StrideW-PadLeft+kw·DilationW, c]
//
// over the window's elements in the image; index is the offset into x of the
// first one that has the value. NaN counts as larger than everything. A window
// without an element gives -Inf and the index -1.
func MaxPool(p *kernel.Pool, x, y []float32, index []int32, r0, r1 int) {
	dh, dw := p.Dilation()
	for r := r0; r < r1; r++ {
		n, oh := r/p.OH, r%p.OH
		for ow := range p.OW {
			for c := range p.C {
				best, at := float32(math.Inf(-1)), int32(-1)
				for kh := range p.KH {
					for kw := range p.KW {
						ih, iw := oh*p.StrideH-p.PadTop+kh*dh, ow*p.StrideW-p.PadLeft+kw*dw
						if ih < 0 || ih >= p.H || iw < 0 || iw >= p.W {
							continue
						}
						i := ((n*p.H+ih)*p.W+iw)*p.C + c
						if v := x[i]; at < 0 || v > best || v != v && best == best {
							best, at = v, int32(i)
						}
					}
				}
				y[(r*p.OW+ow)*p.C+c], index[(r*p.OW+ow)*p.C+c] = best, at
			}
		}
	}
}

// MaxPoolBackward computes, for the images n0 <= n < n1: dx = 0, then dx[index[i]] += dy[i]
// for ascending i.
func MaxPoolBackward(p *kernel.Pool, dy []float32, index []int32, dx []float32, n0, n1 int) {
	clear(dx[n0*p.H*p.W*p.C : n1*p.H*p.W*p.C])
	for i := n0 * p.OH * p.OW * p.C; i < n1*p.OH*p.OW*p.C; i++ {
		if index[i] >= 0 {
			dx[index[i]] += dy[i]
		}
	}
}

// MaxPoolInt8 is MaxPool on codes; a window without an element gives 0 and the
// index -1. index may be nil.
func MaxPoolInt8(p *kernel.Pool, x, y []uint8, index []int32, r0, r1 int) {
	dh, dw := p.Dilation()
	for r := r0; r < r1; r++ {
		n, oh := r/p.OH, r%p.OH
		for ow := range p.OW {
			for c := range p.C {
				best, at := uint8(0), int32(-1)
				for kh := range p.KH {
					for kw := range p.KW {
						ih, iw := oh*p.StrideH-p.PadTop+kh*dh, ow*p.StrideW-p.PadLeft+kw*dw
						if ih < 0 || ih >= p.H || iw < 0 || iw >= p.W {
							continue
						}
						i := ((n*p.H+ih)*p.W+iw)*p.C + c
						if v := x[i]; at < 0 || v > best {
							best, at = v, int32(i)
						}
					}
				}
				y[(r*p.OW+ow)*p.C+c] = best
				if index != nil {
					index[(r*p.OW+ow)*p.C+c] = at
				}
			}
		}
	}
}
