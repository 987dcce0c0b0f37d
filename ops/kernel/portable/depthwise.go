package portable

import "qpipe/ops/kernel"

// depthwiseForward is ConvForward where each channel has its own filter.
func depthwiseForward(p *kernel.Conv, x, turned, y []float32, r0, r1 int) {
	for r := r0; r < r1; r++ {
		n, oh := r/p.OH, r%p.OH
		top := oh*p.StrideH - p.PadTop
		h0, h1 := kernel.Window(top, p.DilationH, p.KH, p.H)
		for ow := range p.OW {
			left := ow*p.StrideW - p.PadLeft
			w0, w1 := kernel.Window(left, p.DilationW, p.KW, p.W)
			out := y[(r*p.OW+ow)*p.C:][:p.C]
			clear(out)
			for kh := h0; kh < h1; kh++ {
				from := ((n*p.H+top+kh*p.DilationH)*p.W + left + w0*p.DilationW) * p.C
				multiplyAdd(out, x, from, p.DilationW*p.C, turned, (kh*p.KW+w0)*p.C, p.C, w1-w0)
			}
		}
	}
}

// depthwiseBackwardData is ConvBackwardData where each channel has its own filter.
func depthwiseBackwardData(p *kernel.Conv, dy, turned, dx []float32, add bool, scratch []float32, r0, r1 int) {
	for r := r0; r < r1; r++ {
		n, ih := r/p.H, r%p.H+p.PadTop
		rows := newTaps(p.KH, p.DilationH, p.StrideH, ih%p.StrideH)
		h0, h1 := kernel.Window(rows.first(ih), rows.delta(), rows.count, p.OH)
		for pw := range p.StrideW {
			cols := newTaps(p.KW, p.DilationW, p.StrideW, pw)
			for iw := mod(pw-p.PadLeft, p.StrideW); iw < p.W; iw += p.StrideW {
				first := cols.first(iw + p.PadLeft)
				w0, w1 := kernel.Window(first, cols.delta(), cols.count, p.OW)
				to := dx[(r*p.W+iw)*p.C:][:p.C]
				out := to
				if add {
					out = scratch[:p.C]
				}
				clear(out)
				for a := h0; a < h1; a++ {
					oh := rows.first(ih) + a*rows.delta()
					from := ((n*p.OH+oh)*p.OW + first + w0*cols.delta()) * p.C
					tap := (rows.last-a*rows.step)*p.KW + cols.last - w0*cols.step
					multiplyAdd(out, dy, from, cols.delta()*p.C, turned, tap*p.C, -cols.step*p.C, w1-w0)
				}
				if add {
					AddTo(out, to)
				}
			}
		}
	}
}

// depthwiseBackwardWeights is ConvBackwardWeights where each channel has its own
// filter; each image gives one partial sum.
func depthwiseBackwardWeights(p *kernel.Conv, x kernel.Operand, dy, dw, scratch []float32, n0, n1, o0, o1 int) {
	k, size := p.KH*p.KW, p.H*p.W*p.C
	sums, image := scratch[:k*p.C], scratch[k*p.C:]
	for n := n0; n < n1; n++ {
		clear(sums)
		if x.F != nil {
			image = x.F[n*size : (n+1)*size]
		} else {
			Values(x.Q[n*size:(n+1)*size], x.Zero, 1, image)
		}
		for oh := range p.OH {
			top := oh*p.StrideH - p.PadTop
			h0, h1 := kernel.Window(top, p.DilationH, p.KH, p.H)
			for kh := h0; kh < h1; kh++ {
				for kw := range p.KW {
					left := kw*p.DilationW - p.PadLeft
					w0, w1 := kernel.Window(left, p.StrideW, p.OW, p.W) // the outputs whose tap lies in the image
					out := sums[(kh*p.KW+kw)*p.C:]
					multiplyAdd(out[o0:o1],
						dy, ((n*p.OH+oh)*p.OW+w0)*p.C+o0, p.C,
						image, ((top+kh*p.DilationH)*p.W+left+w0*p.StrideW)*p.C+o0, p.StrideW*p.C, w1-w0)
				}
			}
		}
		for c := o0; c < o1; c++ {
			for tap := range k {
				dw[c*k+tap] += sums[tap*p.C+c]
			}
		}
	}
}

// multiplyAdd adds to y the products of count rows of a and b, row after row.
// The rows start at a[ai:] and b[bi:] and lie lda and ldb apart.
func multiplyAdd(y, a []float32, ai, lda int, b []float32, bi, ldb, count int) {
	for ; count >= 3; count -= 3 {
		multiplyAdd3(y, a[ai:], a[ai+lda:], a[ai+2*lda:], b[bi:], b[bi+ldb:], b[bi+2*ldb:])
		ai, bi = ai+3*lda, bi+3*ldb
	}
	for ; count > 0; count-- {
		a, b := a[ai:][:len(y)], b[bi:][:len(y)]
		for c := range y {
			y[c] += float32(a[c] * b[c])
		}
		ai, bi = ai+lda, bi+ldb
	}
}

func multiplyAdd3(y, a0, a1, a2, b0, b1, b2 []float32) {
	a0, a1, a2 = a0[:len(y)], a1[:len(y)], a2[:len(y)]
	b0, b1, b2 = b0[:len(y)], b1[:len(y)], b2[:len(y)]
	for c, s := range y {
		s += float32(a0[c] * b0[c])
		s += float32(a1[c] * b1[c])
		s += float32(a2[c] * b2[c])
		y[c] = s
	}
}

// depthwiseInt8 is ConvInt8 where each channel has its own filter: with
// base = bias + pad·Σw, acc = base + Σ (x - pad)·w over the taps in the image.
func depthwiseInt8(p *kernel.Conv, x []uint8, pad uint8, turned []int8, bias []int32, out *kernel.Int8Out, s *kernel.Scratch, r0, r1 int) {
	base, line := s.I32[:p.C], s.I32[p.C:][:p.OW*p.C]
	copy(base, bias)
	for i, v := range turned[:p.WeightLen()] {
		base[i%p.C] += int32(pad) * int32(v)
	}
	for r := r0; r < r1; r++ {
		n, oh := r/p.OH, r%p.OH
		top := oh*p.StrideH - p.PadTop
		h0, h1 := kernel.Window(top, p.DilationH, p.KH, p.H)
		for ow := range p.OW {
			left := ow*p.StrideW - p.PadLeft
			w0, w1 := kernel.Window(left, p.DilationW, p.KW, p.W)
			acc := line[ow*p.C : (ow+1)*p.C]
			copy(acc, base)
			for kh := h0; kh < h1; kh++ {
				from := ((n*p.H+top+kh*p.DilationH)*p.W + left + w0*p.DilationW) * p.C
				multiplyAddInt8(acc, x, from, p.DilationW*p.C, int32(pad), turned, (kh*p.KW+w0)*p.C, w1-w0)
			}
		}
		store(out, line, nil, p.C, r*p.OW*p.C, 0)
	}
}

// multiplyAddInt8 is multiplyAdd in integers; the rows of b lie len(y) apart.
func multiplyAddInt8(y []int32, a []uint8, ai, lda int, zero int32, b []int8, bi, count int) {
	for ; count >= 3; count -= 3 {
		a0, a1, a2 := a[ai:][:len(y)], a[ai+lda:][:len(y)], a[ai+2*lda:][:len(y)]
		b0, b1, b2 := b[bi:][:len(y)], b[bi+len(y):][:len(y)], b[bi+2*len(y):][:len(y)]
		for c, s := range y {
			s += (int32(a0[c]) - zero) * int32(b0[c])
			s += (int32(a1[c]) - zero) * int32(b1[c])
			s += (int32(a2[c]) - zero) * int32(b2[c])
			y[c] = s
		}
		ai, bi = ai+3*lda, bi+3*len(y)
	}
	for ; count > 0; count-- {
		a, b := a[ai:][:len(y)], b[bi:][:len(y)]
		for c := range y {
			y[c] += (int32(a[c]) - zero) * int32(b[c])
		}
		ai, bi = ai+lda, bi+len(y)
	}
}
