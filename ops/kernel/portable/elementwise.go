package portable

import "math"

// AddTo is ref.AddTo.
func AddTo(x, y []float32) {
	y = y[:len(x)]
	for i, v := range x {
		y[i] += v
	}
}

// SGD is ref.SGD.
func SGD(w, g, v []float32, lr, momentum, decay float32, nesterov bool) {
	g, v = g[:len(w)], v[:len(w)]
	if nesterov {
		for i, p := range w {
			d := g[i] + float32(decay*p)
			s := float32(momentum*v[i]) + d
			v[i] = s
			w[i] = p - float32(lr*(d+float32(momentum*s)))
		}
		return
	}
	for i, p := range w {
		d := g[i] + float32(decay*p)
		s := float32(momentum*v[i]) + d
		v[i] = s
		w[i] = p - float32(lr*s)
	}
}

// Finite is ref.Finite: an exponent of ones, plus 1, carries into the sign bit.
func Finite(x []float32) bool {
	for len(x) > 0 {
		n := min(len(x), chunk)
		var carry uint32
		for _, v := range x[:n] {
			carry |= math.Float32bits(v)&infBits + 1<<23
		}
		if carry&signBit != 0 {
			return false
		}
		x = x[n:]
	}
	return true
}
