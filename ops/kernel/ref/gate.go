package ref

// GateSums computes, for rows of len(sum) channels in ascending order, with
// v = g where the mask is set (or nil), else 0:
//
//	sum[c]  += float64(v)
//	prod[c] += float64(v) · float64(x)      (unless x is nil; the product is exact)
//	y        = v                            (unless y is nil)
func GateSums(g []float32, mask []uint8, x, y []float32, sum, prod []float64) {
	for i := range g {
		v, c := gated(g, mask, i), i%len(sum)
		sum[c] += float64(v)
		if x != nil {
			prod[c] += float64(v) * float64(x[i])
		}
		if y != nil {
			y[i] = v
		}
	}
}

// GateAffine computes, for rows of len(a) channels, each operation rounded on its
// own, with v = g where the mask is set (or nil), else 0:
//
//	y = v·a[c] + (x·k[c] + l[c])            (y = v·a[c] with a nil x)
func GateAffine(g []float32, mask []uint8, x, y, a, k, l []float32) {
	for i := range g {
		v, c := gated(g, mask, i), i%len(a)
		v = float32(v * a[c])
		if x != nil {
			v += float32(x[i]*k[c]) + l[c]
		}
		y[i] = v
	}
}

// Gate computes y = v, or y += v with add, where v = g where the mask is set (or nil), else 0.
func Gate(g []float32, mask []uint8, y []float32, add bool) {
	for i := range g {
		v := gated(g, mask, i)
		if add {
			v += y[i]
		}
		y[i] = v
	}
}

// gated is g[i] where bit i of the mask is set, else 0.
func gated(g []float32, mask []uint8, i int) float32 {
	if marked(mask, i) {
		return g[i]
	}
	return 0
}
