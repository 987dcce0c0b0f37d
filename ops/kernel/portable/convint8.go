package portable

import "qpipe/ops/kernel"

// ConvInt8Pack writes the weights as pairs, [Groups][OutC/Groups/4][K][2] in 8 bytes; the rest of a group's last four
// channels is zero. A depthwise convolution's weights are turned to [taps][C].
func ConvInt8Pack(p *kernel.Conv, w, packed []int8, sums []int32, o0, o1 int) {
	k, og := p.K(), p.OutC/p.Groups
	for o := o0; o < o1; o++ {
		sum := int32(0)
		for tap, v := range w[o*k : (o+1)*k] {
			sum += int32(v)
			if p.Depthwise() {
				packed[tap*p.C+o] = v
			}
		}
		sums[o] = sum
	}
	if p.Depthwise() {
		return
	}
	for g := o0 / og; g*og < o1; g++ {
		lo, hi := max(o0, g*og), min(o1, (g+1)*og)
		pack(w[lo*k:hi*k], packed[pairsAt(p, lo):], hi-lo, k)
	}
}

// ConvInt8PackSize is the room for the pairs.
func ConvInt8PackSize(p *kernel.Conv) int {
	if p.Depthwise() {
		return p.WeightLen()
	}
	return pairsAt(p, p.OutC)
}

// pairsAt is the offset of the pairs of channel o, the first of four or of a group.
func pairsAt(p *kernel.Conv, o int) int {
	og := p.OutC / p.Groups
	return (o/og*((og+3)/4) + o%og/4) * p.K() * 16
}

// pack writes the weights of n channels, k each, as pairs: the four channels'
// pairs of a product lie together.
func pack(w, pairs []int8, n, k int) {
	at := func(j, i int) int64 {
		if j >= n {
			return 0
		}
		return int64(w[j*k+i])
	}
	for j := 0; j < n; j += 4 {
		out := pairs[j/4*k*16:][:k*16]
		for i := range k {
			put(out[i*16:], at(j, i)+at(j+1, i)<<32)
			put(out[i*16+8:], at(j+2, i)+at(j+3, i)<<32)
		}
	}
}

// put is the inverse of int64At.
func put(b []int8, v int64) {
	for i := range 8 {
		b[i] = int8(v >> (8 * i))
	}
}

// ConvInt8 is ref.ConvInt8. One 64-bit multiplication does two products: the
// weights of two output channels lie in one integer, w0 + w1·2^32, and its
// product with x is x·w0 + x·w1·2^32. A sum of such products holds both sums as
// long as the lower one fits 32 bits.
func ConvInt8(p *kernel.Conv, x []uint8, pad uint8, packed []int8, bias []int32, out *kernel.Int8Out, s *kernel.Scratch, r0, r1, o0, o1 int) {
	if p.Depthwise() {
		depthwiseInt8(p, x, pad, packed, bias, out, s, r0, r1)
		return
	}
	k, cg, og := p.K(), p.C/p.Groups, p.OutC/p.Groups
	tile := tileInt8(p)
	for g := o0 / og; g*og < o1; g++ {
		lo, hi := max(o0, g*og), min(o1, (g+1)*og)
		for p0 := r0 * p.OW; p0 < r1*p.OW; p0 += tile {
			p1 := min(p0+tile, r1*p.OW)
			col, ld := s.U8, k
			if direct(p) {
				ld = k * p.Groups
				col = x[p0*ld+g*cg:]
			} else {
				unroll(p, x, pad, col, g, p0, p1)
			}
			dotInt8(col, ld, packed[pairsAt(p, lo):], s.I32, p1-p0, hi-lo, k)
			pixels, n := p1-p0, hi-lo
			if n == p.OutC { // the results lie together
				store(out, s.I32[:pixels*n], bias, n, p0*n, 0)
				continue
			}
			for i := range pixels {
				store(out, s.I32[i*n:(i+1)*n], bias[lo:hi], n, (p0+i)*p.OutC+lo, lo)
			}
		}
	}
}

// ConvInt8Room is the room for a tile of patches and one of accumulators, or for a
// depthwise convolution's output row of accumulators and what a pixel's start with.
func ConvInt8Room(p *kernel.Conv) kernel.Room {
	if p.Depthwise() {
		return kernel.Room{I32: (p.OW + 1) * p.C}
	}
	r := kernel.Room{I32: tileInt8(p) * (p.OutC / p.Groups)}
	if !direct(p) {
		r.U8 = tileInt8(p) * p.K()
	}
	return r
}

// tileInt8 is how many patches are unrolled at a time: an even number, in at most
// about 32 kB of codes and 32 kB of accumulators.
func tileInt8(p *kernel.Conv) int {
	return max(min(32768/p.K(), 8192/(p.OutC/p.Groups), 96)/2*2, 2)
}

// store writes, as out says, rows of n accumulators, the first of which belongs to element i and channel o. bias may be
// nil.
func store(out *kernel.Int8Out, acc, bias []int32, n, i, o int) {
	end := i + len(acc)
	switch {
	case out.Acc != nil:
		addBias(acc, bias, out.Acc[i:end], n)
	case out.F != nil && out.Q != nil:
		multiply(acc, bias, out.F[i:end], out.Q.M[o:o+n], 0)
	case out.F != nil:
		addBias(acc, bias, acc, n)
		for j, v := range acc {
			out.F[i+j] = float32(v)
		}
	case out.Z != nil:
		requantize(acc, bias, out.Z[i:end], out.Y[i:end], nil, out.Q.M[o:o+n], out.Q)
	default:
		requantize(acc, bias, nil, out.Y[i:end], nil, out.Q.M[o:o+n], out.Q)
	}
}

// addBias writes acc + bias for rows of n channels; to may be acc.
func addBias(acc, bias, to []int32, n int) {
	if bias == nil {
		copy(to, acc)
		return
	}
	for i := 0; i < len(acc); i += n {
		from, to, bias := acc[i:i+n], to[i:i+n], bias[:n]
		for j, v := range from {
			to[j] = v + bias[j]
		}
	}
}

// dotInt8 is dot in integers, for m patches and n channels.
func dotInt8(col []uint8, ld int, pairs []int8, c []int32, m, n, k int) {
	for j := 0; j < n; j += 4 {
		b := pairs[j/4*k*16:][:k*16]
		for i := 0; i < m; i += 2 {
			i1 := min(i+1, m-1) // an odd last row is computed twice
			c00, c01, c10, c11 := dotInt8x22(col[i*ld:][:k], col[i1*ld:][:k], b)
			split(c[i*n+j:], c00, c01, n-j)
			split(c[i1*n+j:], c10, c11, n-j)
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
func dotInt8x22(a0, a1 []uint8, b []int8) (c00, c01, c10, c11 int64) {
	for len(a0) >= 8 && len(a1) >= 8 && len(b) >= 128 {
		x0, y0, v0, w0 := int64(a0[0]), int64(a1[0]), int64At(b, 0), int64At(b, 8)
		c00 += x0 * v0
		c01 += x0 * w0
		c10 += y0 * v0
		c11 += y0 * w0
		x1, y1, v1, w1 := int64(a0[1]), int64(a1[1]), int64At(b, 16), int64At(b, 24)
		c00 += x1 * v1
		c01 += x1 * w1
		c10 += y1 * v1
		c11 += y1 * w1
		x2, y2, v2, w2 := int64(a0[2]), int64(a1[2]), int64At(b, 32), int64At(b, 40)
		c00 += x2 * v2
		c01 += x2 * w2
		c10 += y2 * v2
		c11 += y2 * w2
		x3, y3, v3, w3 := int64(a0[3]), int64(a1[3]), int64At(b, 48), int64At(b, 56)
		c00 += x3 * v3
		c01 += x3 * w3
		c10 += y3 * v3
		c11 += y3 * w3
		x4, y4, v4, w4 := int64(a0[4]), int64(a1[4]), int64At(b, 64), int64At(b, 72)
		c00 += x4 * v4
		c01 += x4 * w4
		c10 += y4 * v4
		c11 += y4 * w4
		x5, y5, v5, w5 := int64(a0[5]), int64(a1[5]), int64At(b, 80), int64At(b, 88)
		c00 += x5 * v5
		c01 += x5 * w5
		c10 += y5 * v5
		c11 += y5 * w5
		x6, y6, v6, w6 := int64(a0[6]), int64(a1[6]), int64At(b, 96), int64At(b, 104)
		c00 += x6 * v6
		c01 += x6 * w6
		c10 += y6 * v6
		c11 += y6 * w6
		x7, y7, v7, w7 := int64(a0[7]), int64(a1[7]), int64At(b, 112), int64At(b, 120)
		c00 += x7 * v7
		c01 += x7 * w7
		c10 += y7 * v7
		c11 += y7 * w7
		a0, a1, b = a0[8:], a1[8:], b[128:]
	}
	for len(a0) >= 1 && len(a1) >= 1 && len(b) >= 16 {
		x, y, v, w := int64(a0[0]), int64(a1[0]), int64At(b, 0), int64At(b, 8)
		c00 += x * v
		c01 += x * w
		c10 += y * v
		c11 += y * w
		a0, a1, b = a0[1:], a1[1:], b[16:]
	}
	return
}

// int64At is one load: the compiler joins the bytes.
func int64At(b []int8, i int) int64 {
	b = b[i : i+8]
	return int64(uint64(uint8(b[0])) | uint64(uint8(b[1]))<<8 | uint64(uint8(b[2]))<<16 | uint64(uint8(b[3]))<<24 |
		uint64(uint8(b[4]))<<32 | uint64(uint8(b[5]))<<40 | uint64(uint8(b[6]))<<48 | uint64(uint8(b[7]))<<56)
}
