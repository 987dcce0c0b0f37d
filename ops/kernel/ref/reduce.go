package ref

import "math"

// MinMax returns the smallest and the largest of x: +Inf and -Inf where x is
// empty, NaN twice where x holds one.
func MinMax(x []float32) (lo, hi float32) {
	lo, hi = float32(math.Inf(1)), float32(math.Inf(-1))
	for _, v := range x {
		lo, hi = min(lo, v), max(hi, v)
	}
	return lo, hi
}

// ChannelSums computes, for rows of len(sum) channels in ascending order:
//
//	sum[c]  += float64(x)
//	prod[c] += float64(x) · float64(y)      (the product is exact)
func ChannelSums(x, y []float32, sum, prod []float64) {
	for i, v := range x {
		c := i % len(sum)
		sum[c] += float64(v)
		prod[c] += float64(v) * float64(y[i])
	}
}
