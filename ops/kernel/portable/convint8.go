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
// The scratch holds the pairs of a group, [OutC/Groups/2][K] in 8 bytes, and a
// tile of patches, [pixels][K] in 2 bytes: x - xZero, 0 beyond the edges.
func ConvInt8(p *kernel.Conv, x []int8, xZero int32, w []int8, acc []int32, scratch []byte, r0, r1 int) {
	k, og := p.K(), p.OutC/p.Groups
	pairs, col := scratch[:(og+1)/2*k*8], scratch[(og+1)/2*k*8:]
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

// ConvInt8Size is the room for the pairs and a tile of patches.
func ConvInt8Size(p *kernel.Conv) int {
	k := p.K()
	return (p.OutC/p.Groups+1)/2*k*8 + tilePixels(k)*k*2
}

// pack writes the weights of n channels, k each, as pairs; an odd last channel
// is paired with zeros.
func pack(w []int8, pairs []byte, n, k int) {
	for j := 0; j < n; j += 2 {
		out := pairs[j/2*k*8:][:k*8]
		for i, v := range w[j*k : (j+1)*k] {
			pair := int64(v)
			if j+1 < n {
				pair += int64(w[(j+1)*k+i]) << 32
			}
			binary.LittleEndian.PutUint64(out[i*8:], uint64(pair))
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
		b0 := pairs[j/2*k*8:][:k*8]
		b1 := b0
		if j+2 < n {
			b1 = pairs[(j/2+1)*k*8:][:k*8]
		}
		for i := 0; i < m; i += 2 {
			i1 := min(i+1, m-1) // an odd last row is computed twice
			c00, c01, c10, c11 := dotInt8x22(col[i*k*2:][:k*2], col[i1*k*2:][:k*2], b0, b1)
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
func dotInt8x22(a0, a1, b0, b1 []byte) (c00, c01, c10, c11 int64) {
	for len(a0) >= 8 && len(a1) >= 8 && len(b0) >= 32 && len(b1) >= 32 {
		x, y := int16At(a0[0:]), int16At(a1[0:])
		v, w := int64At(b0[0:]), int64At(b1[0:])
		c00 += x * v
		c01 += x * w
		c10 += y * v
		c11 += y * w
		x, y = int16At(a0[2:]), int16At(a1[2:])
		v, w = int64At(b0[8:]), int64At(b1[8:])
		c00 += x * v
		c01 += x * w
		c10 += y * v
		c11 += y * w
		x, y = int16At(a0[4:]), int16At(a1[4:])
		v, w = int64At(b0[16:]), int64At(b1[16:])
		c00 += x * v
		c01 += x * w
		c10 += y * v
		c11 += y * w
		x, y = int16At(a0[6:]), int16At(a1[6:])
		v, w = int64At(b0[24:]), int64At(b1[24:])
		c00 += x * v
		c01 += x * w
		c10 += y * v
		c11 += y * w
		a0, a1, b0, b1 = a0[8:], a1[8:], b0[32:], b1[32:]
	}
	for len(a0) >= 2 && len(a1) >= 2 && len(b0) >= 8 && len(b1) >= 8 {
		x, y := int16At(a0), int16At(a1)
		v, w := int64At(b0), int64At(b1)
		c00 += x * v
		c01 += x * w
		c10 += y * v
		c11 += y * w
		a0, a1, b0, b1 = a0[2:], a1[2:], b0[8:], b1[8:]
	}
	return
}

func int16At(b []byte) int64 { return int64(int16(binary.LittleEndian.Uint16(b))) }
func int64At(b []byte) int64 { return int64(binary.LittleEndian.Uint64(b)) }
