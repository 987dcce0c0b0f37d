package portable

import "qpipe/ops/kernel"

// weightTile is how many output pixels form one partial sum of a weight's
// gradient; the partial sums are added to dw in their order.
const weightTile = 96

// ConvBackwardWeights is ref.ConvBackwardWeights with float32 sums in two levels.
func ConvBackwardWeights(p *kernel.Conv, x, dy, dw, scratch []float32, n0, n1, o0, o1 int) {
	if depthwise(p) {
		depthwiseBackwardWeights(p, x, dy, dw, scratch, n0, n1, o0, o1)
		return
	}
	k, cg, og := p.K(), p.C/p.Groups, p.OutC/p.Groups
	pixels := p.OH * p.OW
	for g := o0 / og; g*og < o1; g++ {
		lo, hi := max(o0, g*og), min(o1, (g+1)*og)
		for p0 := n0 * pixels; p0 < n1*pixels; p0 += weightTile {
			p1 := min(p0+weightTile, n1*pixels)
			col, ld := scratch, k
			if direct(p) {
				ld = k * p.Groups
				col = x[p0*ld+g*cg:]
			} else {
				unroll(p, x, scratch, 0, g, p0, p1)
			}
			outer(dy[p0*p.OutC+lo:], p.OutC, col, ld, dw[lo*k:], k, hi-lo, k, p1-p0)
		}
	}
}

// ConvBackwardWeightsSize is the room for a tile of patches.
func ConvBackwardWeightsSize(p *kernel.Conv) int {
	switch {
	case depthwise(p):
		return p.WeightLen()
	case direct(p):
		return 0
	}
	return weightTile * p.K()
}

// outer adds Σ_p a[p·lda+i]·b[p·ldb+j] to c[i·ldc+j] for i < m, j < n and count
// values of p, each sum in ascending p. It computes 2×3 results at a time.
func outer(a []float32, lda int, b []float32, ldb int, c []float32, ldc, m, n, count int) {
	j := 0
	for ; j+3 <= n && n-j != 4; j += 3 {
		i := 0
		for ; i+2 <= m; i += 2 {
			c0, c1 := c[i*ldc+j:][:3], c[(i+1)*ldc+j:][:3]
			s00, s01, s02, s10, s11, s12 := outer23(a[i:], lda, b[j:], ldb, count)
			c0[0] += s00
			c0[1] += s01
			c0[2] += s02
			c1[0] += s10
			c1[1] += s11
			c1[2] += s12
		}
		for ; i < m; i++ {
			outer1(a[i:], lda, b[j:], ldb, c[i*ldc+j:][:3], count)
		}
	}
	for ; j+2 <= n; j += 2 {
		i := 0
		for ; i+2 <= m; i += 2 {
			c0, c1 := c[i*ldc+j:][:2], c[(i+1)*ldc+j:][:2]
			s00, s01, s10, s11 := outer22(a[i:], lda, b[j:], ldb, count)
			c0[0] += s00
			c0[1] += s01
			c1[0] += s10
			c1[1] += s11
		}
		for ; i < m; i++ {
			outer1(a[i:], lda, b[j:], ldb, c[i*ldc+j:][:2], count)
		}
	}
	for i := 0; j < n && i < m; i++ {
		outer1(a[i:], lda, b[j:], ldb, c[i*ldc+j:][:n-j], count)
	}
}

// outer23 is the inner block of outer.
func outer23(a []float32, lda int, b []float32, ldb, count int) (s00, s01, s02, s10, s11, s12 float32) {
	i, j := 0, 0
	for ; count >= 2; count -= 2 {
		p, q := (*[2]float32)(a[i:]), (*[3]float32)(b[j:])
		i, j = i+lda, j+ldb
		s00 += float32(p[0] * q[0])
		s01 += float32(p[0] * q[1])
		s02 += float32(p[0] * q[2])
		s10 += float32(p[1] * q[0])
		s11 += float32(p[1] * q[1])
		s12 += float32(p[1] * q[2])
		p, q = (*[2]float32)(a[i:]), (*[3]float32)(b[j:])
		i, j = i+lda, j+ldb
		s00 += float32(p[0] * q[0])
		s01 += float32(p[0] * q[1])
		s02 += float32(p[0] * q[2])
		s10 += float32(p[1] * q[0])
		s11 += float32(p[1] * q[1])
		s12 += float32(p[1] * q[2])
	}
	if count > 0 {
		p, q := (*[2]float32)(a[i:]), (*[3]float32)(b[j:])
		s00 += float32(p[0] * q[0])
		s01 += float32(p[0] * q[1])
		s02 += float32(p[0] * q[2])
		s10 += float32(p[1] * q[0])
		s11 += float32(p[1] * q[1])
		s12 += float32(p[1] * q[2])
	}
	return
}

// outer22 is outer23 for two columns.
func outer22(a []float32, lda int, b []float32, ldb, count int) (s00, s01, s10, s11 float32) {
	i, j := 0, 0
	for range count {
		p, q := (*[2]float32)(a[i:]), (*[2]float32)(b[j:])
		i, j = i+lda, j+ldb
		s00 += float32(p[0] * q[0])
		s01 += float32(p[0] * q[1])
		s10 += float32(p[1] * q[0])
		s11 += float32(p[1] * q[1])
	}
	return
}

// outer1 is one row of outer, a result at a time.
func outer1(a []float32, lda int, b []float32, ldb int, c []float32, count int) {
	for j := range c {
		var s float32
		for p := range count {
			s += float32(a[p*lda] * b[p*ldb+j])
		}
		c[j] += s
	}
}
