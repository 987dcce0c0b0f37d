package portable

import "qpipe/ops/kernel"

// ConvDataPack turns the weights. A linear layer's become [K][OutC], a depthwise
// convolution's [taps][C], all others' [Groups][phases][C/Groups][taps of the phase][OutC/Groups].
func ConvDataPack(p *kernel.Conv, w, packed []float32, c0, c1 int) {
	switch {
	case p.Depthwise():
		transpose(w, p.KH*p.KW, packed, p.C, p.C, p.KH*p.KW)
	case linear(p):
		for tap := range p.KH * p.KW {
			transpose(w[tap*p.C+c0:], p.K(), packed[(tap*p.C+c0)*p.OutC:], p.OutC, p.OutC, c1-c0)
		}
	case p.Groups > 1:
		phases(p, func(f phase, at int) { f.turn(w, packed[at:], 0, p.C/p.Groups) })
	default:
		phases(p, func(f phase, at int) { f.turn(w, packed[at:], c0, c1) })
	}
}

// ConvBackwardData is ref.ConvBackwardData as a forward convolution of dy with
// the turned weights. With a stride, the input pixels fall into phases: all
// pixels of a phase see the same taps.
func ConvBackwardData(p *kernel.Conv, dy, packed, dx []float32, add bool, s *kernel.Scratch, r0, r1 int) {
	switch {
	case p.Depthwise():
		depthwiseBackwardData(p, dy, packed, dx, add, s.F32, r0, r1)
	case linear(p):
		linearBackwardData(p, dy, packed, dx, add, s.F32, r0, r1)
	default:
		phases(p, func(f phase, at int) { f.run(dy, packed[at:], dx, add, s.F32, r0, r1) })
	}
}

// ConvBackwardDataRoom is the room for a tile of patches and a tile of results.
func ConvBackwardDataRoom(p *kernel.Conv) kernel.Room {
	switch {
	case p.Depthwise():
		return kernel.Room{F32: p.C}
	case linear(p):
		return kernel.Room{F32: linearTile * linearTile}
	}
	k := p.KH * p.KW * (p.OutC / p.Groups)
	return kernel.Room{F32: tilePixels(k) * (k + p.C/p.Groups)}
}

// phases calls do for every group and phase, with the offset of its turned weights.
func phases(p *kernel.Conv, do func(f phase, at int)) {
	cg, og, at := p.C/p.Groups, p.OutC/p.Groups, 0
	for g := range p.Groups {
		for ph := range p.StrideH {
			for pw := range p.StrideW {
				f := phase{geom: p, group: g, rows: newTaps(p.KH, p.DilationH, p.StrideH, ph), cols: newTaps(p.KW, p.DilationW, p.StrideW, pw)}
				f.taps = f.rows.count * f.cols.count * og
				do(f, at)
				at += cg * f.taps
			}
		}
	}
}

// taps are the kernel positions along one axis that reach the pixels of a phase:
// those with k·dilation ≡ phase (mod stride), last first, so that ascending taps
// meet ascending outputs.
type taps struct {
	phase, stride, dilation int
	last, step, count       int // the taps are last, last-step, …
}

func newTaps(kernel, dilation, stride, phase int) taps {
	t := taps{phase: phase, stride: stride, dilation: dilation, step: stride}
	for k := kernel - 1; k >= 0; k-- {
		if k*dilation%stride != phase {
			continue
		}
		switch t.count {
		case 0:
			t.last = k
		case 1:
			t.step = t.last - k
		}
		t.count++
	}
	return t
}

// first is the output position that the first tap meets at the input position i
// of the phase (counted from the padded edge; the division is exact), delta the
// distance to the next tap's.
func (t *taps) first(i int) int { return (i - t.last*t.dilation) / t.stride }
func (t *taps) delta() int      { return t.step * t.dilation / t.stride }

// phase is one set of input pixels and the taps they see.
type phase struct {
	geom       *kernel.Conv
	group      int
	rows, cols taps
	taps       int // products in one result
}

// run computes the phase's pixels in the input rows [r0, r1).
func (f *phase) run(dy, turned, dx []float32, add bool, scratch []float32, r0, r1 int) {
	p, cg := f.geom, f.geom.C/f.geom.Groups
	if f.taps == 0 { // a stride larger than the kernel leaves pixels that no window reaches
		if !add {
			f.each(r0, r1, func(_, _, _, at int) { clear(dx[at : at+cg]) })
		}
		return
	}
	all := p.KH * p.KW * (p.OutC / p.Groups)
	tile := tilePixels(all)
	col, out := scratch[:tile*all], scratch[tile*all:]
	var at [96]int // where in dx the tile's pixels are
	n := 0
	flush := func() {
		dot(col, f.taps, turned, f.taps, out, cg, n, cg, f.taps)
		for i, to := range at[:n] {
			if add {
				AddTo(out[i*cg:(i+1)*cg], dx[to:to+cg])
			} else {
				copy(dx[to:to+cg], out[i*cg:])
			}
		}
		n = 0
	}
	f.each(r0, r1, func(image, ih, iw, to int) {
		f.patch(dy, col[n*f.taps:(n+1)*f.taps], image, ih, iw)
		at[n] = to
		if n++; n == tile {
			flush()
		}
	})
	flush()
}

// each calls do for the phase's pixels in the input rows [r0, r1): the image, the
// position counted from the padded edge, and the offset of the group's channels in dx.
func (f *phase) each(r0, r1 int, do func(image, ih, iw, at int)) {
	p := f.geom
	for r := r0; r < r1; r++ {
		ih := r%p.H + p.PadTop
		if ih%p.StrideH != f.rows.phase {
			continue
		}
		for iw := mod(f.cols.phase-p.PadLeft, p.StrideW); iw < p.W; iw += p.StrideW {
			do(r/p.H, ih, iw+p.PadLeft, (r*p.W+iw)*p.C+f.group*(p.C/p.Groups))
		}
	}
}

func mod(a, b int) int { return (a%b + b) % b }

// turn writes the weights of the group's input channels [c0, c1) as
// [C/Groups][taps][OutC/Groups].
func (f *phase) turn(w, turned []float32, c0, c1 int) {
	p, cg, og := f.geom, f.geom.C/f.geom.Groups, f.geom.OutC/f.geom.Groups
	i := c0 * f.taps
	for a := range f.rows.count {
		for b := range f.cols.count {
			tap := (f.rows.last-a*f.rows.step)*p.KW + f.cols.last - b*f.cols.step
			transpose(w[(f.group*og*p.KH*p.KW+tap)*cg+c0:], p.K(), turned[i:], f.taps, og, c1-c0)
			i += og
		}
	}
}

// transpose writes dst[c·ldd+r] = src[r·lds+c] for r < rows, c < cols, a line of
// memory at a time.
func transpose(src []float32, lds int, dst []float32, ldd, rows, cols int) {
	for r := 0; r < rows; r += 16 {
		n := min(16, rows-r)
		for c := range cols {
			line := dst[c*ldd+r:][:n]
			for i := range line {
				line[i] = src[(r+i)*lds+c]
			}
		}
	}
}

// patch writes the gradients that the pixel at (ih, iw), counted from the padded
// edge, receives, in the order of the turned weights.
func (f *phase) patch(dy, dst []float32, n, ih, iw int) {
	p, og := f.geom, f.geom.OutC/f.geom.Groups
	line := f.cols.count * og
	oh, ow := f.rows.first(ih), f.cols.first(iw)
	for a := range f.rows.count {
		row := dst[a*line : (a+1)*line]
		h := oh + a*f.rows.delta()
		if h < 0 || h >= p.OH {
			clear(row)
			continue
		}
		image := dy[(n*p.OH+h)*p.OW*p.OutC:][:p.OW*p.OutC]
		if p.Groups == 1 && f.cols.delta() == 1 {
			run(image, 0, row, ow*og)
			continue
		}
		for b := range f.cols.count {
			tap := row[b*og : (b+1)*og]
			v := ow + b*f.cols.delta()
			if v < 0 || v >= p.OW {
				clear(tap)
				continue
			}
			copy(tap, image[v*p.OutC+f.group*og:])
		}
	}
}

// linearTile is the side of the square of results that is formed before it is
// added to dx.
const linearTile = 48

// linearBackwardData is dx[n] = dy[n]·w for the images or parts of images in the rows.
func linearBackwardData(p *kernel.Conv, dy, turned, dx []float32, add bool, scratch []float32, r0, r1 int) {
	k, line := p.K(), p.W*p.C
	for r0 < r1 {
		n, h := r0/p.H, r0%p.H
		images, rows := (r1-r0)/p.H, p.H
		if h != 0 || images == 0 { // part of an image
			images, rows = 1, min(p.H-h, r1-r0)
		}
		d, w, to := dy[n*p.OutC:], turned[h*line*p.OutC:], dx[n*k+h*line:]
		if add {
			linearAdd(p, d, w, to, scratch, images, rows*line)
		} else {
			dot(d, p.OutC, w, p.OutC, to, k, images, rows*line, p.OutC)
		}
		r0 += images * rows
	}
}

// linearAdd adds the gradients of the first n values of each image to dx.
func linearAdd(p *kernel.Conv, dy, turned, dx, scratch []float32, images, n int) {
	k := p.K()
	for i := 0; i < images; i += linearTile {
		for j := 0; j < n; j += linearTile {
			rows, cols := min(linearTile, images-i), min(linearTile, n-j)
			dot(dy[i*p.OutC:], p.OutC, turned[j*p.OutC:], p.OutC, scratch, cols, rows, cols, p.OutC)
			for r := range rows {
				AddTo(scratch[r*cols:(r+1)*cols], dx[(i+r)*k+j:][:cols])
			}
		}
	}
}
