package dense

import (
	"qpipe/ops/kernel"
	"qpipe/ops/kernel/window"
)

// widePlan is the gradient of an input with few channels, usually the network's input, where a vector of a pixel's
// channels would be mostly empty. So a row of the input, counted from the padded edge, is cut into groups of pixels
// whose channels together are the columns, and the rows of the product are all results that reach the group. Rows of
// the input fall into phases of the stride; all of a phase see the same taps.
type widePlan struct {
	*kernel.Conv
	group int // pixels, a multiple of the stride
	reach int // results of a row that reach a group
	back  int // … as many of them before the group's own
	count int // groups of a row
	rows  int // input rows of a block
	width int // of a panel
	line  int // of the strip of dy
}

// wide returns the plan, and whether it is faster.
func (f *F32) wide(p *kernel.Conv) (widePlan, bool) {
	w := widePlan{Conv: p, width: f.NR / 2, group: f.NR / 2 / p.C / p.StrideW * p.StrideW, back: (p.KW - 1) / p.StrideW}
	w.reach = w.group/p.StrideW + w.back
	if w.group == 0 || p.Groups != 1 || p.DilationH != 1 || p.DilationW != 1 || 5*w.group*p.KW < 6*p.StrideW*w.reach {
		return w, false
	}
	w.count = (p.PadLeft + p.W + w.group - 1) / w.group
	w.line = ((w.count-1)*w.group/p.StrideW + w.reach) * p.OutC
	w.rows = max(f32Block*p.StrideH/w.count, 1)
	for w.rows > 1 && w.stripRows()*w.line > f32Strip {
		w.rows--
	}
	return w, true
}

// stripRows is how many rows of dy reach the rows of a block, at most.
func (w *widePlan) stripRows() int { return (w.rows-1)/w.StrideH + 2 + (w.KH-1)/w.StrideH }

// taps is how many taps a phase of rows sees.
func (w *widePlan) taps(phase int) int { return max(w.KH-phase+w.StrideH-1, 0) / w.StrideH }

func (w *widePlan) packSize() int { return w.KH * w.reach * w.OutC * w.width }

// pack writes for each phase [taps, last first][reach][OutC][pixel of the group, channel].
func (w *widePlan) pack(weights, packed []float32) {
	clear(packed[:w.packSize()])
	for phase := range w.StrideH {
		for i := w.taps(phase) - 1; i >= 0; i-- {
			kh := phase + i*w.StrideH
			for e := range w.reach {
				for o := range w.OutC {
					for d := range w.group {
						if kw := d - (e-w.back)*w.StrideW; kw >= 0 && kw < w.KW {
							copy(packed[d*w.C:(d+1)*w.C], weights[((o*w.KH+kh)*w.KW+kw)*w.C:])
						}
					}
					packed = packed[w.width:]
				}
			}
		}
	}
}

func (w *widePlan) room() kernel.Room {
	m := w.rows * w.count
	return kernel.Room{F32: w.stripRows()*w.line + m*w.group*w.C, I32: 2 * m}
}

// wideRows computes the input rows [a, b), all of one image.
func (f *F32) wideRows(w *widePlan, dy, packed, dx []float32, add bool, s *kernel.Scratch, a, b int) {
	top := a%w.H + w.PadTop
	lo, hi := top/w.StrideH-(w.KH-1)/w.StrideH, (top+b-a-1)/w.StrideH
	strip, sums := s.F32[:w.stripRows()*w.line], s.F32[w.stripRows()*w.line:]
	for oh := lo; oh <= hi; oh++ {
		var row []float32
		if oh >= 0 && oh < w.OH {
			row = dy[(a/w.H*w.OH+oh)*w.OW*w.OutC:][:w.OW*w.OutC]
		}
		window.PadRow(strip[(oh-lo)*w.line:][:w.line], row, -w.back*w.OutC, 0)
	}
	clear(sums[:(b-a)*w.count*w.group*w.C])
	for phase := range w.StrideH {
		taps := w.taps(phase)
		from, to := s.I32[:w.rows*w.count], s.I32[w.rows*w.count:]
		m := w.offsets(from, to, phase, top, b-a, lo)
		if m > 0 && taps > 0 {
			f.Rows(m, &strip[0], &from[0], taps, w.reach*w.OutC, w.line, &packed[0], &sums[0], &to[0], w.group*w.C, modeSet, 0, 0)
		}
		packed = packed[taps*w.reach*w.OutC*w.width:]
	}
	for r := a; r < b; r++ {
		out := dx[r*w.W*w.C:][:w.W*w.C]
		from := sums[(r-a)*w.count*w.group*w.C+w.PadLeft*w.C:][:len(out)]
		if !add {
			copy(out, from)
			continue
		}
		for i, v := range from {
			out[i] += v
		}
	}
}

// offsets lists the groups of the block's rows of a phase: where the results that
// reach them begin in a strip from row lo of dy on, and their own places.
func (w *widePlan) offsets(from, to []int32, phase, top, rows, lo int) int {
	i := 0
	for r := range rows {
		if (top+r)%w.StrideH != phase {
			continue
		}
		at := ((top+r)/w.StrideH - (w.taps(phase) - 1) - lo) * w.line
		for t := range w.count {
			from[i] = int32(at + t*w.group/w.StrideW*w.OutC)
			to[i] = int32((r*w.count + t) * w.group * w.C)
			i++
		}
	}
	return i
}
