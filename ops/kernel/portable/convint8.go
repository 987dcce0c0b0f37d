package portable

import (
	"encoding/binary"

	"qpipe/ops/kernel"
)

// ConvInt8 is ref.ConvInt8. One 64-bit multiplication does two products: the
// weights of two output channels lie in one integer, w0 + w1·2^32, and its
// product with x is x·w0 + x·w1·2^32. A sum of such products holds both sums as
// long as the lower one fits 32 bits.
//
// The scratch holds the pairs of a group, [OutC/Groups/4][K][2] in 8 bytes, and a
// tile of patches, [pixels][K] in 2 bytes: x - xZero, 0 beyond the edges.
func ConvInt8(p *kernel.Conv, x []int8, xZero int32, w []int8, acc []int32, scratch []byte, r0, r1 int) {
	if depthwise(p) {
		depthwiseInt8(p, x, xZero, w, acc, scratch, r0, r1)
		return
	}
	k, og := p.K(), p.OutC/p.Groups
	pairs, col := scratch[:(og+3)/4*k*16], scratch[(og+3)/4*k*16:]
	tile := tilePixels(k)
	for g := range p.Groups {
		pack(w[g*og*k:(g+1)*og*k], pairs, og, k)
		for p0 := r0 * p.OW; p0 < r1*p.OW; p0 += tile {
			p1 := min(p0+tile, r1*p.OW)
			widen(p, x, col, xZero, g, p0, p1)
			dotInt8(col, pairs, acc[p0*p.OutC+g*og:], p.OutC, p1-p0, og, k)
		}
	}
}

// ConvInt8Size is the room for the pairs and a tile of patches, or for turned weights.
func ConvInt8Size(p *kernel.Conv) int {
	if depthwise(p) {
		return p.WeightLen()
	}
	k := p.K()
	return (p.OutC/p.Groups+3)/4*k*16 + tilePixels(k)*k*2
}

// pack writes the weights of n channels, k each, as pairs: four channels' pairs
// of a product lie together, what is missing of the last four is zero.
func pack(w []int8, pairs []byte, n, k int) {
	at := func(j, i int) int64 {
		if j >= n {
			return 0
		}
		return int64(w[j*k+i])
	}
	for j := 0; j < n; j += 4 {
		out := pairs[j/4*k*16:][:k*16]
		for i := range k {
			binary.LittleEndian.PutUint64(out[i*16:], uint64(at(j, i)+at(j+1, i)<<32))
			binary.LittleEndian.PutUint64(out[i*16+8:], uint64(at(j+2, i)+at(j+3, i)<<32))
		}
	}
}

// widen writes the patches of group g for the output pixels [p0, p1).
func widen(p *kernel.Conv, x []int8, col []byte, xZero int32, g, p0, p1 int) {
	cg := p.C / p.Groups
	for pixel := p0; pixel < p1; pixel++ {
		n, oh, ow := pixel/p.OW/p.OH, pixel/p.OW%p.OH, pixel%p.OW
		top, left := oh*p.StrideH-p.PadTop, ow*p.StrideW-p.PadLeft
		h0, h1 := window(top, p.DilationH, p.KH, p.H)
		w0, w1 := window(left, p.DilationW, p.KW, p.W)
		dst := col[(pixel-p0)*p.K()*2:][:p.K()*2]
		if (h1-h0)*(w1-w0) < p.KH*p.KW {
			clear(dst)
		}
		if w0 == w1 {
			continue
		}
		for kh := h0; kh < h1; kh++ {
			from := ((n*p.H+top+kh*p.DilationH)*p.W+left+w0*p.DilationW)*p.C + g*cg
			to := dst[(kh*p.KW+w0)*cg*2:]
			if p.Groups == 1 && p.DilationW == 1 {
				widenRun(x[from:from+(w1-w0)*cg], to, xZero)
				continue
			}
			for kw := range w1 - w0 {
				widenRun(x[from+kw*p.DilationW*p.C:][:cg], to[kw*cg*2:], xZero)
			}
		}
	}
}

func widenRun(x []int8, dst []byte, xZero int32) {
	for len(x) >= 4 && len(dst) >= 8 {
		v := uint64(uint16(int32(x[0])-xZero)) | uint64(uint16(int32(x[1])-xZero))<<16 |
			uint64(uint16(int32(x[2])-xZero))<<32 | uint64(uint16(int32(x[3])-xZero))<<48
		binary.LittleEndian.PutUint64(dst, v)
		x, dst = x[4:], dst[8:]
	}
	for i, v := range x {
		binary.LittleEndian.PutUint16(dst[2*i:], uint16(int32(v)-xZero))
	}
}

// dotInt8 is dot in integers, for m patches and n channels.
func dotInt8(col, pairs []byte, c []int32, ldc, m, n, k int) {
	for j := 0; j < n; j += 4 {
		b := pairs[j/4*k*16:][:k*16]
		for i := 0; i < m; i += 2 {
			i1 := min(i+1, m-1) // an odd last row is computed twice
			c00, c01, c10, c11 := dotInt8x22(col[i*k*2:][:k*2], col[i1*k*2:][:k*2], b)
			split(c[i*ldc+j:], c00, c01, n-j)
			split(c[i1*ldc+j:], c10, c11, n-j)
		}
	}
}

// split writes up to n of the four sums in two accumulators. The upper half of
// one is what remains when the sign-extended lower half is taken away.
func split(c []int32, s0, s1 int64, n int) {
	switch {
	case n >= 4:
		c = c[:4]
		c[3] = int32((s1 - int64(int32(s1))) >> 32)
		fallthrough
	case n == 3:
		c = c[:3]
		c[2] = int32(s1)
		fallthrough
	case n == 2:
		c = c[:2]
		c[1] = int32((s0 - int64(int32(s0))) >> 32)
		fallthrough
	default:
		c[0] = int32(s0)
	}
}

// dotInt8x22 is the inner block of dotInt8: two patches, two pairs of channels.
func dotInt8x22(a0, a1, b []byte) (c00, c01, c10, c11 int64) {
	for len(a0) >= 16 && len(a1) >= 16 && len(b) >= 128 {
		x0, y0, v0, w0 := int16At(a0, 0), int16At(a1, 0), int64At(b, 0), int64At(b, 8)
		c00 += x0 * v0
		c01 += x0 * w0
		c10 += y0 * v0
		c11 += y0 * w0
		x1, y1, v1, w1 := int16At(a0, 2), int16At(a1, 2), int64At(b, 16), int64At(b, 24)
		c00 += x1 * v1
		c01 += x1 * w1
		c10 += y1 * v1
		c11 += y1 * w1
		x2, y2, v2, w2 := int16At(a0, 4), int16At(a1, 4), int64At(b, 32), int64At(b, 40)
		c00 += x2 * v2
		c01 += x2 * w2
		c10 += y2 * v2
		c11 += y2 * w2
		x3, y3, v3, w3 := int16At(a0, 6), int16At(a1, 6), int64At(b, 48), int64At(b, 56)
		c00 += x3 * v3
		c01 += x3 * w3
		c10 += y3 * v3
		c11 += y3 * w3
		x4, y4, v4, w4 := int16At(a0, 8), int16At(a1, 8), int64At(b, 64), int64At(b, 72)
		c00 += x4 * v4
		c01 += x4 * w4
		c10 += y4 * v4
		c11 += y4 * w4
		x5, y5, v5, w5 := int16At(a0, 10), int16At(a1, 10), int64At(b, 80), int64At(b, 88)
		c00 += x5 * v5
		c01 += x5 * w5
		c10 += y5 * v5
		c11 += y5 * w5
		x6, y6, v6, w6 := int16At(a0, 12), int16At(a1, 12), int64At(b, 96), int64At(b, 104)
		c00 += x6 * v6
		c01 += x6 * w6
		c10 += y6 * v6
		c11 += y6 * w6
		x7, y7, v7, w7 := int16At(a0, 14), int16At(a1, 14), int64At(b, 112), int64At(b, 120)
		c00 += x7 * v7
		c01 += x7 * w7
		c10 += y7 * v7
		c11 += y7 * w7
		a0, a1, b = a0[16:], a1[16:], b[128:]
	}
	for len(a0) >= 2 && len(a1) >= 2 && len(b) >= 16 {
		x, y, v, w := int16At(a0, 0), int16At(a1, 0), int64At(b, 0), int64At(b, 8)
		c00 += x * v
		c01 += x * w
		c10 += y * v
		c11 += y * w
		a0, a1, b = a0[2:], a1[2:], b[16:]
	}
	return
}

func int16At(b []byte, i int) int64 { return int64(int16(uint16(b[i]) | uint16(b[i+1])<<8)) }
func int64At(b []byte, i int) int64 { return int64(binary.LittleEndian.Uint64(b[i:])) }
