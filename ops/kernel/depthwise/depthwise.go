// Package depthwise turns the convolutions where each channel has its own filter into calls of micro-kernels, which are
// function values, so that all instruction sets share these drivers.
package depthwise

import "qpipe/ops/kernel"

// Row computes, for the outputs t of tiles tiles of cols outputs,
//
//	y[t,c] = Σ x[i, t·step+j, c] · w[i, j, c]    over i < rows and the taps j of a row, in that order
//
// where the tile's columns of x whose bit in first (the first tile) or last is 0 count as zeros. With add it is added to
// y. There are blocks full vectors of channels and, where cols is 1, tail more; steps and offsets are in bytes.
type Row func(x, w, y *float32, cols, tiles, blocks, tail, rows, xOff, xRow, xPix, wRow, wBlock, yPix int, first, last uint64, add int)

// Grad is the gradient of Row to w: a[i, j, c] += Σ dy[t,c] · x[i, t·step+j, c] over t.
type Grad func(x, dy, a *float32, cols, tiles, blocks, tail, rows, xOff, xRow, xPix, aRow, aBlock, yPix int, first, last uint64)

// Forms is the number of forms of a row of taps: 1, 2, 3 and 5 taps at a
// step of one column, 3 and 5 at a step of two. The form of one tap takes any step.
const Forms = 6

// Kernels are the kernels of convolutions where each channel has its own filter.
type Kernels struct {
	Lanes int // channels in a vector
	Rows  [Forms]Row
	Grads [Forms]Grad
	Widen func(x *uint8, y *float32, pixels, blocks, tail, xPix, yPix, zero int)

	Nines     [2]Nine[float32] // gradients of 3x3 taps at a step of one and of two
	NineCodes [2]Nine[uint8]
	NineAdd   func(a, w *float32, blocks int) // w[Lanes·b+l][i] += a[b][i][l] over i < 9 and the lanes l

	Taps8 Taps8
	Rows8 [2][4][2]Row8 // of 3x3 and 5x5 taps, for 64, 32, 16 and less than 16 channels, at a step of one and of two; nil where a set has none
	base  *kernel.Set
}

// form is the index of the kernel for kw taps, -1 without one.
func form(kw, stride int) int {
	switch {
	case kw == 1 && stride == 1:
		return 0
	case kw == 2 && stride == 1:
		return 1
	case kw == 3 && stride <= 2:
		return 1 + stride
	case kw == 5 && stride <= 2:
		return 3 + stride
	}
	return -1
}

// line is a convolution along one row: out outputs of kw taps, from in columns with pad columns of padding before the
// first one (if negative, columns are left out).
type line struct{ kw, stride, pad, in, out int }

// fits reports whether there is a kernel for the line: at most two columns may be beyond each edge (one for a single
// tap).
func (l line) fits() bool {
	most := 2
	if l.kw == 1 {
		most = 1
	}
	end := (l.out-1)*l.stride + l.kw - l.pad
	return form(l.kw, l.stride) >= 0 && l.pad <= most && end-l.in <= most
}

// span is a run of tiles of cols outputs each, starting at the output start.
type span struct {
	start, cols, tiles int
	first, last        uint64
}

// maxCols is the largest number of outputs in a tile.
const maxCols = 8

// run calls do for the spans of whole vectors of channels and for those of the remaining channels, with the first
// channel and the number of vectors or single channels.
func (l line) run(lanes, channels int, do func(s span, channel, blocks, tail int)) {
	blocks, tail := channels/lanes, channels%lanes
	if blocks > 0 {
		spans, n := l.spans()
		for i := range spans[:n] {
			do(spans[i], 0, blocks, 0)
		}
	}
	if tail > 0 {
		spans, n := l.singles()
		for i := range spans[:n] {
			do(spans[i], blocks*lanes, 0, tail)
		}
	}
}

// spans cuts a line into tiles of nearly one size.
func (l line) spans() (s [2]span, n int) {
	if l.out <= 0 {
		return s, 0
	}
	tiles := (l.out + maxCols - 1) / maxCols
	small, more := l.out/tiles, l.out%tiles
	if more > 0 {
		s[0] = l.span(0, small+1, more)
		n = 1
	}
	s[n] = l.span(more*(small+1), small, tiles-more)
	return s, n + 1
}

// singles cuts a line into tiles of one output: separate spans for those that read beyond an edge, at most two at each
// side, and one for the others.
func (l line) singles() (s [5]span, n int) {
	at := 0
	for at < l.out && n < 2 && at*l.stride < l.pad {
		s[n] = l.span(at, 1, 1)
		at, n = at+1, n+1
	}
	end := l.out
	for end > at && (end-1)*l.stride+l.kw-l.pad > l.in {
		end--
	}
	if end > at {
		s[n] = l.span(at, 1, end-at)
		n++
	}
	for ; end < l.out; end++ {
		s[n] = l.span(end, 1, 1)
		n++
	}
	return s, n
}

// span is a run of tiles with the bits of its first and last tile.
func (l line) span(start, cols, tiles int) span {
	return span{start, cols, tiles, l.valid(start, cols), l.valid(start+(tiles-1)*cols, cols)}
}

// valid has a bit for each column that a tile reads, 1 where the column exists.
func (l line) valid(start, cols int) (bits uint64) {
	for j := range (cols-1)*l.stride + l.kw {
		if i := start*l.stride - l.pad + j; i >= 0 && i < l.in {
			bits |= 1 << j
		}
	}
	return bits
}

// maxChannels is how many channels of some rows are computed together: few enough that the rows stay in the nearest cache.
const maxChannels = 192

// band cuts c channels into bands of nearly one size, full vectors but for the last.
func (d *Kernels) band(c int) int {
	n := (c + maxChannels - 1) / maxChannels
	return d.padded((c + n - 1) / n)
}

// padded is c rounded up to full vectors.
func (d *Kernels) padded(c int) int { return (c + d.Lanes - 1) / d.Lanes * d.Lanes }

// size is the number of packed weights or sums of c channels: blocks of a vector, in each the taps.
func (d *Kernels) size(p *kernel.Conv, c int) int {
	return d.padded(c) * p.KH * p.KW
}

// pack writes the weights of the channels [o0, o1) as [block][kh][kw][lane]; order gives the tap at each place of a row.
func (d *Kernels) pack(p *kernel.Conv, w, packed []float32, o0, o1 int, order func(i int) int) {
	taps := p.KH * p.KW
	for b := o0 / d.Lanes; b*d.Lanes < o1; b++ {
		for kh := range p.KH {
			for i := range p.KW {
				tap := kh*p.KW + order(i)
				dst := packed[(b*taps+kh*p.KW+i)*d.Lanes:][:d.Lanes]
				for lane := range dst {
					dst[lane] = 0
					if o := b*d.Lanes + lane; o < o1 {
						dst[lane] = w[o*taps+tap]
					}
				}
			}
		}
	}
}

// call is what the calls of one row have in common: taps, steps in elements, the channels [c0, c1) and whether the
// result is added.
type call struct {
	rows, xRow, xPix, wRow, yPix int
	c0, c1                       int
	add                          bool
}

// row runs the kernel over a line. x[xAt] is column 0 of the first row of taps, which may be before x.
func (d *Kernels) row(p *kernel.Conv, l line, c call, x []float32, xAt int, w, y []float32) {
	k := d.Rows[form(l.kw, l.stride)]
	add := 0
	if c.add {
		add = 1
	}
	l.run(d.Lanes, c.c1-c.c0, func(s span, channel, blocks, tail int) {
		channel += c.c0
		k(&x[0], &w[channel*p.KH*p.KW], &y[s.start*c.yPix+channel], s.cols, s.tiles, blocks, tail, c.rows,
			4*(xAt+channel+(s.start*l.stride-l.pad)*c.xPix), 4*c.xRow, 4*c.xPix, 4*c.wRow, 4*d.Lanes*p.KH*p.KW, 4*c.yPix, s.first, s.last, add)
	})
}
