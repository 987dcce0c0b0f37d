package tile

import "qpipe/ops/kernel"

// padRow fills dst with row[from], row[from+1], …, and with pad where there is no
// such element.
func padRow[T any](dst, row []T, from int, pad T) {
	lo := min(max(-from, 0), len(dst))
	hi := max(min(len(row)-from, len(dst)), lo)
	fill(dst[:lo], pad)
	if lo < hi {
		copy(dst[lo:hi], row[from+lo:])
	}
	fill(dst[hi:], pad)
}

// fill sets every element of x to v.
func fill[T any](x []T, v T) {
	if len(x) == 0 {
		return
	}
	x[0] = v
	for n := 1; n < len(x); n *= 2 {
		copy(x[n:], x[:n])
	}
}

// inside reports whether no window reaches beyond an edge of the image.
func inside(p *kernel.Conv) bool {
	return p.PadTop <= 0 && p.PadLeft <= 0 &&
		(p.OH-1)*p.StrideH-p.PadTop+(p.KH-1)*p.DilationH < p.H &&
		(p.OW-1)*p.StrideW-p.PadLeft+(p.KW-1)*p.DilationW < p.W
}

// simple returns the same convolution in fewer terms: a linear layer as one of a
// single pixel, and no dilation where there is but one tap.
func simple(p *kernel.Conv) kernel.Conv {
	q := *p
	if q.KH == 1 {
		q.DilationH = 1
	}
	if q.KW == 1 {
		q.DilationW = 1
	}
	if q.Groups == 1 && q.OH == 1 && q.OW == 1 && q.KH == q.H && q.KW == q.W && inside(&q) && q.DilationH == 1 && q.DilationW == 1 {
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

// turned is the convolution of dy with the turned weights that gives dx, for a
// stride of 1. Its padding may be negative.
func turned(p *kernel.Conv) kernel.Conv {
	q := *p
	q.H, q.W, q.C, q.OH, q.OW, q.OutC = p.OH, p.OW, p.OutC, p.H, p.W, p.C
	q.PadTop, q.PadLeft = (p.KH-1)*p.DilationH-p.PadTop, (p.KW-1)*p.DilationW-p.PadLeft
	return q
}

// used is which part of the products of all windows lies inside the image.
func used(p *kernel.Conv) float64 {
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

// blocks cuts [lo, hi) into the fewest pieces of at most most, all about equally long.
func blocks(lo, hi, most int, do func(lo, hi int)) {
	n := (hi - lo + most - 1) / most
	for i := range n {
		do(lo+(hi-lo)*i/n, lo+(hi-lo)*(i+1)/n)
	}
}

// strip is the place in scratch of the padded input under some output rows: for
// each image the rows that its windows reach, as wide as all windows of a row.
type strip struct {
	p     *kernel.Conv
	line  int // elements of a row
	image int // elements from the first row of an image to that of the next, or 0: each image's rows follow the last one's
}

func newStrip(p *kernel.Conv) strip {
	return strip{p: p, line: ((p.OW-1)*p.StrideW + (p.KW-1)*p.DilationW + 1) * p.C}
}

// rows is how many rows of input are under count output rows of one image.
func (s strip) rows(count int) int { return (count-1)*s.p.StrideH + (s.p.KH-1)*s.p.DilationH + 1 }

// size is enough for any count output rows, whatever images they lie in.
func (s strip) size(count int) int {
	images := 1
	if count > 1 {
		images = min((count-2)/s.p.OH+2, count)
	}
	return (count*s.p.StrideH + images*max(s.rows(1)-s.p.StrideH, 0)) * s.line
}

// each calls do for the parts [a, b) of [r0, r1) that lie in one image, with the
// place where the windows of a begin, if those of r0 do at 0.
func (s strip) each(r0, r1 int, do func(a, b, at int)) {
	at := 0
	for a := r0; a < r1; {
		b := min(r1, (a/s.p.OH+1)*s.p.OH)
		do(a, b, at)
		at += s.rows(b-a) * s.line
		if s.image != 0 {
			at = (b/s.p.OH-r0/s.p.OH)*s.image - r0%s.p.OH*s.p.StrideH*s.line
		}
		a = b
	}
}

// offsets writes where the windows of the output rows [r0, r1) begin.
func (s strip) offsets(off []int32, r0, r1 int) {
	i := 0
	s.each(r0, r1, func(a, b, start int) {
		for r := range b - a {
			at := start + r*s.p.StrideH*s.line
			for range s.p.OW {
				off[i] = int32(at)
				i++
				at += s.p.StrideW * s.p.C
			}
		}
	})
}

// fillStrip copies what is under the output rows [r0, r1) into the strip dst. get
// returns row n·H+h of the input, which it may write to the room given.
func fillStrip[T any](s strip, dst []T, r0, r1 int, pad T, get func(row int) []T) {
	s.each(r0, r1, func(a, b, at int) {
		top := a%s.p.OH*s.p.StrideH - s.p.PadTop
		for i := range s.rows(b - a) {
			to := dst[at+i*s.line:][:s.line]
			if h := top + i; h >= 0 && h < s.p.H {
				padRow(to, get(a/s.p.OH*s.p.H+h), -s.p.PadLeft*s.p.C, pad)
			} else {
				padRow(to, nil, 0, pad)
			}
		}
	})
}
