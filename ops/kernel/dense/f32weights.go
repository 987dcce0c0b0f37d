package dense

import (
	"qpipe/ops/kernel"
	"qpipe/ops/kernel/window"
)

// gradPlan is how the gradient of the weights is computed. Pixels are taken in blocks that depend only on the shape and
// the images: those of an image's rows, or of whole images. In a block, either the values under a tap are the vectors
// (tiles of output channels by input channels), or, if these are too few, output channels are the vectors and the rows
// of the windows are broadcast.
type gradPlan struct {
	kernel.Conv
	cg, og, products int
	rows             int  // output rows of a block, all in one image, or of whole images
	broadcast        bool // the window is the side that is broadcast
	strip            bool // … and it is read from a strip
	slab             int  // output channels that are taken through all blocks at a time
	packX            bool // the vectors of a block are copied together
	packY            bool // … and the output channels of a tile
}

// f32Slab and slabChannels bound a slab: its sums should stay in a cache, and its
// part of the gradients of a block in a nearer one.
const (
	f32Slab      = 512 << 10
	slabChannels = 512
)

func (f *F32) gradPlan(p *kernel.Conv) gradPlan {
	g := gradPlan{Conv: window.Simple(p)}
	g.cg, g.og, g.products = g.C/g.Groups, g.OutC/g.Groups, g.Conv.K()
	g.rows = max(f32Block/g.OW, 1)
	if g.rows >= g.OH {
		g.rows = g.rows / g.OH * g.OH
	} else {
		pieces := (g.OH + g.rows - 1) / g.rows
		g.rows = (g.OH + pieces - 1) / pieces
	}
	fill := func(n int) float64 { return float64(n) / float64(f.padded(n)) }
	g.broadcast = g.Groups == 1 && (g.DilationW == 1 || g.KW == 1) && fill(g.OutC) > 1.05*fill(g.cg)
	g.strip = g.broadcast && !window.Inside(&g.Conv)
	if g.broadcast {
		g.slab = max(f32Slab/g.products/f.NR, 1) * f.NR
	} else {
		g.slab = min(max(f32Slab/g.products/f.MR, 3)*f.MR, slabChannels)
	}
	g.packX = g.C >= 3*f.NR && g.OutC >= 2*f.NR
	g.packY = g.OutC >= 16*f.NR && g.products >= 6*f.NR
	return g
}

// vectors is how many pixels of the input are copied together, at most.
func (g *gradPlan) vectors() int {
	if g.KH*g.KW == 1 {
		return g.pixels()
	}
	return g.inRows() * g.W
}

// inRows is how many input rows lie under the rows of a block, at most.
func (g *gradPlan) inRows() int {
	if g.rows >= g.OH {
		return g.rows / g.OH * g.H
	}
	return min((g.rows-1)*g.StrideH+(g.KH-1)*g.DilationH+1, g.H)
}

func (g *gradPlan) pixels() int { return g.rows * g.OW }

// WeightsRoom is ConvBackwardWeightsRoom.
func (f *F32) WeightsRoom(p *kernel.Conv) kernel.Room {
	g := f.gradPlan(p)
	r := kernel.Room{F32: g.inRows() * g.W * g.C, I32: 2 * g.pixels()}
	if !g.broadcast {
		r.F32 += g.vectors()*f.NR + g.pixels()*g.slab
		r.I32 = g.KH*g.KW*(2*g.pixels()+1) + g.pixels() + g.vectors()
		return r
	}
	r.F32 += min(g.slab, f.padded(g.OutC)) * g.products
	if g.strip {
		r.F32 += newStrip(&g.Conv).size(g.rows)
	}
	return r
}

// BackwardWeights is ConvBackwardWeights.
func (f *F32) BackwardWeights(p *kernel.Conv, x kernel.Operand, dy, dw []float32, s *kernel.Scratch, n0, n1, o0, o1 int) {
	w := gradWork{kernels: f, gradPlan: f.gradPlan(p), x: x, dy: dy, dw: dw, scratch: s}
	for o := o0; o < o1; {
		g := o / w.og
		end := min(o1, (g+1)*w.og)
		if w.broadcast {
			end = min(o+w.slab, end)
			w.rowSlab(n0, n1, o, end)
		} else {
			window.Blocks(o, end, w.slab, func(o, end int) { w.tapSlab(n0, n1, g, o, end) })
		}
		o = end
	}
}

// gradWork is the gradient in progress.
type gradWork struct {
	gradPlan
	kernels *F32
	x       kernel.Operand
	dy, dw  []float32
	scratch *kernel.Scratch
}

// blocks calls do for the blocks of the images [n0, n1).
func (w *gradWork) blocks(n0, n1 int, do func(a, b int)) {
	if w.rows >= w.OH {
		window.Blocks(n0, n1, w.rows/w.OH, func(a, b int) { do(a*w.OH, b*w.OH) })
		return
	}
	for n := n0; n < n1; n++ {
		window.Blocks(n*w.OH, (n+1)*w.OH, w.rows, do)
	}
}

// values returns the rows of the input under the output rows [a, b), and the first
// one's number: codes are converted into room.
func (w *gradWork) values(a, b int, room []float32) (x []float32, lo, hi int) {
	last, line := b-1, w.W*w.C
	lo = a/w.OH*w.H + min(max(a%w.OH*w.StrideH-w.PadTop, 0), w.H)
	hi = last/w.OH*w.H + max(min(last%w.OH*w.StrideH-w.PadTop+(w.KH-1)*w.DilationH+1, w.H), 0)
	hi = max(lo, hi)
	if w.x.F != nil {
		return w.x.F[lo*line : hi*line], lo, hi
	}
	if n := (hi - lo) * line; n > 0 {
		w.kernels.Values(&w.x.Q[lo*line], int(w.x.Zero), &room[0], n)
	}
	return room, lo, hi
}

// tapSlab adds the gradient of the output channels [o0, o1) of group g, tap by tap.
func (w *gradWork) tapSlab(n0, n1, g, o0, o1 int) {
	t := gradTaps{gradWork: *w, group: g, o0: o0, channels: o1 - o0}
	tiles := (t.channels + w.kernels.MR - 1) / w.kernels.MR
	t.tile = (t.channels + tiles - 1) / tiles
	t.vectors, t.rows = w.scratch.F32[:w.gradPlan.vectors()*w.kernels.NR], w.scratch.F32[w.gradPlan.vectors()*w.kernels.NR:][:w.pixels()*w.slab]
	t.values = w.scratch.F32[len(t.vectors)+len(t.rows):]
	t.counts = w.scratch.I32[:w.KH*w.KW]
	lists := w.KH * w.KW * w.pixels()
	t.xoffs, t.yoffs = w.scratch.I32[len(t.counts):][:lists], w.scratch.I32[len(t.counts)+lists:][:lists]
	t.outs = w.scratch.I32[len(t.counts)*(1+2*w.pixels()):][:w.pixels()]
	t.all = w.scratch.I32[len(t.counts)*(1+2*w.pixels())+w.pixels():]
	w.blocks(n0, n1, func(a, b int) { t.block(a, b) })
}

// gradTaps is a slab of m output channels from o0 on, in tiles.
type gradTaps struct {
	gradWork
	group, o0, channels, tile int
	vectors                   []float32 // the values of a tile of input channels, [pixel][NR]
	rows                      []float32 // the gradients of tiles of output channels, [tile][pixel][channel]
	values                    []float32
	counts                    []int32
	xoffs, yoffs              []int32 // for each tap, a list of pixels
	all, outs                 []int32 // what is copied
}

// taps are the lists of one tap.
func (t *gradTaps) taps(tap int) (xoff, yoff []int32) {
	return t.xoffs[tap*t.pixels():][:t.pixels()], t.yoffs[tap*t.pixels():][:t.pixels()]
}

// block adds the contribution of the output rows [a, b).
func (t *gradTaps) block(a, b int) {
	f := t.kernels
	x, lo, hi := t.gradWork.values(a, b, t.values)
	if hi == lo {
		return
	}
	many := t.lists(a, b, lo, hi)
	dy, dld, pixels := t.dy[a*t.OW*t.OutC+t.o0:], t.channels, (b-a)*t.OW
	if t.packY {
		dld = t.tile
	}
	for j := 0; j < t.cg; j += f.NR {
		n, from := min(f.NR, t.cg-j), x[t.group*t.cg+j:]
		if t.packX {
			f.Gather(many, &from[0], &t.all[0], &t.vectors[0], f.NR, n)
			from = t.vectors
		}
		if t.packY && j == 0 {
			t.copyRows(dy, pixels)
		}
		for tap := range t.KH * t.KW {
			count := int(t.counts[tap])
			if count == 0 {
				continue
			}
			xoff, yoff := t.taps(tap)
			to := t.dw[t.o0*t.products+tap*t.cg+j:]
			for o := 0; o < t.channels; o += dld {
				rows := &dy[0]
				if t.packY {
					rows = &t.rows[o*pixels]
				}
				f.Outer(count, rows, &yoff[0], min(dld, t.channels-o), &from[0], &xoff[0], n, &to[o*t.products], t.products)
			}
		}
	}
}

// lists makes the table of the taps, and what is copied of the input rows [lo, hi):
// how many pixels.
func (t *gradTaps) lists(a, b, lo, hi int) int {
	taps, per, unit := t.KH*t.KW, t.C, t.OutC
	if t.packX {
		per = t.kernels.NR
	}
	if t.packY {
		unit = t.tile
	}
	skipped := int32((lo - a/t.OH*t.H) * t.W)
	for tap := range taps {
		xoff, yoff := t.taps(tap)
		t.counts[tap] = int32(forwardTap(&t.Conv, tap/t.KW, tap%t.KW, a, b, per, unit, xoff, yoff))
		for i := range xoff[:t.counts[tap]] {
			xoff[i] -= skipped * int32(per)
		}
	}
	if !t.packX {
		return 0
	}
	many := (hi - lo) * t.W
	if taps > 1 {
		for i := range t.all[:many] {
			t.all[i] = int32(i * t.C)
		}
		return many
	}
	xoff, yoff := t.taps(0) // only what the tap reaches
	many = forwardTap(&t.Conv, 0, 0, a, b, t.C, unit, t.all, yoff)
	for i := range many {
		t.all[i] -= skipped * int32(t.C)
		xoff[i] = int32(i * per)
	}
	return many
}

// copyRows copies the gradients of the slab together, tile by tile.
func (t *gradTaps) copyRows(dy []float32, pixels int) {
	for i := range t.outs[:pixels] {
		t.outs[i] = int32(i * t.OutC)
	}
	for o := 0; o < t.channels; o += t.tile {
		t.kernels.Gather(pixels, &dy[o], &t.outs[0], &t.rows[o*pixels], t.tile, min(t.tile, t.channels-o))
	}
}

// rowSlab adds the gradient of the output channels [o0, o1), a row of the windows at
// a time. The sums are collected as [panel][K][NR].
func (w *gradWork) rowSlab(n0, n1, o0, o1 int) {
	f, st := w.kernels, newStrip(&w.Conv)
	sums, room := w.scratch.F32[:f.padded(o1-o0)*w.products], w.scratch.F32[f.padded(o1-o0)*w.products:]
	xoff, yoff := w.scratch.I32[:w.pixels()], w.scratch.I32[w.pixels():2*w.pixels()]
	clear(sums)
	klen, line := w.KW*w.cg, w.W*w.C
	if !w.strip {
		st.line, st.image = line, w.H*line
	}
	st.offsets(xoff, 0, w.rows) // the same for every block
	for i := range yoff {
		yoff[i] = int32(i * w.OutC)
	}
	w.blocks(n0, n1, func(a, b int) {
		x, m := w.windows(st, a, b, room), (b-a)*w.OW
		for o := o0; o < o1; o += f.NR {
			n := min(f.NR, o1-o)
			c := sums[(o-o0)*w.products:]
			for kh := range w.KH {
				f.Outer(m, &x[kh*w.DilationH*st.line], &xoff[0], klen, &w.dy[a*w.OW*w.OutC+o], &yoff[0], n, &c[kh*klen*f.width(n)], f.width(n))
			}
		}
	})
	for o := o0; o < o1; o += f.NR {
		n := min(f.NR, o1-o)
		f.transpose(sums[(o-o0)*w.products:], f.width(n), w.dw[o*w.products:], w.products, w.products, n, 1)
	}
}

// windows returns where the windows of the output rows [a, b) are read.
func (w *gradWork) windows(st strip, a, b int, room []float32) []float32 {
	if !w.strip {
		x, lo, _ := w.values(a, b, room)
		return x[((a/w.OH*w.H+a%w.OH*w.StrideH-w.PadTop-lo)*w.W-w.PadLeft)*w.C:]
	}
	to, line := room[:st.size(w.rows)], w.W*w.C
	fillStrip(st, to, a, b, 0, func(row int) []float32 {
		if w.x.F != nil {
			return w.x.F[row*line:][:line]
		}
		v := room[len(to):][:line]
		w.kernels.Values(&w.x.Q[row*line], int(w.x.Zero), &v[0], line)
		return v
	})
	return to
}
