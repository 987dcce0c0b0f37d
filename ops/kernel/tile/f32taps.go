package tile

import "qpipe/ops/kernel"

// tapTable says, for a block of result pixels and each tap, which pixels it reaches
// and where what it multiplies begins: counts by tap, and pairs of lists.
type tapTable struct {
	room int // entries of a list
	i32  []int32
}

// lists are the offsets of what is read and of the results for tap t.
func (t tapTable) lists(tap int) (from, to []int32) {
	l := t.i32[2*tap*t.room:][:2*t.room]
	return l[:t.room], l[t.room:]
}

// forwardTap lists the pixels of the output rows [a, b) whose tap (kh, kw) lies in
// the image: per times the number of the input pixel, counted from the beginning of
// a's image on, and unit times that of the output pixel. It returns how many there are.
func forwardTap(p *kernel.Conv, kh, kw, a, b, per, unit int, from, to []int32) int {
	left := kw*p.DilationW - p.PadLeft
	w0, w1 := window(left, p.StrideW, p.OW, p.W)
	i := 0
	for r := a; r < b; r++ {
		h := r%p.OH*p.StrideH - p.PadTop + kh*p.DilationH
		if h < 0 || h >= p.H {
			continue
		}
		at := (((r/p.OH-a/p.OH)*p.H+h)*p.W + left + w0*p.StrideW) * per
		pixel := ((r-a)*p.OW + w0) * unit
		for range w1 - w0 {
			from[i], to[i] = int32(at), int32(pixel)
			at += p.StrideW * per
			pixel += unit
			i++
		}
	}
	return i
}

// dataTap lists the pixels of the input rows [a, b) that the tap (kh, kw) of some
// window reaches: where the window's result lies, from the beginning of a's image
// on, and unit times the pixel's number. It returns how many there are.
func dataTap(p *kernel.Conv, kh, kw, a, b, unit int, from, to []int32) int {
	left := kw*p.DilationW - p.PadLeft
	w0, w1 := window(left, p.StrideW, p.OW, p.W)
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

// lead is a tap that lies in the image for all output pixels, or -1.
func lead(p *kernel.Conv) int {
	for kh := range p.KH {
		if h0, h1 := window(kh*p.DilationH-p.PadTop, p.StrideH, p.OH, p.H); h0 > 0 || h1 < p.OH {
			continue
		}
		for kw := range p.KW {
			if w0, w1 := window(kw*p.DilationW-p.PadLeft, p.StrideW, p.OW, p.W); w0 == 0 && w1 == p.OW {
				return kh*p.KW + kw
			}
		}
	}
	return -1
}

// tapBlock computes the output rows [a, b) tap by tap.
func (f *F32) tapBlock(l *plan, x, packed, y []float32, s *kernel.Scratch, add bool, a, b, o0, o1 int) {
	t := tapWork{f: f, m: (b - a) * l.OW, taps: l.taps(), cg: l.cg, og: l.og, lead: lead(&l.Conv), add: add, x: x, packed: packed, y: y}
	t.take(s)
	for tap := range t.taps {
		from, to := t.table.lists(tap)
		t.counts[tap] = int32(forwardTap(&l.Conv, tap/l.KW, tap%l.KW, a, b, l.C, f.NR, from, to))
	}
	t.base, t.at = a/l.OH*l.H*l.W*l.C, a*l.OW*l.OutC
	for i := range t.m {
		t.coff[i] = int32(i * l.OutC)
	}
	t.run(o0, o1)
}

// tapWork is a block of m pixels whose sums are formed tap by tap in scratch.
type tapWork struct {
	f               *F32
	m, taps, cg, og int
	lead            int // the tap that reaches every pixel of an image, or -1
	add             bool
	x, packed, y    []float32
	base, at        int // where the block's image begins in x, and the block in y
	sums            []float32
	table           tapTable
	counts, coff    []int32
}

// tapRoom is the scratch of a block of pixels.
func tapRoom(pixels, taps, nr int) kernel.Room {
	return kernel.Room{F32: pixels * nr, I32: 2*taps*pixels + taps + pixels}
}

func (t *tapWork) take(s *kernel.Scratch) {
	t.sums = s.F32[:t.m*t.f.NR]
	t.counts, t.coff = s.I32[:t.taps], s.I32[t.taps:][:t.m]
	t.table = tapTable{t.m, s.I32[t.taps+t.m:]}
}

// run forms the sums. A tap that reaches every pixel comes first, so that the sums
// need not be cleared.
func (t *tapWork) run(o0, o1 int) {
	first, add := t.lead, 0
	if t.add {
		add = 1
	}
	t.f.panels(t.og, o0, o1, func(g, j, n int) {
		k := t.taps * t.cg
		panel := t.packed[(g*t.f.padded(t.og)+j)*k:][:t.f.width(n)*k]
		if first < 0 {
			clear(t.sums)
		} else {
			t.tap(first, g, n, panel, modeSet)
		}
		for tap := range t.taps {
			if tap != first {
				t.tap(tap, g, n, panel, modeChain)
			}
		}
		out := t.y[t.at+g*t.og+j:]
		t.f.Finish(t.m, &t.sums[0], &out[0], &t.coff[0], n, add)
	})
}

// tap adds the products of one tap.
func (t *tapWork) tap(tap, g, n int, panel []float32, mode int) {
	if t.counts[tap] == 0 {
		return
	}
	from, to := t.table.lists(tap)
	b := panel[tap*t.cg*t.f.width(n):]
	t.f.Rows(int(t.counts[tap]), &t.x[t.base+g*t.cg], &from[0], 1, t.cg, 0, &b[0], &t.sums[0], &to[0], n, mode, 0)
}
