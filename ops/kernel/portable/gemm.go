package portable

// dot writes c[i·ldc+j] = Σ_k a[i·lda+k]·b[j·ldb+k] for i < m, j < n, each sum in
// ascending k. It computes 3×2 results at a time: with more of them the
// compiler runs out of registers.
func dot(a []float32, lda int, b []float32, ldb int, c []float32, ldc, m, n, k int) {
	for j := 0; j < n; j += 2 {
		j1 := min(j+1, n-1) // an odd last column is computed twice
		b0, b1 := b[j*ldb:j*ldb+k], b[j1*ldb:j1*ldb+k]
		i := 0
		for ; i+3 <= m; i += 3 {
			a0, a1, a2 := a[i*lda:i*lda+k], a[(i+1)*lda:(i+1)*lda+k], a[(i+2)*lda:(i+2)*lda+k]
			c00, c01, c10, c11, c20, c21 := dot32(a0, a1, a2, b0, b1)
			c[i*ldc+j1], c[i*ldc+j] = c01, c00
			c[(i+1)*ldc+j1], c[(i+1)*ldc+j] = c11, c10
			c[(i+2)*ldc+j1], c[(i+2)*ldc+j] = c21, c20
		}
		for ; i < m; i++ {
			c00, c01 := dot12(a[i*lda:i*lda+k], b0, b1)
			c[i*ldc+j1], c[i*ldc+j] = c01, c00
		}
	}
}

// dot32 is the inner block of dot. Eight steps are written out because the
// compiler moves the last step's additions to the end of the loop's body, where
// they need a register for each product.
func dot32(a0, a1, a2, b0, b1 []float32) (c00, c01, c10, c11, c20, c21 float32) {
	for len(a0) >= 8 && len(a1) >= 8 && len(a2) >= 8 && len(b0) >= 8 && len(b1) >= 8 {
		c00 += float32(a0[0] * b0[0])
		c01 += float32(a0[0] * b1[0])
		c10 += float32(a1[0] * b0[0])
		c11 += float32(a1[0] * b1[0])
		c20 += float32(a2[0] * b0[0])
		c21 += float32(a2[0] * b1[0])
		c00 += float32(a0[1] * b0[1])
		c01 += float32(a0[1] * b1[1])
		c10 += float32(a1[1] * b0[1])
		c11 += float32(a1[1] * b1[1])
		c20 += float32(a2[1] * b0[1])
		c21 += float32(a2[1] * b1[1])
		c00 += float32(a0[2] * b0[2])
		c01 += float32(a0[2] * b1[2])
		c10 += float32(a1[2] * b0[2])
		c11 += float32(a1[2] * b1[2])
		c20 += float32(a2[2] * b0[2])
		c21 += float32(a2[2] * b1[2])
		c00 += float32(a0[3] * b0[3])
		c01 += float32(a0[3] * b1[3])
		c10 += float32(a1[3] * b0[3])
		c11 += float32(a1[3] * b1[3])
		c20 += float32(a2[3] * b0[3])
		c21 += float32(a2[3] * b1[3])
		c00 += float32(a0[4] * b0[4])
		c01 += float32(a0[4] * b1[4])
		c10 += float32(a1[4] * b0[4])
		c11 += float32(a1[4] * b1[4])
		c20 += float32(a2[4] * b0[4])
		c21 += float32(a2[4] * b1[4])
		c00 += float32(a0[5] * b0[5])
		c01 += float32(a0[5] * b1[5])
		c10 += float32(a1[5] * b0[5])
		c11 += float32(a1[5] * b1[5])
		c20 += float32(a2[5] * b0[5])
		c21 += float32(a2[5] * b1[5])
		c00 += float32(a0[6] * b0[6])
		c01 += float32(a0[6] * b1[6])
		c10 += float32(a1[6] * b0[6])
		c11 += float32(a1[6] * b1[6])
		c20 += float32(a2[6] * b0[6])
		c21 += float32(a2[6] * b1[6])
		c00 += float32(a0[7] * b0[7])
		c01 += float32(a0[7] * b1[7])
		c10 += float32(a1[7] * b0[7])
		c11 += float32(a1[7] * b1[7])
		c20 += float32(a2[7] * b0[7])
		c21 += float32(a2[7] * b1[7])
		a0, a1, a2, b0, b1 = a0[8:], a1[8:], a2[8:], b0[8:], b1[8:]
	}
	a1, a2, b0, b1 = a1[:len(a0)], a2[:len(a0)], b0[:len(a0)], b1[:len(a0)]
	for k, v := range a0 {
		c00 += float32(v * b0[k])
		c01 += float32(v * b1[k])
		c10 += float32(a1[k] * b0[k])
		c11 += float32(a1[k] * b1[k])
		c20 += float32(a2[k] * b0[k])
		c21 += float32(a2[k] * b1[k])
	}
	return
}

// dot12 is dot32 for the rows that are left over.
func dot12(a0, b0, b1 []float32) (c00, c01 float32) {
	b0, b1 = b0[:len(a0)], b1[:len(a0)]
	for k, v := range a0 {
		c00 += float32(v * b0[k])
		c01 += float32(v * b1[k])
	}
	return
}
