package dense

import "qpipe/ops/kernel"

// runs are chains of products that some pixels of a block have in common: for each of these pixels the values under
// consecutive taps of one row of the window, as far as they are inside the image. So nothing is multiplied with
// padding. They are kept in scratch.
type runs struct {
	heads       []int32 // for each run: pixels, values of a pixel, place of the weights in a panel, place in the lists
	from, to    []int32 // where each pixel's values begin, and where its sums are
	count, used int
	set         int // this many of the first runs have every pixel of the block once
}

// merges reports whether the values under all taps of a row make one run: they are contiguous, and there are enough
// pixels with the same taps inside the image.
func merges(p *kernel.Conv) bool { return p.Groups == 1 && p.DilationW == 1 && p.OH*p.OW >= 64 }

// most is how many runs the windows of p make, and how many of them a pixel is in.
// A row of windows falls into at most 2·KW+1 classes with the same taps in the image.
func most(p *kernel.Conv) (n, times int) {
	if merges(p) {
		return p.KH * min(2*p.KW+1, p.OW), p.KH
	}
	return p.KH * p.KW, p.KH * p.KW
}

// close finishes a run of count pixels, which are on the lists already.
func (r *runs) close(count, values, weights int) {
	if count > 0 {
		h := r.heads[4*r.count:][:4]
		h[0], h[1], h[2], h[3] = int32(count), int32(values), int32(weights), int32(r.used)
		r.count++
		r.used += count
	}
}

// forward makes the runs of the output rows [a, b). A row of the window, or a tap, that is inside the image for every
// pixel comes first, so that sums need not be cleared. Which one depends only on the shape, and so does the order of
// every sum.
func (r *runs) forward(p *kernel.Conv, a, b, unit int) {
	lead := leading(p)
	if lead >= 0 {
		r.part(p, lead, a, b, unit)
		r.set = r.count
	}
	for i := range parts(p) {
		if i != lead {
			r.part(p, i, a, b, unit)
		}
	}
}

// parts is how many parts the window has: rows, or taps.
func parts(p *kernel.Conv) int {
	if merges(p) {
		return p.KH
	}
	return p.KH * p.KW
}

// leading is a part of the window in which one run has every output pixel, or -1.
func leading(p *kernel.Conv) int {
	lead := -1
	for kh := range p.KH {
		if h0, h1 := kernel.Window(kh*p.DilationH-p.PadTop, p.StrideH, p.OH, p.H); h0 == 0 && h1 == p.OH {
			lead = kh
			break
		}
	}
	if lead < 0 {
		return -1
	}
	if merges(p) {
		for _, w := range [...]int{0, p.OW - 1} { // if the first and the last window reach the image, all do
			if k0, k1 := kernel.Window(w*p.StrideW-p.PadLeft, 1, p.KW, p.W); k0 == k1 {
				return -1
			}
		}
		return lead
	}
	for kw := range p.KW {
		if w0, w1 := kernel.Window(kw*p.DilationW-p.PadLeft, p.StrideW, p.OW, p.W); w0 == 0 && w1 == p.OW {
			return lead*p.KW + kw
		}
	}
	return -1
}

// part makes the runs of a part of the window.
func (r *runs) part(p *kernel.Conv, i, a, b, unit int) {
	cg := p.C / p.Groups
	if !merges(p) {
		r.close(forwardTap(p, i/p.KW, i%p.KW, a, b, p.C, unit, r.from[r.used:], r.to[r.used:]), cg, i*cg)
		return
	}
	for w0 := 0; w0 < p.OW; {
		k0, k1 := kernel.Window(w0*p.StrideW-p.PadLeft, 1, p.KW, p.W)
		w1 := w0 + 1
		for ; w1 < p.OW; w1++ {
			if l0, l1 := kernel.Window(w1*p.StrideW-p.PadLeft, 1, p.KW, p.W); l0 != k0 || l1 != k1 {
				break
			}
		}
		if k0 < k1 {
			n := tapPixels(p, i, k0, w0, w1, a, b, p.C, unit, r.from[r.used:], r.to[r.used:])
			r.close(n, (k1-k0)*cg, (i*p.KW+k0)*cg)
		}
		w0 = w1
	}
}

// forwardTap lists the pixels of the output rows [a, b) whose tap (kh, kw) lies in
// the image: per times the number of the input pixel, counted from the beginning of
// a's image on, and unit times that of the output pixel. It returns how many there are.
func forwardTap(p *kernel.Conv, kh, kw, a, b, per, unit int, from, to []int32) int {
	w0, w1 := kernel.Window(kw*p.DilationW-p.PadLeft, p.StrideW, p.OW, p.W)
	return tapPixels(p, kh, kw, w0, w1, a, b, per, unit, from, to)
}

// tapPixels is forwardTap for the columns [w0, w1) of the output, where the tap lies
// in the image.
func tapPixels(p *kernel.Conv, kh, kw, w0, w1, a, b, per, unit int, from, to []int32) int {
	i := 0
	for r := a; r < b; r++ {
		h := r%p.OH*p.StrideH - p.PadTop + kh*p.DilationH
		if h < 0 || h >= p.H {
			continue
		}
		at := (((r/p.OH-a/p.OH)*p.H+h)*p.W + w0*p.StrideW - p.PadLeft + kw*p.DilationW) * per
		pixel := ((r-a)*p.OW + w0) * unit
		f, t := from[i:][:w1-w0], to[i:][:w1-w0]
		for j := range f {
			f[j], t[j] = int32(at), int32(pixel)
			at += p.StrideW * per
			pixel += unit
		}
		i += w1 - w0
	}
	return i
}

// dataTap lists the pixels of the input rows [a, b) that the tap (kh, kw) of some
// window reaches: where the window's result lies, from the beginning of a's image
// on, and unit times the pixel's number. It returns how many there are.
func dataTap(p *kernel.Conv, kh, kw, a, b, unit int, from, to []int32) int {
	left := kw*p.DilationW - p.PadLeft
	w0, w1 := kernel.Window(left, p.StrideW, p.OW, p.W)
	i := 0
	for r := a; r < b; r++ {
		h := r%p.H + p.PadTop - kh*p.DilationH
		if h < 0 || h%p.StrideH != 0 || h/p.StrideH >= p.OH {
			continue
		}
		at := (((r/p.H-a/p.H)*p.OH+h/p.StrideH)*p.OW + w0) * p.OutC
		pixel := ((r-a)*p.W + left + w0*p.StrideW) * unit
		for range w1 - w0 {
			from[i], to[i] = int32(at), int32(pixel)
			at += p.OutC
			pixel += unit * p.StrideW
			i++
		}
	}
	return i
}

// data makes the runs of the input rows [a, b), one for each tap, the last tap first.
func (r *runs) data(p *kernel.Conv, a, b, unit int) {
	og, taps := p.OutC/p.Groups, p.KH*p.KW
	for i := range taps {
		tap := taps - 1 - i
		r.close(dataTap(p, tap/p.KW, tap%p.KW, a, b, unit, r.from[r.used:], r.to[r.used:]), og, i*og)
	}
}

// runsWork is a product whose sums are formed run by run in scratch.
type runsWork struct {
	kernels          *F32
	products, cg, og int // products of a result, and channels of a group: read, and written
	channels         int // of the result
	add              int
	x, packed, y     []float32
	most, times      int // runs of a block, and how many of them a pixel is in
	sums             []float32
	coff, room       []int32
}

// runsRoom is the scratch for blocks of pixels.
func runsRoom(pixels, most, times, nr int) kernel.Room {
	return kernel.Room{F32: pixels * nr, I32: pixels + 4*most + 2*times*pixels}
}

func (t *runsWork) take(s *kernel.Scratch, pixels int) {
	t.sums, t.coff, t.room = s.F32, s.I32[:pixels], s.I32[pixels:]
	for i := range t.coff {
		t.coff[i] = int32(i * t.channels)
	}
}

// runs returns an empty list for a block of pixels.
func (t *runsWork) runs(pixels int) runs {
	lists := t.room[4*t.most:]
	return runs{heads: t.room[:4*t.most], from: lists[:t.times*pixels], to: lists[t.times*pixels:]}
}

// block computes the channels [o0, o1) of m pixels, which begin at at in the result;
// their first image begins at base in what is read.
func (t *runsWork) block(r *runs, m, base, at, o0, o1 int) {
	sums := t.sums[:m*t.kernels.NR]
	t.kernels.panels(t.og, o0, o1, func(g, j, n int) {
		panel := t.packed[(g*t.kernels.padded(t.og)+j)*t.products:]
		if r.set == 0 {
			clear(sums)
		}
		for i := range r.count {
			h, mode := r.heads[4*i:][:4], modeChain
			if i < r.set {
				mode = modeSet
			}
			b := panel[int(h[2])*t.kernels.width(n):]
			t.kernels.Rows(int(h[0]), &t.x[base+g*t.cg], &r.from[h[3]], 1, int(h[1]), 0, &b[0], &sums[0], &r.to[h[3]], n, mode, 0, 0)
		}
		out := t.y[at+g*t.og+j:]
		t.kernels.Finish(m, &sums[0], &out[0], &t.coff[0], n, t.add)
	})
}
