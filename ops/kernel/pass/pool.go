package pass

import (
	"math"

	"qpipe/ops/kernel"
	"qpipe/ops/kernel/window"
)

// poolRun is a run of output pixels of one row whose windows are alike: rows by cols elements of the
// image, and the first window's begins at from, in elements of the input.
type poolRun struct {
	at, pixels int // the first output pixel, n·OH·OW + oh·OW + ow, and how many there are
	rows, cols int
	from       int
	count      int // what averages divide by
}

// poolRuns calls f for the output row r, for each run of alike windows; a window entirely outside the image has no rows
// or no columns.
func poolRuns(p *kernel.Pool, r int, f func(s poolRun)) {
	n, oh := r/p.OH, r%p.OH
	top := oh*p.StrideH - p.PadTop
	h0, h1 := max(top, 0), min(top+p.KH, p.H)
	for ow := 0; ow < p.OW; {
		left := ow*p.StrideW - p.PadLeft
		w0, w1 := max(left, 0), min(left+p.KW, p.W)
		pixels := 1
		if left >= 0 && left+p.KW <= p.W {
			pixels = min((p.W-p.KW-left)/p.StrideW+1, p.OW-ow)
		}
		f(poolRun{
			at: r*p.OW + ow, pixels: pixels, rows: max(h1-h0, 0), cols: max(w1-w0, 0),
			from: ((n*p.H+h0)*p.W + w0) * p.C, count: p.Count(oh, ow),
		})
		ow += pixels
	}
}

// empty reports whether no element of the windows is inside the image.
func (s poolRun) empty() bool { return s.rows == 0 || s.cols == 0 }

// in returns the input from the first window's first element up to the last one's last.
func in[T any](x []T, p *kernel.Pool, s poolRun) *T {
	n := (s.pixels-1)*p.StrideW*p.C + (s.rows-1)*p.W*p.C + s.cols*p.C
	return &x[s.from : s.from+n][0]
}

// out returns the pixels' outputs.
func out[T any](y []T, p *kernel.Pool, s poolRun) []T { return y[s.at*p.C : (s.at+s.pixels)*p.C] }

func (p *passes) maxPool(w *kernel.Pool, x, y []float32, index []int32, r0, r1 int) {
	if w.C == 0 {
		return
	}
	if dh, dw := w.Dilation(); dh*dw > 1 {
		p.plain.MaxPool(w, x, y, index, r0, r1)
		return
	}
	for r := r0; r < r1; r++ {
		poolRuns(w, r, func(s poolRun) {
			ys, is := out(y, w, s), out(index, w, s)
			if s.empty() {
				window.Fill(ys, float32(math.Inf(-1)))
				window.Fill(is, -1)
				return
			}
			p.asm.MaxPool(in(x, w, s), &ys[0], &is[0], w.C, s.rows, s.cols, w.W*w.C, s.pixels, w.StrideW*w.C, s.from)
		})
	}
}

func (p *passes) maxPoolInt8(w *kernel.Pool, x, y []uint8, index []int32, r0, r1 int) {
	if w.C == 0 {
		return
	}
	if dh, dw := w.Dilation(); dh*dw > 1 {
		p.plain.MaxPoolInt8(w, x, y, index, r0, r1)
		return
	}
	for r := r0; r < r1; r++ {
		poolRuns(w, r, func(s poolRun) {
			ys := out(y, w, s)
			var is []int32
			if index != nil {
				is = out(index, w, s)
			}
			switch {
			case s.empty():
				clear(ys)
				window.Fill(is, -1)
			case index == nil:
				p.asm.MaxPoolCodes(in(x, w, s), &ys[0], w.C, s.rows, s.cols, w.W*w.C, s.pixels, w.StrideW*w.C)
			default:
				p.asm.MaxPoolCodesIndex(in(x, w, s), &ys[0], &is[0], w.C, s.rows, s.cols, w.W*w.C, s.pixels, w.StrideW*w.C, s.from)
			}
		})
	}
}

func (p *passes) avgPool(w *kernel.Pool, x, y []float32, r0, r1 int) {
	if w.C == 0 {
		return
	}
	for r := r0; r < r1; r++ {
		poolRuns(w, r, func(s poolRun) {
			ys := out(y, w, s)
			if s.empty() {
				clear(ys)
				return
			}
			p.asm.AvgPool(in(x, w, s), &ys[0], w.C, s.rows, s.cols, w.W*w.C, s.pixels, w.StrideW*w.C, float64(s.count))
		})
	}
}

func (p *passes) avgPoolBackward(w *kernel.Pool, dy, dx []float32, n0, n1 int) {
	clear(dx[n0*w.H*w.W*w.C : n1*w.H*w.W*w.C])
	if w.C == 0 {
		return
	}
	for r := n0 * w.OH; r < n1*w.OH; r++ {
		poolRuns(w, r, func(s poolRun) {
			if !s.empty() {
				p.asm.AvgSpread(&out(dy, w, s)[0], in(dx, w, s), w.C, s.rows, s.cols, w.W*w.C, s.pixels, w.StrideW*w.C, float32(s.count))
			}
		})
	}
}

func (p *passes) sumPoolInt8(w *kernel.Pool, x []uint8, xZero int32, acc []int32, r0, r1 int) {
	if w.C == 0 {
		return
	}
	for r := r0; r < r1; r++ {
		poolRuns(w, r, func(s poolRun) {
			sums := out(acc, w, s)
			if s.empty() {
				clear(sums)
				return
			}
			start := -xZero * int32(s.rows*s.cols)
			p.asm.SumPool(in(x, w, s), &sums[0], w.C, s.rows, s.cols, w.W*w.C, s.pixels, w.StrideW*w.C, start)
		})
	}
}
