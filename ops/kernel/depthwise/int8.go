package depthwise

import (
	"qpipe/ops/kernel"
	"qpipe/ops/kernel/window"
)

// Taps8 computes acc[t,c] = bias[c] + Σ x[i·xRow + t·xPix + j·xTap + c] · w[i, j, c] over i < rows and j < taps for
// t < outs. There are blocks full vectors of channels and tail more; x is read up to a full vector.
type Taps8 func(x *uint8, w *int8, bias, acc *int32, outs, blocks, tail, rows, taps, xRow, xTap, xPix, accPix int)

// Row8 computes a row of outputs of 3x3 or 5x5 taps from the input rows x0, x1, …; of 3x3 taps x3 and x4 are not read:
//
//	acc[t,c] = bias[c] + Σ xi[t·step-left+j, c] · w[i, j, c]
//
// where columns that are not in 0..cols-1 count as pad, for blocks of channels whose last has those in mask. By mode the result is a code (0), a
// code with z added (1), acc (2) or float32(acc)·m (3). pad, lo and hi are repeated in four bytes, zero in two
// words; w, bias and m lie in the order of Depthwise.turned.
type Row8 func(x0, x1, x2, x3, x4 *uint8, w *int8, bias *int32, m *float32, z, y *uint8, acc *int32, f *float32,
	blocks, outs, cols, left, xPix, mode int, mask uint64, pad, zero, lo, hi, zzero uint32, mz float32)

// The modes of Row8.
const (
	modeCodes = iota
	modeAdded
	modeAcc
	modeFloat
)

// stripe is a run of blocks of 64, 32 or 16 channels, or a block of less than 16.
type stripe struct {
	kind, width     int // index in Rows8, and channels that a block has room for
	channel, blocks int
	mask            uint64 // of the channels of a block
}

// stripes cuts c channels into runs for Row8.
func stripes(c int) (s [4]stripe, n int) {
	at := 0
	for kind, width := range [4]int{64, 32, 16, 16} {
		blocks, used := (c-at)/width, width
		if kind == 3 && at < c {
			blocks, used = 1, c-at
		}
		if blocks > 0 {
			s[n] = stripe{kind, width, at, blocks, ^uint64(0) >> (64 - used)}
			n++
		}
		at += blocks * used
	}
	return s, n
}

// turned calls f for each four neighbouring channels of a stripe: from is their place in natural order, to in the order
// that unpacking bytes leads to: of every 16 channels the first four, then of every 16 the second four, ….
func (s *stripe) turned(f func(from, to int)) {
	for b := range s.blocks {
		at := s.channel + b*s.width
		for i := range 4 {
			for l := range s.width / 16 {
				f(at+16*l+4*i, at+i*s.width/4+4*l)
			}
		}
	}
}

// square reports whether Row8 computes the geometry.
func (d *Kernels) square(p *kernel.Conv) bool {
	return d.Rows8[0][0][0] != nil && (p.KH == 3 || p.KH == 5) && p.KW == p.KH && p.DilationW == 1 && p.StrideW <= 2
}

// squareWeights is the number of bytes that Row8 reads of the weights of a channel: dwords of four rows of taps.
func squareWeights(p *kernel.Conv) int { return 4 * p.KW * ((p.KH + 3) / 4) }

// turnedSize is the number of channels that the stripes cover.
func turnedSize(c int) int { return (c + 63) / 64 * 64 }

// Int8PackSize is ConvInt8PackSize.
func (d *Kernels) Int8PackSize(p *kernel.Conv) int {
	if d.square(p) {
		return squareWeights(p) * turnedSize(p.C)
	}
	return d.size(p, p.C)
}

// Int8Pack is ConvInt8Pack.
func (d *Kernels) Int8Pack(p *kernel.Conv, w, packed []int8, sums []int32, o0, o1 int) {
	taps := p.KH * p.KW
	for o := o0; o < o1; o++ {
		sums[o] = 0
		for _, v := range w[o*taps:][:taps] {
			sums[o] += int32(v)
		}
	}
	if d.square(p) {
		packSquare(p, w, packed)
		return
	}
	for b := range d.padded(p.C) / d.Lanes {
		for tap := range taps {
			dst := packed[(b*taps+tap)*d.Lanes:][:d.Lanes]
			for lane := range dst {
				dst[lane] = 0
				if o := b*d.Lanes + lane; o < p.C {
					dst[lane] = w[o*taps+tap]
				}
			}
		}
	}
}

// packSquare writes weights as [block][dword of a column][kw][turned channel][four kh, zeros where there are fewer].
func packSquare(p *kernel.Conv, w, packed []int8) {
	size, taps := squareWeights(p), p.KH*p.KW
	clear(packed[:size*turnedSize(p.C)])
	all, n := stripes(p.C)
	for _, s := range all[:n] {
		s.turned(func(from, to int) {
			block := s.channel + (to-s.channel)/s.width*s.width
			for e := range min(4, p.C-from) {
				for tap := range taps {
					kh, kw := tap/p.KW, tap%p.KW
					packed[size*block+4*s.width*(kh/4*p.KW+kw)+4*(to+e-block)+kh%4] = w[(from+e)*taps+tap]
				}
			}
		})
	}
}

// Int8Room is ConvInt8Room: an input row of padding, bias and multipliers in their order, a row of sums; or the
// padded rows that an output row reads.
func (d *Kernels) Int8Room(p *kernel.Conv) kernel.Room {
	if d.square(p) {
		c := turnedSize(p.C)
		return kernel.Room{F32: c, I32: c + p.OW*p.C, U8: p.W * p.C}
	}
	return kernel.Room{I32: p.OW * p.C, U8: p.KH*d.width8(p)*p.C + d.Lanes}
}

// Int8 is ConvInt8.
func (d *Kernels) Int8(p *kernel.Conv, x []uint8, pad uint8, packed []int8, bias []int32, out *kernel.Int8Out, s *kernel.Scratch, r0, r1, _, _ int) {
	if d.square(p) {
		t := square{Kernels: d, geom: p, x: x, packed: packed, pad: 0x01010101 * uint32(pad), out: out}
		t.rows(s, bias, pad, r0, r1)
		return
	}
	for r := r0; r < r1; r++ {
		acc := s.I32[:p.OW*p.C]
		if out.Acc != nil {
			acc = out.Acc[r*p.OW*p.C:][:p.OW*p.C]
		}
		d.tapRow(p, x, pad, packed, bias, s.U8, acc, r)
		d.put(p, acc, out, r)
	}
}

// width8 is the number of columns that an output row reads.
func (d *Kernels) width8(p *kernel.Conv) int { return (p.OW-1)*p.StrideW + (p.KW-1)*p.DilationW + 1 }

// tapRow computes the sums of one row from a padded copy of the rows that it reads.
func (d *Kernels) tapRow(p *kernel.Conv, x []uint8, pad uint8, packed []int8, bias []int32, rows []uint8, acc []int32, r int) {
	n, oh := r/p.OH, r%p.OH
	size := d.width8(p) * p.C
	for kh := range p.KH {
		row := rows[kh*size:][:size]
		ih := oh*p.StrideH - p.PadTop + kh*p.DilationH
		if ih < 0 || ih >= p.H {
			window.Fill(row, pad)
			continue
		}
		window.PadRow(row, x[(n*p.H+ih)*p.W*p.C:][:p.W*p.C], -p.PadLeft*p.C, pad)
	}
	d.Taps8(&rows[0], &packed[0], &bias[0], &acc[0], p.OW, p.C/d.Lanes, p.C%d.Lanes, p.KH, p.KW,
		size, p.DilationW*p.C, p.StrideW*p.C, 4*p.C)
}

// put converts a row of sums to the output that out asks for.
func (d *Kernels) put(p *kernel.Conv, acc []int32, out *kernel.Int8Out, r int) {
	at, n := r*p.OW*p.C, p.OW*p.C
	switch {
	case out.Y != nil && out.Z != nil:
		d.base.Requantize(acc, nil, out.Z[at:at+n], out.Y[at:at+n], nil, p.C, out.Q)
	case out.Y != nil:
		d.base.Requantize(acc, nil, nil, out.Y[at:at+n], nil, p.C, out.Q)
	case out.F != nil && out.Q != nil:
		d.base.Dequantize(acc, nil, out.F[at:at+n], p.C, out.Q.M)
	case out.F != nil:
		for i, v := range acc {
			out.F[at+i] = float32(v)
		}
	}
}
