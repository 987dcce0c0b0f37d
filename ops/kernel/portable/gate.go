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
	y, mask = y[:len(g)], mask[at/8:]
	if skip := at % 8; skip > 0 && len(g) > 0 {
		n := min(8-skip, len(g))
		gatedByte(g[:n], uint32(mask[0])>>skip, y)
		g, y, mask = g[n:], y[n:], mask[1:]
	}
	for len(g) >= 8 && len(y) >= 8 && len(mask) > 0 {
		b := uint32(mask[0])
		y[0], y[1], y[2], y[3] = pass(g[0], b), pass(g[1], b>>1), pass(g[2], b>>2), pass(g[3], b>>3)
		y[4], y[5], y[6], y[7] = pass(g[4], b>>4), pass(g[5], b>>5), pass(g[6], b>>6), pass(g[7], b>>7)
		g, y, mask = g[8:], y[8:], mask[1:]
	}
	if len(g) > 0 {
		gatedByte(g, uint32(mask[0]), y)
	}
}

// gatedByte is gated for up to 8 values and the bits of one byte.
func gatedByte(g []float32, b uint32, y []float32) {
	for i, v := range g {
		y[i] = pass(v, b>>i)
	}
}

// pass is v where the lowest bit is set, else 0.
func pass(v float32, b uint32) float32 {
	return math.Float32frombits(math.Float32bits(v) & -(b & 1))
}
