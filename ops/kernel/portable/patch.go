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

// depthwise reports whether every channel has a filter of its own.
func depthwise(p *kernel.Conv) bool { return p.Groups == p.C && p.OutC == p.C && p.C > 1 }

// tilePixels is how many patches of k values are unrolled at a time: a multiple
// of six, so that blocks of two and three divide it, in at most about 100 kB.
func tilePixels(k int) int { return min(max(24576/k/6*6, 6), 96) }

// unroll writes the patches of group g for the output pixels [p0, p1), counted
// over N·OH·OW, into col, K values each. Values beyond the edges are pad.
func unroll[T float32 | int8](p *kernel.Conv, x, col []T, pad T, g, p0, p1 int) {
	k := p.K()
	oh, ow := p0/p.OW, p0%p.OW
	n := oh / p.OH
	oh -= n * p.OH
	for i := range p1 - p0 {
		patch(p, x, col[i*k:(i+1)*k], pad, g, n, oh, ow)
		if ow++; ow == p.OW {
			ow = 0
			if oh++; oh == p.OH {
				oh, n = 0, n+1
			}
		}
	}
}

// patch writes the values under the window at (n, oh, ow) in the weights' order
// [KH][KW][C/Groups].
func patch[T float32 | int8](p *kernel.Conv, x, dst []T, pad T, g, n, oh, ow int) {
	cg := p.C / p.Groups
	line := p.KW * cg
	left := ow*p.StrideW - p.PadLeft
	for kh := range p.KH {
		row := dst[kh*line : (kh+1)*line]
		ih := oh*p.StrideH - p.PadTop + kh*p.DilationH
		if ih < 0 || ih >= p.H {
			fill(row, pad)
			continue
		}
		image := x[(n*p.H+ih)*p.W*p.C:][:p.W*p.C]
		if p.Groups == 1 && p.DilationW == 1 {
			run(image, row, pad, left*cg)
			continue
		}
		for kw := range p.KW {
			tap := row[kw*cg : (kw+1)*cg]
			iw := left + kw*p.DilationW
			if iw < 0 || iw >= p.W {
				fill(tap, pad)
				continue
			}
			copy(tap, image[iw*p.C+g*cg:])
		}
	}
}

// run copies src[from:from+len(dst)] to dst; what lies outside src is pad.
func run[T float32 | int8](src, dst []T, pad T, from int) {
	if from >= 0 && from+len(dst) <= len(src) {
		src = src[from:][:len(dst)]
		if len(dst) > 16 {
			copy(dst, src)
			return
		}
		for i, v := range src { // a call costs more than a few values
			dst[i] = v
		}
		return
	}
	lo := min(max(-from, 0), len(dst))
	hi := max(min(len(src)-from, len(dst)), lo)
	fill(dst[:lo], pad)
	if lo < hi {
		copy(dst[lo:hi], src[from+lo:])
	}
	fill(dst[hi:], pad)
}

func fill[T float32 | int8](dst []T, v T) {
	for i := range dst {
		dst[i] = v
	}
}
