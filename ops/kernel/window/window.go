// Package window is common to all kinds of convolutions: what a window covers, and how work is divided.
package window

import "qpipe/ops/kernel"

// PadRow fills dst with row[from], row[from+1], …, and with pad for elements outside of the row.
func PadRow[T any](dst, row []T, from int, pad T) {
	lo := min(max(-from, 0), len(dst))
	hi := max(min(len(row)-from, len(dst)), lo)
	Fill(dst[:lo], pad)
	if lo < hi {
		copy(dst[lo:hi], row[from+lo:])
	}
	Fill(dst[hi:], pad)
}

// Fill sets every element of x to v.
func Fill[T any](x []T, v T) {
	if len(x) == 0 {
		return
	}
	x[0] = v
	for n := 1; n < len(x); n *= 2 {
		copy(x[n:], x[:n])
	}
}

// Inside reports whether no window reaches beyond an edge of the image.
func Inside(p *kernel.Conv) bool {
	return p.PadTop <= 0 && p.PadLeft <= 0 &&
		(p.OH-1)*p.StrideH-p.PadTop+(p.KH-1)*p.DilationH < p.H &&
		(p.OW-1)*p.StrideW-p.PadLeft+(p.KW-1)*p.DilationW < p.W
}

// Simple returns the same convolution in a simpler form: a linear layer as a convolution of a single pixel, and no
// dilation if there is only one tap.
func Simple(p *kernel.Conv) kernel.Conv {
	q := *p
	if q.KH == 1 {
		q.DilationH = 1
	}
	if q.KW == 1 {
		q.DilationW = 1
	}
	if q.Groups == 1 && q.OH == 1 && q.OW == 1 && q.KH == q.H && q.KW == q.W && Inside(&q) && q.DilationH == 1 && q.DilationW == 1 {
		q.C *= q.H * q.W
		q.H, q.W, q.KH, q.KW = 1, 1, 1, 1
	}
	if q.KH == 1 && q.OH == 1 {
		q.StrideH = 1
	}
	if q.KW == 1 && q.OW == 1 {
		q.StrideW = 1
	}
	return q
}

// Turned is the convolution of dy with the flipped weights that gives dx, for a stride of 1. Its padding may be
// negative.
func Turned(p *kernel.Conv) kernel.Conv {
	q := *p
	q.H, q.W, q.C, q.OH, q.OW, q.OutC = p.OH, p.OW, p.OutC, p.H, p.W, p.C
	q.PadTop, q.PadLeft = (p.KH-1)*p.DilationH-p.PadTop, (p.KW-1)*p.DilationW-p.PadLeft
	return q
}

// Used is the share of the products of all windows that are inside the image.
func Used(p *kernel.Conv) float64 {
	h, w := 0, 0
	for k := range p.KH {
		lo, hi := kernel.Window(k*p.DilationH-p.PadTop, p.StrideH, p.OH, p.H)
		h += hi - lo
	}
	for k := range p.KW {
		lo, hi := kernel.Window(k*p.DilationW-p.PadLeft, p.StrideW, p.OW, p.W)
		w += hi - lo
	}
	return float64(h) * float64(w) / float64(p.KH*p.KW*p.OH*p.OW)
}

// Blocks cuts [lo, hi) into the fewest pieces of at most most, all about equally long.
func Blocks(lo, hi, most int, do func(lo, hi int)) {
	n := (hi - lo + most - 1) / most
	for i := range n {
		do(lo+(hi-lo)*i/n, lo+(hi-lo)*(i+1)/n)
	}
}
