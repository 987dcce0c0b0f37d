package portable

import (
	"math"

	"qpipe/ops/kernel"
)

// view is the part of a pooling window that lies in the image: every dh-th row and dw-th column.
type view struct{ h0, h1, dh, w0, w1, dw int }

func viewOf(p *kernel.Pool, oh, ow int) view {
	top, left := oh*p.StrideH-p.PadTop, ow*p.StrideW-p.PadLeft
	dh, dw := p.Dilation()
	h0, h1 := kernel.Window(top, dh, p.KH, p.H)
	w0, w1 := kernel.Window(left, dw, p.KW, p.W)
	return view{top + h0*dh, top + h1*dh, dh, left + w0*dw, left + w1*dw, dw}
}

// MaxPool is ref.MaxPool, a row of channels at a time.
func MaxPool(p *kernel.Pool, x, y []float32, index []int32, r0, r1 int) {
	for r := r0; r < r1; r++ {
		n, oh := r/p.OH, r%p.OH
		for ow := range p.OW {
			v := viewOf(p, oh, ow)
			at := (r*p.OW + ow) * p.C
			best, where := y[at:at+p.C], index[at:at+p.C]
			for c := range best {
				best[c], where[c] = float32(math.Inf(-1)), -1
			}
			for h := v.h0; h < v.h1; h += v.dh {
				for w := v.w0; w < v.w1; w += v.dw {
					from := ((n*p.H+h)*p.W + w) * p.C
					larger(x[from:from+p.C], best, where, int32(from))
				}
			}
		}
	}
}

// larger takes over the values of x that are larger than the best so far; what
// has no index yet is always taken over, and so is the first NaN.
func larger(x, best []float32, where []int32, from int32) {
	best, where = best[:len(x)], where[:len(x)]
	for c, v := range x {
		b := best[c]
		if v <= b && where[c] >= 0 || b != b {
			continue
		}
		best[c], where[c] = v, from+int32(c)
	}
}

// MaxPoolInt8 is ref.MaxPoolInt8.
func MaxPoolInt8(p *kernel.Pool, x, y []uint8, index []int32, r0, r1 int) {
	for r := r0; r < r1; r++ {
		n, oh := r/p.OH, r%p.OH
		for ow := range p.OW {
			v := viewOf(p, oh, ow)
			at := (r*p.OW + ow) * p.C
			best := y[at:][:p.C]
			clear(best)
			var where []int32
			if index != nil {
				where = index[at:][:p.C]
				for c := range where {
					where[c] = -1
				}
			}
			for h := v.h0; h < v.h1; h += v.dh {
				for w := v.w0; w < v.w1; w += v.dw {
					from := ((n*p.H+h)*p.W + w) * p.C
					largerCode(x[from:from+p.C], best, where, int32(from))
				}
			}
		}
	}
}

// largerCode is larger for codes; where may be nil.
func largerCode(x, best []uint8, where []int32, from int32) {
	best = best[:len(x)]
	if where == nil {
		for c, v := range x {
			best[c] = max(best[c], v)
		}
		return
	}
	where = where[:len(x)]
	for c, v := range x {
		if v > best[c] || where[c] < 0 {
			best[c], where[c] = v, from+int32(c)
		}
	}
}

// AvgPool is ref.AvgPool with float32 sums.
func AvgPool(p *kernel.Pool, x, y []float32, r0, r1 int) {
	for r := r0; r < r1; r++ {
		n, oh := r/p.OH, r%p.OH
		for ow := range p.OW {
			v := viewOf(p, oh, ow)
			sum := y[(r*p.OW+ow)*p.C:][:p.C]
			clear(sum)
			for h := v.h0; h < v.h1; h += v.dh {
				for w := v.w0; w < v.w1; w += v.dw {
					AddTo(x[((n*p.H+h)*p.W+w)*p.C:][:p.C], sum)
				}
			}
			count := float32(max(p.Count(oh, ow), 1))
			for c := range sum {
				sum[c] /= count
			}
		}
	}
}

// AvgPoolBackward is ref.AvgPoolBackward with a multiplication by 1/count.
func AvgPoolBackward(p *kernel.Pool, dy, dx []float32, n0, n1 int) {
	clear(dx[n0*p.H*p.W*p.C : n1*p.H*p.W*p.C])
	for r := n0 * p.OH; r < n1*p.OH; r++ {
		n, oh := r/p.OH, r%p.OH
		for ow := range p.OW {
			v := viewOf(p, oh, ow)
			share := 1 / float32(max(p.Count(oh, ow), 1))
			d := dy[(r*p.OW+ow)*p.C:][:p.C]
			for h := v.h0; h < v.h1; h += v.dh {
				for w := v.w0; w < v.w1; w += v.dw {
					to := dx[((n*p.H+h)*p.W+w)*p.C:][:len(d)]
					for c, g := range d {
						to[c] += float32(g * share)
					}
				}
			}
		}
	}
}

// SumPoolInt8 is ref.SumPoolInt8.
func SumPoolInt8(p *kernel.Pool, x []uint8, xZero int32, acc []int32, r0, r1 int) {
	for r := r0; r < r1; r++ {
		n, oh := r/p.OH, r%p.OH
		for ow := range p.OW {
			v := viewOf(p, oh, ow)
			sum := acc[(r*p.OW+ow)*p.C:][:p.C]
			clear(sum)
			for h := v.h0; h < v.h1; h += v.dh {
				for w := v.w0; w < v.w1; w += v.dw {
					row := x[((n*p.H+h)*p.W+w)*p.C:][:len(sum)]
					for c, v := range row {
						sum[c] += int32(v) - xZero
					}
				}
			}
		}
	}
}
