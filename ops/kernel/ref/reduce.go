package ref

import "math"

// MinMax returns the smallest and the largest of x: +Inf and -Inf if x is empty, NaN twice if x has a NaN.
func MinMax(x []float32) (lo, hi float32) {
	lo, hi = float32(math.Inf(1)), float32(math.Inf(-1))
	for _, v := range x {
		lo, hi = min(lo, v), max(hi, v)
	}
	return lo, hi
}

// ChannelStats computes, for rows of len(sum) channels in ascending order:
//
//	sum[c] += float64(x)
//	sq[c]  += float64(x) · float64(x)       (the product is exact)
//	lo[c]   = min(lo[c], x)                 (NaN if either is)
//	hi[c]   = max(hi[c], x)
func ChannelStats(x []float32, sum, sq []float64, lo, hi []float32) {
	for i, v := range x {
		c := i % len(sum)
		sum[c] += float64(v)
		sq[c] += float64(v) * float64(v)
		lo[c], hi[c] = min(lo[c], v), max(hi[c], v)
	}
}

// ChannelRange computes, for rows of len(lo) channels:
//
//	lo[c] = min(lo[c], acc)
//	hi[c] = max(hi[c], acc)
func ChannelRange(acc []int32, lo, hi []int32) {
	for i, v := range acc {
		c := i % len(lo)
		lo[c], hi[c] = min(lo[c], v), max(hi[c], v)
	}
}
