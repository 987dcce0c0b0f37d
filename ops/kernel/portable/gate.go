package portable

import "math"

// GateSums is ref.GateSums: some rows' gated gradients, then their sums. A row that
// is wider than a chunk is cut.
func GateSums(g []float32, mask []uint8, x, y []float32, sum, prod []float64) {
	if mask == nil {
		if y != nil {
			copy(y, g)
		}
		addSums(g, x, sum, prod)
		return
	}
	var buf [chunk]float32
	c := len(sum)
	for i := 0; i < len(g); {
		n := chunk / c * c
		if n == 0 {
			n = min(c-i%c, chunk)
		}
		n = min(n, len(g)-i)
		v, from, to := buf[:n], i%c, min(i%c+n, c)
		gated(g[i:i+n], mask, i, v)
		if y != nil {
			copy(y[i:], v)
		}
		if x != nil {
			addSums(v, x[i:i+n], sum[from:to], prod[from:to])
		} else {
			addSums(v, nil, sum[from:to], nil)
		}
		i += n
	}
}

// GateAffine is ref.GateAffine.
func GateAffine(g []float32, mask []uint8, x, y, a, k, l []float32) {
	c := len(a)
	for i := 0; i < len(g); i += c {
		from, to := g[i:i+c], y[i:i+c]
		if mask != nil {
			gated(from, mask, i, to)
			from = to
		}
		if x != nil {
			gateAffine(from, x[i:i+c], to, a, k, l)
			continue
		}
		for j, v := range from {
			to[j] = v * a[j]
		}
	}
}

func gateAffine(g, x, y, a, k, l []float32) {
	x, y, a, k, l = x[:len(g)], y[:len(g)], a[:len(g)], k[:len(g)], l[:len(g)]
	for j, v := range g {
		y[j] = float32(v*a[j]) + (float32(x[j]*k[j]) + l[j])
	}
}

// Gate is ref.Gate.
func Gate(g []float32, mask []uint8, y []float32, add bool) {
	switch {
	case mask == nil && add:
		AddTo(g, y)
	case mask == nil:
		copy(y, g)
	case !add:
		gated(g, mask, 0, y)
	default:
		var buf [chunk]float32
		for i := 0; i < len(g); i += chunk {
			v := buf[:min(chunk, len(g)-i)]
			gated(g[i:i+len(v)], mask, i, v)
			AddTo(v, y[i:])
		}
	}
}

// gated writes g where the mask, from bit at on, is set, and 0 elsewhere. y may be g.
func gated(g []float32, mask []uint8, at int, y []float32) {
	y = y[:len(g)]
	for len(g) > 0 {
		b := uint32(mask[at/8]) >> (at % 8)
		n := min(8-at%8, len(g))
		to := y[:n]
		for i, v := range g[:n] {
			to[i] = math.Float32frombits(math.Float32bits(v) & -(b >> i & 1))
		}
		g, y, at = g[n:], y[n:], at+n
	}
}
