package dense

import (
	"qpipe/ops/kernel"
	"qpipe/ops/kernel/window"
)

// way is how the windows of a convolution are read.
type way uint8

const (
	direct way = iota // whole windows, in place
	padded            // whole windows, from a strip of padded rows
	inRuns            // the parts of them inside the image, in runs
)

// wayOf chooses the cheapest way. Padding costs the copy and products with zeros; runs start a chain of sums for each
// row of the window, and copy the sums. The costs are counted in products of a vector.
func wayOf(p *kernel.Conv, nr int) way {
	plain := p.DilationW == 1 || p.KW == 1
	switch {
	case plain && (p.Groups == 1 || p.KW == 1) && window.Inside(p):
		return direct
	case !merges(p):
		return inRuns
	}
	k := float64(p.K())
	copying := 0.2 * float64(p.C*p.StrideH*p.StrideW) / float64((p.OutC+nr-1)/nr)
	if k+copying > k*window.Used(p)+float64(4*p.KH+6) {
		return inRuns
	}
	return padded
}

// f32Block is about how many pixels of a result are computed at a time, and the
// most values of the strip under them.
const (
	f32Block = 192
	f32Strip = 96 << 10
)

// plan is how a forward convolution is divided.
type plan struct {
	kernel.Conv
	way    way
	cg, og int
	rows   int // output rows of a block
}

func newPlan(p kernel.Conv, nr int) plan {
	f := plan{Conv: p, way: wayOf(&p, nr), cg: p.C / p.Groups, og: p.OutC / p.Groups}
	f.rows = max(f32Block/p.OW, 1)
	if f.way == padded {
		s := newStrip(&p)
		for f.rows > 1 && s.size(f.rows) > f32Strip {
			f.rows--
		}
	}
	return f
}

func (f *plan) pixels() int { return f.rows * f.OW }
func (f *plan) taps() int   { return f.KH * f.KW }

// room is the scratch of a plan.
func (f *plan) room(nr int) kernel.Room {
	r := kernel.Room{I32: 2 * f.pixels()}
	switch f.way {
	case padded:
		r.F32 = newStrip(&f.Conv).size(f.rows)
	case inRuns:
		n, times := most(&f.Conv)
		r = runsRoom(f.pixels(), n, times, nr)
	}
	return r
}

// ForwardRoom is ConvForwardRoom.
func (f *F32) ForwardRoom(p *kernel.Conv) kernel.Room {
	l := newPlan(window.Simple(p), f.NR)
	return l.room(f.NR)
}

// Forward is ConvForward.
func (f *F32) Forward(p *kernel.Conv, x, packed, y []float32, s *kernel.Scratch, r0, r1, o0, o1 int) {
	l := newPlan(window.Simple(p), f.NR)
	f.product(&l, x, packed, y, s, false, r0, r1, o0, o1)
}

// product computes the rows [r0, r1) of a plan.
func (f *F32) product(l *plan, x, packed, y []float32, s *kernel.Scratch, add bool, r0, r1, o0, o1 int) {
	if l.way == inRuns {
		t := runsWork{kernels: f, products: l.taps() * l.cg, cg: l.cg, og: l.og, channels: l.OutC, x: x, packed: packed, y: y}
		if add {
			t.add = 1
		}
		t.most, t.times = most(&l.Conv)
		t.take(s, l.pixels())
		window.Blocks(r0, r1, l.rows, func(a, b int) {
			m := (b - a) * l.OW
			r := t.runs(m)
			r.forward(&l.Conv, a, b, f.NR)
			t.block(&r, m, a/l.OH*l.H*l.W*l.C, a*l.OW*l.OutC, o0, o1)
		})
		return
	}
	w := rowsWork{plan: *l, kernels: f, x: x, packed: packed, y: y, scratch: s, mode: modeSet}
	if add {
		w.mode = modeAdd
	}
	w.aoff, w.coff = s.I32[:l.pixels()], s.I32[l.pixels():2*l.pixels()]
	for i := range w.coff {
		w.coff[i] = int32(i * l.OutC)
	}
	window.Blocks(r0, r1, l.rows, func(a, b int) { w.block(a, b, o0, o1) })
}

// rowsWork is a product from rows of windows in progress.
type rowsWork struct {
	plan
	kernels      *F32
	x, packed, y []float32
	scratch      *kernel.Scratch
	mode         int
	aoff, coff   []int32
	known        int // output rows whose offsets in aoff are right as long as they are in one image
}

// block computes the output rows [a, b).
func (w *rowsWork) block(a, b, o0, o1 int) {
	st := newStrip(&w.Conv)
	kh, klen, jump, k, ahead := w.KH, w.KW*w.cg, w.DilationH*st.line, w.taps()*w.cg, 0
	x, line := w.x, w.W*w.C
	if w.way == direct {
		st.line, st.image, jump, ahead = line, w.H*line, w.DilationH*line, w.kernels.MR*k*4
		x = x[(a/w.OH*w.H+a%w.OH*w.StrideH-w.PadTop)*line-w.PadLeft*w.C:]
		if w.Groups == 1 && w.KW == w.W && w.DilationH == 1 {
			kh, klen = 1, k
		}
	} else {
		fillStrip(st, w.scratch.F32, a, b, 0, func(row int) []float32 { return x[row*line:][:line] })
		x = w.scratch.F32
	}
	if one := a/w.OH == (b-1)/w.OH; !one || w.known < b-a {
		st.offsets(w.aoff, a, b)
		w.known = 0
		if one {
			w.known = b - a
		}
	}
	w.kernels.panels(w.og, o0, o1, func(g, j, n int) {
		panel := w.packed[(g*w.kernels.padded(w.og)+j)*k:]
		out := w.y[a*w.OW*w.OutC+g*w.og+j:]
		w.kernels.Rows((b-a)*w.OW, &x[g*w.cg], &w.aoff[0], kh, klen, jump, &panel[0], &out[0], &w.coff[0], n, w.mode, ahead, w.OutC)
		ahead = 0
	})
}
