package depthwise

import "qpipe/ops/kernel"

const (
	gradTerms = 256     // products in a row that a partial sum takes up before it is added to the whole
	gradRoom  = 1 << 16 // widened codes held at once, unless a window alone is larger
	gradRows  = 8       // output rows that share a widening, at most
)

// gradGroup is the number of output rows whose input is widened at once, and of input rows that they read.
func (d *Kernels) gradGroup(p *kernel.Conv) (out, in int) {
	reach := (p.KH-1)*p.DilationH + 1
	fit := gradRoom / (p.W * d.padded(p.C))
	out = min(max(1, (fit-reach)/p.StrideH+1), gradRows, p.OH)
	return out, min((out-1)*p.StrideH+reach, p.H)
}

// WeightsRoom is ConvBackwardWeightsRoom: partial and whole sums, and widened rows of codes.
func (d *Kernels) WeightsRoom(p *kernel.Conv) kernel.Room {
	if nineFits(p) {
		return d.nineRoom(p)
	}
	_, in := d.gradGroup(p)
	return kernel.Room{F32: 2*d.size(p, p.C) + in*p.W*d.padded(p.C)}
}

// grad is one call of BackwardWeights.
type grad struct {
	*Kernels
	geom       *kernel.Conv
	x          kernel.Operand
	dy         []float32
	o0, o1     int
	line       line
	whole      bool
	sums, rows []float32
	call       call
}

// BackwardWeights is ConvBackwardWeights. Sums of some hundred products are formed in float32, in an order that depends
// only on the shape, and then added up.
func (d *Kernels) BackwardWeights(p *kernel.Conv, x kernel.Operand, dy, dw []float32, s *kernel.Scratch, n0, n1, o0, o1 int) {
	if n0 >= n1 || o0 >= o1 {
		return
	}
	if nineFits(p) {
		d.nine(p, x, dy, dw, s, n0, n1, o0, o1)
		return
	}
	size := d.size(p, o1-o0)
	total := s.F32[size : 2*size]
	g := grad{Kernels: d, geom: p, x: x, dy: dy, o0: o0, o1: o1, sums: s.F32[:size], rows: s.F32[2*size:]}
	g.line, g.whole = forwardLine(p)
	out, _ := d.gradGroup(p)
	clear(g.sums)
	terms, whole := 0, g.sums // the total so far; at first there is only one partial sum
	flush := func() {
		if terms = 0; &whole[0] == &total[0] {
			d.base.AddTo(g.sums, total)
		} else {
			copy(total, g.sums)
			whole = total
		}
	}
	for n := n0; n < n1; n++ {
		for oh := 0; oh < p.OH; oh += out {
			if terms >= gradTerms {
				flush()
				clear(g.sums)
			}
			end := min(oh+out, p.OH)
			g.group(n, oh, end)
			terms += (end - oh) * p.OW
		}
	}
	if &whole[0] == &total[0] {
		flush()
	}
	g.addTo(dw, whole)
}

// addTo adds sums in their blocks to the weights' gradient.
func (g *grad) addTo(dw, sums []float32) {
	taps := g.geom.KH * g.geom.KW
	for o := g.o0; o < g.o1; o += g.Lanes {
		block, lanes := sums[(o-g.o0)*taps:][:taps*g.Lanes], min(g.Lanes, g.o1-o)
		if taps == 9 {
			addNine(dw[9*o:], block, g.Lanes, lanes)
			continue
		}
		for lane := range lanes {
			dst, at := dw[(o+lane)*taps:][:taps], lane
			for tap := range dst {
				dst[tap] += block[at]
				at += g.Lanes
			}
		}
	}
}

// addNine is addTo for a block of n channels with nine taps, lanes apart.
func addNine(dw, block []float32, lanes, n int) {
	r0 := block[:n]
	row := func(i int) []float32 { return block[i*lanes:][:len(r0)] }
	r1, r2, r3, r4, r5, r6, r7, r8 := row(1), row(2), row(3), row(4), row(5), row(6), row(7), row(8)
	for i := range r0 {
		d := (*[9]float32)(dw[9*i:])
		d[0] += r0[i]
		d[1] += r1[i]
		d[2] += r2[i]
		d[3] += r3[i]
		d[4] += r4[i]
		d[5] += r5[i]
		d[6] += r6[i]
		d[7] += r7[i]
		d[8] += r8[i]
	}
}

// group adds the contribution of the output rows [a, b) of image n.
func (g *grad) group(n, a, b int) {
	p := g.geom
	pix, x := p.C, g.x.F
	at := n*p.H*p.W*p.C + g.o0 // where row 0 of the image would be
	if x == nil {
		pix, x = g.padded(g.o1-g.o0), g.rows
		lo := max(0, a*p.StrideH-p.PadTop)
		hi := min(p.H, (b-1)*p.StrideH-p.PadTop+(p.KH-1)*p.DilationH+1)
		at = -lo * p.W * pix
		if lo < hi {
			c := g.o1 - g.o0
			g.Widen(&g.x.Q[(n*p.H+lo)*p.W*p.C+g.o0], &x[0], (hi-lo)*p.W, c/g.Lanes, c%g.Lanes, p.C, 4*pix, int(g.x.Zero))
		}
	}
	for c0, step := 0, g.band(g.o1-g.o0); c0 < g.o1-g.o0; c0 += step {
		for oh := a; oh < b; oh++ {
			g.outRow(n, oh, x, at, pix, c0, min(c0+step, g.o1-g.o0))
		}
	}
}

// outRow adds the contribution of the channels o0+c0 to o0+c1 of an output row; x[at] is row 0 of the image, with pix
// elements per pixel.
func (g *grad) outRow(n, oh int, x []float32, at, pix, c0, c1 int) {
	p := g.geom
	top := oh*p.StrideH - p.PadTop
	h0, h1 := kernel.Window(top, p.DilationH, p.KH, p.H)
	if h0 == h1 {
		return
	}
	g.call = call{rows: h1 - h0, xRow: p.DilationH * p.W * pix, xPix: pix, wRow: p.KW * g.Lanes, yPix: p.C, c0: c0, c1: c1}
	from, sums := at+(top+h0*p.DilationH)*p.W*pix, g.sums[h0*p.KW*g.Lanes:]
	dy := g.dy[(n*p.OH+oh)*p.OW*p.C+g.o0:]
	if g.whole {
		g.row(g.line, x, from, dy, sums)
		return
	}
	g.call.xPix = p.StrideW * pix
	for kw := range p.KW {
		left := kw*p.DilationW - p.PadLeft
		if w0, w1 := kernel.Window(left, p.StrideW, p.OW, p.W); w0 < w1 {
			g.row(line{1, 1, 0, w1 - w0, w1 - w0}, x, from+(left+w0*p.StrideW)*pix, dy[w0*p.C:], sums[kw*g.Lanes:])
		}
	}
}

// row runs the kernel over a line, whose column 0 is x[xAt].
func (g *grad) row(l line, x []float32, xAt int, dy, sums []float32) {
	k, c, taps := g.Grads[form(l.kw, l.stride)], g.call, g.geom.KH*g.geom.KW
	l.run(g.Lanes, c.c1-c.c0, func(s span, channel, blocks, tail int) {
		channel += c.c0
		k(&x[0], &dy[s.start*c.yPix+channel], &sums[channel*taps], s.cols, s.tiles, blocks, tail, c.rows,
			4*(xAt+channel+(s.start*l.stride-l.pad)*c.xPix), 4*c.xRow, 4*c.xPix, 4*c.wRow, 4*g.Lanes*taps, 4*c.yPix, s.first, s.last)
	})
}
