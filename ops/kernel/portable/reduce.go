package portable

import "math"

// MinMax is ref.MinMax. Values between the extremes so far, which are nearly all, cost two comparisons; a NaN is
// between no two values.
func MinMax(x []float32) (lo, hi float32) {
	lo, hi = float32(math.Inf(1)), float32(math.Inf(-1))
	for _, v := range x {
		if !(lo <= v && v <= hi) {
			lo, hi = min(lo, v), max(hi, v)
		}
	}
	return lo, hi
}

// ChannelStats is ref.ChannelStats: some rows' sums, then their extremes.
func ChannelStats(x []float32, sum, sq []float64, lo, hi []float32) {
	c := len(sum)
	for step := max(4*chunk/c, 1) * c; len(x) > 0; {
		part := x[:min(step, len(x))]
		addSums(part, part, sum, sq)
		for i := 0; i < len(part); i += c {
			widenRange(part[i:i+c], lo, hi)
		}
		x = x[len(part):]
	}
}

// widenRange takes a row into the channels' extremes.
func widenRange(x, lo, hi []float32) {
	lo, hi = lo[:len(x)], hi[:len(x)]
	for c, v := range x {
		if !(lo[c] <= v && v <= hi[c]) {
			lo[c], hi[c] = min(lo[c], v), max(hi[c], v)
		}
	}
}

// ChannelRange is ref.ChannelRange.
func ChannelRange(acc []int32, lo, hi []int32) {
	for c := len(lo); len(acc) > 0; acc = acc[c:] {
		hi := hi[:c]
		for j, v := range acc[:c] {
			lo[j], hi[j] = min(lo[j], v), max(hi[j], v)
		}
	}
}

// addSums adds Σx and, unless y is nil, Σx·y for rows of len(sum) channels, four
// rows at a time, in the order of the rows.
func addSums(x, y []float32, sum, prod []float64) {
	c, i := len(sum), 0
	for ; i+4*c <= len(x); i += 4 * c {
		addSums4(x[i:i+4*c], sum)
		if y != nil {
			addProducts4(x[i:i+4*c], y[i:i+4*c], prod)
		}
	}
	for ; i < len(x); i += c {
		xs := x[i : i+c]
		for j, v := range xs {
			sum[j] += float64(v)
		}
		if y != nil {
			ys := y[i : i+c]
			for j, v := range xs {
				prod[j] += float64(v) * float64(ys[j])
			}
		}
	}
}

func addSums4(x []float32, sum []float64) {
	c := len(sum)
	x0, x1, x2, x3 := x[:c], x[c:][:c], x[2*c:][:c], x[3*c:][:c]
	for j, s := range sum {
		s += float64(x0[j])
		s += float64(x1[j])
		s += float64(x2[j])
		s += float64(x3[j])
		sum[j] = s
	}
}

func addProducts4(x, y []float32, prod []float64) {
	c := len(prod)
	x0, x1, x2, x3 := x[:c], x[c:][:c], x[2*c:][:c], x[3*c:][:c]
	y0, y1, y2, y3 := y[:c], y[c:][:c], y[2*c:][:c], y[3*c:][:c]
	for j, p := range prod {
		p += float64(x0[j]) * float64(y0[j])
		p += float64(x1[j]) * float64(y1[j])
		p += float64(x2[j]) * float64(y2[j])
		p += float64(x3[j]) * float64(y3[j])
		prod[j] = p
	}
}
