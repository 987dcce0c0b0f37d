package portable

import "qpipe/ops/kernel"

// direct reports whether the patches of p lie in x one after another as they are:
// a 1×1 convolution, or a linear layer. Their rows are then K values apart (C
// values, with groups).
func direct(p *kernel.Conv) bool {
	if p.PadTop != 0 || p.PadLeft != 0 {
		return false
	}
	pointwise := p.KH == 1 && p.KW == 1 && p.StrideH == 1 && p.StrideW == 1 && p.OH == p.H && p.OW == p.W
	return pointwise || linear(p)
}

// linear reports whether the kernel covers the whole input.
func linear(p *kernel.Conv) bool {
	return p.Groups == 1 && p.PadTop == 0 && p.PadLeft == 0 && p.OH == 1 && p.OW == 1 &&
		p.KH == p.H && p.KW == p.W && (p.DilationH == 1 || p.KH == 1) && (p.DilationW == 1 || p.KW == 1)
}

// tilePixels is how many patches of k values are unrolled at a time: a multiple
// of six, so that blocks of two and three divide it, in at most about 100 kB.
func tilePixels(k int) int { return min(max(24576/k/6*6, 6), 96) }

// unroll writes the patches of group g for the output pixels [p0, p1), counted
// over N·OH·OW, into col, K elements each, in the weights' order [KH][KW][C/Groups].
// Elements beyond the edges are pad.
func unroll[T float32 | uint8](p *kernel.Conv, x []T, pad T, col []T, g, p0, p1 int) {
	for p0 < p1 {
		r, ow := p0/p.OW, p0%p.OW
		count := min(p.OW-ow, p1-p0)
		for kh := range p.KH {
			ih := r%p.OH*p.StrideH - p.PadTop + kh*p.DilationH
			var image []T // the row under the taps; without elements beyond the edges
			if ih >= 0 && ih < p.H {
				image = x[(r/p.OH*p.H+ih)*p.W*p.C:][:p.W*p.C]
			}
			if p.Groups == 1 && p.DilationW == 1 {
				line := p.KW * p.C
				slide(image, pad, col[kh*line:], p.K(), line, (ow*p.StrideW-p.PadLeft)*p.C, p.StrideW*p.C, count)
				continue
			}
			line := p.KW * (p.C / p.Groups)
			for i := range count {
				gather(p, image, pad, col[i*p.K()+kh*line:][:line], g, (ow+i)*p.StrideW-p.PadLeft)
			}
		}
		col = col[count*p.K():]
		p0 += count
	}
}

// slide copies count windows of line elements, which start at from and lie step
// apart in image, to where they lie ld apart in col.
func slide[T float32 | uint8](image []T, pad T, col []T, ld, line, from, step, count int) {
	for i := range count {
		dst := col[i*ld:][:line]
		if from < 0 || from+line > len(image) || line > 16 {
			run(image, pad, dst, from)
		} else {
			for j, v := range image[from:][:len(dst)] { // a call costs more than a few values
				dst[j] = v
			}
		}
		from += step
	}
}

// gather copies the channels of group g under each tap of one row of the window.
func gather[T float32 | uint8](p *kernel.Conv, image []T, pad T, dst []T, g, left int) {
	cg := p.C / p.Groups
	for kw := range p.KW {
		if iw := left + kw*p.DilationW; iw >= 0 && iw < p.W && len(image) > 0 {
			copy(dst[kw*cg:(kw+1)*cg], image[iw*p.C+g*cg:])
		} else {
			fill(dst[kw*cg:(kw+1)*cg], pad)
		}
	}
}

// run copies src[from:from+len(dst)] to dst; what lies outside src is pad.
func run[T float32 | uint8](src []T, pad T, dst []T, from int) {
	lo := min(max(-from, 0), len(dst))
	hi := max(min(len(src)-from, len(dst)), lo)
	fill(dst[:lo], pad)
	if lo < hi {
		copy(dst[lo:hi], src[from+lo:])
	}
	fill(dst[hi:], pad)
}

func fill[T float32 | uint8](dst []T, v T) {
	for i := range dst {
		dst[i] = v
	}
}
