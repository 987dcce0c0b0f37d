package portable

import "qpipe/ops/kernel"

// Requantize is ref.Requantize.
func Requantize(acc, bias []int32, z, y, mask []uint8, c int, q *kernel.Requant) {
	requantize(acc, bias, z, y, mask, q.M[:c], q)
}

// requantize runs the epilogue over rows of len(m) channels with the multipliers m
// instead of q's: a chunk's products, then its codes.
func requantize(acc, bias []int32, z, y, mask []uint8, m []float32, q *kernel.Requant) {
	lo, hi := q.Bounds()
	g := grid{lo - q.Zero, hi - q.Zero, q.Zero, q.HalfUp, q.Floor, q.Ceil}
	var buf [chunk]float32
	for i := 0; i < len(acc); i += chunk {
		t := buf[:min(chunk, len(acc)-i)]
		multiply(acc[i:i+len(t)], bias, t, m, i%len(m))
		if z != nil {
			addCodes(z[i:i+len(t)], t, q.ZZero, q.MZ)
		}
		g.encode(t, y[i:], part(mask, i))
	}
}

// Product is ref.Product.
func Product(x, y []uint8, zx, zy int32, out, mask []uint8, q *kernel.Requant) {
	lo, hi := q.Bounds()
	g := grid{lo - q.Zero, hi - q.Zero, q.Zero, q.HalfUp, q.Floor, q.Ceil}
	var buf [chunk]float32
	for i := 0; i < len(x); i += chunk {
		t := buf[:min(chunk, len(x)-i)]
		a, b := x[i:][:len(t)], y[i:][:len(t)]
		for j := range t {
			t[j] = float32((int32(a[j])-zx)*(int32(b[j])-zy)) * q.M[0]
		}
		g.encode(t, out[i:], part(mask, i))
	}
}

// multiply writes float32(acc + bias)·m for elements of which the first belongs to
// channel c.
func multiply(acc, bias []int32, y, m []float32, c int) {
	for len(acc) > 0 {
		n := min(len(m)-c, len(acc))
		as, ys, ms := acc[:n], y[:n], m[c:c+n]
		if bias == nil {
			for j, a := range as {
				ys[j] = float32(a) * ms[j]
			}
		} else {
			bs := bias[c : c+n]
			for j, a := range as {
				ys[j] = float32(a+bs[j]) * ms[j]
			}
		}
		acc, y, c = acc[n:], y[n:], 0
	}
}

// addCodes adds float32(z - zero)·scale to y.
func addCodes(z []uint8, y []float32, zero int32, scale float32) {
	y = y[:len(z)]
	for j, v := range z {
		y[j] += float32(float32(int32(v)-zero) * scale)
	}
}

// Dequantize is ref.Dequantize.
func Dequantize(acc, bias []int32, y []float32, c int, m []float32) { multiply(acc, bias, y, m[:c], 0) }

// Widen is ref.Widen.
func Widen(x []uint8, zero int32, acc []int32) {
	acc = acc[:len(x)]
	for i, v := range x {
		acc[i] = int32(v) - zero
	}
}

// Values is ref.Values.
func Values(x []uint8, zero int32, scale float32, y []float32) {
	y = y[:len(x)]
	for i, v := range x {
		y[i] = float32(int32(v)-zero) * scale
	}
}

// Lookup is ref.Lookup.
func Lookup(x []uint8, table *[256]uint8, y []uint8) {
	y = y[:len(x)]
	for i, v := range x {
		y[i] = table[v]
	}
}
