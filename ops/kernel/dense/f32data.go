package dense

import (
	"qpipe/ops/kernel"
	"qpipe/ops/kernel/window"
)

// dataPlan is how the gradient of the input is computed: with a stride of 1 it is a convolution of dy, otherwise each
// tap of the window is handled separately.
type dataPlan struct {
	plan      // of the flipped convolution, if there is no stride
	strided   bool
	lone      bool // each pixel is reached by at most one tap
	blockRows int  // input rows of a block
}

func newDataPlan(p *kernel.Conv, nr int) dataPlan {
	d := dataPlan{}
	if p.StrideH == 1 && p.StrideW == 1 {
		d.plan = newPlan(window.Turned(p), nr)
		return d
	}
	d.strided = true
	d.lone = p.KH <= p.StrideH && p.KW <= p.StrideW && p.DilationH == 1 && p.DilationW == 1
	d.blockRows = max(f32Block/p.W, 1)
	return d
}

// DataRoom is ConvBackwardDataRoom.
func (f *F32) DataRoom(p *kernel.Conv) kernel.Room {
	if w, ok := f.wide(p); ok {
		return w.room()
	}
	d := newDataPlan(p, f.NR)
	if !d.strided {
		return d.room(f.NR)
	}
	return runsRoom(d.blockRows*p.W, p.KH*p.KW, p.KH*p.KW, f.NR)
}

// BackwardData is ConvBackwardData.
func (f *F32) BackwardData(p *kernel.Conv, dy, packed, dx []float32, add bool, s *kernel.Scratch, r0, r1 int) {
	if w, ok := f.wide(p); ok {
		for a := r0; a < r1; {
			b := min(r1, (a/p.H+1)*p.H)
			window.Blocks(a, b, w.rows, func(a, b int) { f.wideRows(&w, dy, packed, dx, add, s, a, b) })
			a = b
		}
		return
	}
	d := newDataPlan(p, f.NR)
	if !d.strided {
		f.product(&d.plan, dy, packed, dx, s, add, r0, r1, 0, p.C)
		return
	}
	if d.lone {
		window.Blocks(r0, r1, d.blockRows, func(a, b int) { f.loneBlock(p, dy, packed, dx, s, add, a, b) })
		return
	}
	f.strided(p, dy, packed, dx, add, s, r0, r1, d.blockRows)
}

// strided computes the input rows [r0, r1) in runs, most of them at a time.
func (f *F32) strided(p *kernel.Conv, dy, packed, dx []float32, add bool, s *kernel.Scratch, r0, r1, most int) {
	t := runsWork{kernels: f, products: p.KH * p.KW * (p.OutC / p.Groups), cg: p.OutC / p.Groups, og: p.C / p.Groups, channels: p.C, x: dy, packed: packed, y: dx}
	if add {
		t.add = 1
	}
	t.most, t.times = p.KH*p.KW, p.KH*p.KW
	t.take(s, most*p.W)
	window.Blocks(r0, r1, most, func(a, b int) {
		m := (b - a) * p.W
		r := t.runs(m)
		r.data(p, a, b, f.NR)
		t.block(&r, m, a/p.H*p.OH*p.OW*p.OutC, a*p.W*p.C, 0, p.C)
	})
}

// loneBlock computes the input rows [a, b) where no pixel is reached by two taps:
// sums need not be collected.
func (f *F32) loneBlock(p *kernel.Conv, dy, packed, dx []float32, s *kernel.Scratch, add bool, a, b int) {
	out := dx[a*p.W*p.C : b*p.W*p.C]
	mode := modeAdd
	if !add {
		mode = modeSet
		clear(out)
	}
	og, cg, taps, m := p.OutC/p.Groups, p.C/p.Groups, p.KH*p.KW, (b-a)*p.W
	from, to := s.I32[:m], s.I32[m:2*m]
	for i := range taps {
		tap := taps - 1 - i
		n := dataTap(p, tap/p.KW, tap%p.KW, a, b, p.C, from, to)
		if n == 0 {
			continue
		}
		x := dy[a/p.H*p.OH*p.OW*p.OutC:]
		f.panels(cg, 0, p.C, func(g, j, cols int) {
			panel := packed[((g*f.padded(cg)+j)*taps+i*f.width(cols))*og:]
			f.Rows(n, &x[g*og], &from[0], 1, og, 0, &panel[0], &out[g*cg+j], &to[0], cols, mode, 0, 0)
		})
	}
}
