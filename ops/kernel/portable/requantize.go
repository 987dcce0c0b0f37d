package portable

import (
	"qpipe/ops/kernel"
	"qpipe/ops/kernel/ref"
)

// Requantize is ref.Requantize. The usual epilogue, a multiplier and a bias for
// each channel and ties to even, has loops of its own.
func Requantize(acc, bias []int32, z, y []int8, c int, q *kernel.Requant) {
	lo, hi := q.Bounds()
	b, ok := boundsOf(lo, hi, q.Zero)
	if !ok || q.HalfUp || bias == nil || len(q.M) != c {
		ref.Requantize(acc, bias, z, y, c, q)
		return
	}
	for i := 0; i < len(acc); i += c {
		if z == nil {
			requantize(acc[i:i+c], bias, y[i:i+c], q.M, b, q.Zero)
		} else {
			requantizeAdd(acc[i:i+c], bias, z[i:i+c], y[i:i+c], q, b)
		}
	}
}

func requantize(acc, bias []int32, y []int8, m []float32, b bounds, zero int32) {
	bias, y, m = bias[:len(acc)], y[:len(acc)], m[:len(acc)]
	for c, a := range acc {
		v := float32(float32(a+bias[c]) * m[c])
		if !(b.lo <= v && v <= b.hi) {
			v = b.clipCode(v)
		}
		y[c] = int8(integer(v) + zero)
	}
}

func requantizeAdd(acc, bias []int32, z, y []int8, q *kernel.Requant, b bounds) {
	m := q.M[:len(acc)]
	bias, z, y = bias[:len(acc)], z[:len(acc)], y[:len(acc)]
	for c, a := range acc {
		v := float32(float32(a+bias[c])*m[c]) + float32(float32(int32(z[c])-q.ZZero)*q.MZ)
		if !(b.lo <= v && v <= b.hi) {
			v = b.clipCode(v)
		}
		y[c] = int8(integer(v) + q.Zero)
	}
}

// Dequantize is ref.Dequantize.
func Dequantize(acc, bias []int32, y []float32, c int, m []float32) {
	if bias == nil || len(m) != c {
		ref.Dequantize(acc, bias, y, c, m)
		return
	}
	for i := 0; i < len(acc); i += c {
		as, bs, ms, ys := acc[i:i+c], bias[:c], m[:c], y[i:i+c]
		for j, a := range as {
			ys[j] = float32(a+bs[j]) * ms[j]
		}
	}
}
