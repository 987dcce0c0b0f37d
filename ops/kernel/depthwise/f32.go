package depthwise

import "qpipe/ops/kernel"

// Pack is kernel.Set's ConvPack.
func (d *Kernels) Pack(p *kernel.Conv, w, packed []float32, o0, o1 int) {
	d.pack(p, w, packed, o0, o1, func(i int) int { return i })
}

// PackSize is ConvPackSize and ConvDataPackSize.
func (d *Kernels) PackSize(p *kernel.Conv) int { return d.size(p, p.C) }

// forwardLine is a row of the output, if there is a kernel for all taps of a row at once.
func forwardLine(p *kernel.Conv) (line, bool) {
	l := line{p.KW, p.StrideW, p.PadLeft, p.W, p.OW}
	return l, p.DilationW == 1 && l.fits()
}

// Forward is ConvForward: all taps of a row at once, or one by one if there is no kernel for them.
func (d *Kernels) Forward(p *kernel.Conv, x, packed, y []float32, _ *kernel.Scratch, r0, r1, _, _ int) {
	for r := r0; r < r1; r++ {
		d.forwardRow(p, x, packed, y, r)
	}
}

// forwardRow computes an output row.
func (d *Kernels) forwardRow(p *kernel.Conv, x, packed, y []float32, r int) {
	n, oh := r/p.OH, r%p.OH
	top := oh*p.StrideH - p.PadTop
	h0, h1 := kernel.Window(top, p.DilationH, p.KH, p.H)
	c := call{rows: h1 - h0, xRow: p.DilationH * p.W * p.C, xPix: p.C, wRow: p.KW * d.Lanes, yPix: p.C, c1: p.C}
	at := (n*p.H + top + h0*p.DilationH) * p.W * p.C
	w, out := packed[h0*p.KW*d.Lanes:], y[r*p.OW*p.C:][:p.OW*p.C]
	if l, whole := forwardLine(p); whole {
		d.row(p, l, c, x, at, w, out)
		return
	}
	clear(out)
	c.xPix, c.add = p.StrideW*p.C, true
	for kw := range p.KW {
		left := kw*p.DilationW - p.PadLeft
		w0, w1 := kernel.Window(left, p.StrideW, p.OW, p.W)
		if w0 < w1 {
			d.row(p, line{1, 1, 0, w1 - w0, w1 - w0}, c, x, at+(left+w0*p.StrideW)*p.C, w[kw*d.Lanes:], out[w0*p.C:])
		}
	}
}

// phase are the input columns whose distance from the padded edge has the same remainder: each is reached by the same
// taps of a row, kw = rest + i·stride.
type phase struct {
	line
	first int // input column
	taps  int // place of the first tap in a packed row
}

// phaseOf returns the phase of a remainder.
func phaseOf(p *kernel.Conv, rest int) phase {
	first := ((rest-p.PadLeft)%p.StrideW + p.StrideW) % p.StrideW
	taps := max(0, (p.KW-rest+p.StrideW-1)/p.StrideW)
	before := 0
	for r := range rest {
		before += max(0, (p.KW-r+p.StrideW-1)/p.StrideW)
	}
	out := 0
	if first < p.W {
		out = (p.W - first + p.StrideW - 1) / p.StrideW
	}
	return phase{line{taps, 1, taps - 1 - (first+p.PadLeft-rest)/p.StrideW, p.OW, out}, first, before}
}

// dataWhole reports whether there is a kernel for every phase.
func dataWhole(p *kernel.Conv) bool {
	for rest := range p.StrideW {
		if h := phaseOf(p, rest); p.DilationW != 1 || h.out > 0 && !h.fits() {
			return false
		}
	}
	return true
}

// DataPack is ConvDataPack: phase after phase, the taps of each backwards.
func (d *Kernels) DataPack(p *kernel.Conv, w, packed []float32, c0, c1 int) {
	if !dataWhole(p) {
		d.Pack(p, w, packed, c0, c1)
		return
	}
	order := make([]int, 0, 16)
	for rest := range p.StrideW {
		for kw := p.KW - 1; kw >= 0; kw-- {
			if kw%p.StrideW == rest {
				order = append(order, kw)
			}
		}
	}
	d.pack(p, w, packed, c0, c1, func(i int) int { return order[i] })
}

// DataRoom is ConvBackwardDataRoom: a row, if the taps are taken one by one.
func (d *Kernels) DataRoom(p *kernel.Conv) kernel.Room {
	if dataWhole(p) {
		return kernel.Room{}
	}
	return kernel.Room{F32: p.W * p.C}
}

// BackwardData is ConvBackwardData: a convolution of dy in each phase, or scattered tap by tap.
func (d *Kernels) BackwardData(p *kernel.Conv, dy, packed, dx []float32, add bool, s *kernel.Scratch, r0, r1 int) {
	whole := dataWhole(p)
	for r := r0; r < r1; r++ {
		kh, step, back, rows := sources(p, r%p.H)
		c := call{rows: rows, xRow: -back * p.OW * p.C, xPix: p.C, wRow: step * p.KW * d.Lanes, yPix: p.StrideW * p.C, c1: p.C, add: add}
		at := (r/p.H*p.OH + (r%p.H+p.PadTop-kh*p.DilationH)/p.StrideH) * p.OW * p.C
		w, out := packed[kh*p.KW*d.Lanes:], dx[r*p.W*p.C:][:p.W*p.C]
		if whole {
			d.phases(p, dy, at, w, c, out)
		} else {
			d.scatter(p, dy, at, w, c, s.F32[:p.W*p.C], out)
		}
	}
}

// phases computes a row of dx phase by phase.
func (d *Kernels) phases(p *kernel.Conv, dy []float32, at int, w []float32, c call, out []float32) {
	for rest := range p.StrideW {
		h := phaseOf(p, rest)
		if h.out <= 0 {
			continue
		}
		c := c
		if h.kw == 0 { // columns that no tap reaches
			h.line, h.taps, c.rows = line{1, 1, 0, h.out, h.out}, 0, 0
		}
		d.row(p, h.line, c, dy, at, w[h.taps*d.Lanes:], out[h.first*p.C:])
	}
}

// sources returns the taps kh, kh+step, … (rows of them) that reach a row of the input. Each comes from the output row
// back rows above that of the previous one.
func sources(p *kernel.Conv, ih int) (kh, step, back, rows int) {
	step = p.StrideH / gcd(p.StrideH, p.DilationH)
	back = step * p.DilationH / p.StrideH
	for kh = range p.KH {
		d := ih + p.PadTop - kh*p.DilationH
		if d >= 0 && d%p.StrideH == 0 && d/p.StrideH < p.OH {
			oh := d / p.StrideH
			for rows = 0; kh+rows*step < p.KH && oh-rows*back >= 0; rows++ {
			}
			return kh, step, back, rows
		}
	}
	return 0, step, back, 0
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// scatter computes a row of dx tap by tap.
func (d *Kernels) scatter(p *kernel.Conv, dy []float32, at int, w []float32, c call, sum, out []float32) {
	clear(sum)
	add := c.add
	c.add = true
	for kw := range p.KW {
		left := kw*p.DilationW - p.PadLeft
		w0, w1 := kernel.Window(left, p.StrideW, p.OW, p.W)
		if w0 < w1 && c.rows > 0 {
			d.row(p, line{1, 1, 0, w1 - w0, w1 - w0}, c, dy, at+w0*p.C, w[kw*d.Lanes:], sum[(left+w0*p.StrideW)*p.C:])
		}
	}
	if add {
		d.base.AddTo(sum, out)
		return
	}
	copy(out, sum)
}
