package portable

import "qpipe/ops/kernel"

// weightTile is how many output pixels form one partial sum of a weight's
// gradient; the partial sums are added to dw in their order.
const weightTile = 96

// ConvBackwardWeights is ref.ConvBackwardWeights with float32 sums in two levels.
func ConvBackwardWeights(p *kernel.Conv, x kernel.Operand, dy, dw []float32, s *kernel.Scratch, n0, n1, o0, o1 int) {
	if p.Depthwise() {
		depthwiseBackwardWeights(p, x, dy, dw, s.F32, n0, n1, o0, o1)
		return
	}
	k, og := p.K(), p.OutC/p.Groups
	sums, tile := s.F32[:2*k], s.F32[2*k:]
	pixels := p.OH * p.OW
	for g := o0 / og; g*og < o1; g++ {
		lo, hi := max(o0, g*og), min(o1, (g+1)*og)
		for p0 := n0 * pixels; p0 < n1*pixels; p0 += weightTile {
			p1 := min(p0+weightTile, n1*pixels)
			col, ld := patches(p, x, tile, s.U8, g, p0, p1)
			outer(dy[p0*p.OutC+lo:], p.OutC, col, ld, dw[lo*k:], sums, hi-lo, k, p1-p0)
		}
	}
}

// patches returns the patches of the pixels [p0, p1), ld values apart: where they
// lie in x, or unrolled into tile; codes without their zero point.
func patches(p *kernel.Conv, x kernel.Operand, tile []float32, codes []uint8, g, p0, p1 int) (col []float32, ld int) {
	k := p.K()
	switch {
	case x.F != nil && direct(p):
		return x.F[p0*k*p.Groups+g*k:], k * p.Groups
	case x.F != nil:
		unroll(p, x.F, 0, tile, g, p0, p1)
	case direct(p) && p.Groups == 1:
		Values(x.Q[p0*k:p1*k], x.Zero, 1, tile)
	default:
		unroll(p, x.Q, uint8(x.Zero), codes, g, p0, p1)
		Values(codes[:(p1-p0)*k], x.Zero, 1, tile)
	}
	return tile, k
}

// ConvBackwardWeightsRoom is the room for two rows of sums and a tile of patches,
// as values and as codes, or for a depthwise convolution's sums and an image.
func ConvBackwardWeightsRoom(p *kernel.Conv) kernel.Room {
	if p.Depthwise() {
		return kernel.Room{F32: p.WeightLen() + p.H*p.W*p.C}
	}
	return kernel.Room{F32: (weightTile + 2) * p.K(), U8: weightTile * p.K()}
}

// outer adds Σ_p a[p·lda+i]·b[p·ldb+j] to c[i·n+j] for i < m, j < n and count
// values of p, each sum in ascending p. It takes two rows of c and three rows of
// b at a time, along j, where both lie in order.
func outer(a []float32, lda int, b []float32, ldb int, c, sums []float32, m, n, count int) {
	i := 0
	for ; i+2 <= m; i += 2 {
		clear(sums)
		s0, s1 := sums[:n], sums[n:][:n]
		p := 0
		for ; p+3 <= count; p += 3 {
			d0, d1, d2 := a[p*lda+i:][:2], a[(p+1)*lda+i:][:2], a[(p+2)*lda+i:][:2]
			r0, r1, r2 := b[p*ldb:][:n], b[(p+1)*ldb:][:n], b[(p+2)*ldb:][:n]
			outer23(s0, s1, r0, r1, r2, d0[0], d1[0], d2[0], d0[1], d1[1], d2[1])
		}
		for ; p < count; p++ {
			d, r := a[p*lda+i:][:2], b[p*ldb:][:n]
			outer1(s0, r, d[0])
			outer1(s1, r, d[1])
		}
		AddTo(s0, c[i*n:][:n])
		AddTo(s1, c[(i+1)*n:][:n])
	}
	if i < m {
		s0 := sums[:n]
		clear(s0)
		for p := range count {
			outer1(s0, b[p*ldb:][:n], a[p*lda+i])
		}
		AddTo(s0, c[i*n:][:n])
	}
}

// outer23 is the inner block of outer: s0 += d0·r0 + d1·r1 + d2·r2 and
// s1 += e0·r0 + e1·r1 + e2·r2.
func outer23(s0, s1, r0, r1, r2 []float32, d0, d1, d2, e0, e1, e2 float32) {
	for len(s0) >= 8 && len(s1) >= 8 && len(r0) >= 8 && len(r1) >= 8 && len(r2) >= 8 {
		s0[0] = s0[0] + float32(d0*r0[0]) + float32(d1*r1[0]) + float32(d2*r2[0])
		s1[0] = s1[0] + float32(e0*r0[0]) + float32(e1*r1[0]) + float32(e2*r2[0])
		s0[1] = s0[1] + float32(d0*r0[1]) + float32(d1*r1[1]) + float32(d2*r2[1])
		s1[1] = s1[1] + float32(e0*r0[1]) + float32(e1*r1[1]) + float32(e2*r2[1])
		s0[2] = s0[2] + float32(d0*r0[2]) + float32(d1*r1[2]) + float32(d2*r2[2])
		s1[2] = s1[2] + float32(e0*r0[2]) + float32(e1*r1[2]) + float32(e2*r2[2])
		s0[3] = s0[3] + float32(d0*r0[3]) + float32(d1*r1[3]) + float32(d2*r2[3])
		s1[3] = s1[3] + float32(e0*r0[3]) + float32(e1*r1[3]) + float32(e2*r2[3])
		s0[4] = s0[4] + float32(d0*r0[4]) + float32(d1*r1[4]) + float32(d2*r2[4])
		s1[4] = s1[4] + float32(e0*r0[4]) + float32(e1*r1[4]) + float32(e2*r2[4])
		s0[5] = s0[5] + float32(d0*r0[5]) + float32(d1*r1[5]) + float32(d2*r2[5])
		s1[5] = s1[5] + float32(e0*r0[5]) + float32(e1*r1[5]) + float32(e2*r2[5])
		s0[6] = s0[6] + float32(d0*r0[6]) + float32(d1*r1[6]) + float32(d2*r2[6])
		s1[6] = s1[6] + float32(e0*r0[6]) + float32(e1*r1[6]) + float32(e2*r2[6])
		s0[7] = s0[7] + float32(d0*r0[7]) + float32(d1*r1[7]) + float32(d2*r2[7])
		s1[7] = s1[7] + float32(e0*r0[7]) + float32(e1*r1[7]) + float32(e2*r2[7])
		s0, s1, r0, r1, r2 = s0[8:], s1[8:], r0[8:], r1[8:], r2[8:]
	}
	s1, r0, r1, r2 = s1[:len(s0)], r0[:len(s0)], r1[:len(s0)], r2[:len(s0)]
	for j, s := range s0 {
		v0, v1, v2 := r0[j], r1[j], r2[j]
		s0[j] = s + float32(d0*v0) + float32(d1*v1) + float32(d2*v2)
		s1[j] = s1[j] + float32(e0*v0) + float32(e1*v1) + float32(e2*v2)
	}
}

// outer1 is s += d·r.
func outer1(s, r []float32, d float32) {
	r = r[:len(s)]
	for j := range s {
		s[j] += float32(d * r[j])
	}
}
