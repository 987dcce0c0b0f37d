package portable

import "qpipe/ops/kernel"

// EncodeWeights is ref.EncodeWeights.
func EncodeWeights(w []float32, f float32, q kernel.Quant, codes []int8, v []float32, mask []uint8) {
	g := gridOf(&q, kernel.None)
	for i := 0; i < len(w); i += chunk {
		n := min(chunk, len(w)-i)
		t := v[i : i+n]
		for j, x := range w[i : i+n] {
			t[j] = float32(x*f) / q.Scale
		}
		between(t, mask[i/8:], g.floor, g.ceil)
		g.weights(t, codes[i:i+n], q.Scale)
	}
}

// weights writes the codes of unrounded values, and over those the codes' values.
func (g *grid) weights(t []float32, codes []int8, scale float32) {
	b := *g
	codes = codes[:len(t)]
	for i, v := range t {
		c := b.round(v)
		if b.halfUp {
			c = b.roundUp(v)
		}
		codes[i], t[i] = int8(c), float32(c)*scale
		if v != v {
			t[i] = v
		}
	}
}

// WeightGrad is ref.WeightGrad; the products of every fourth weight are one sum.
func WeightGrad(d, w []float32, mask []uint8, u, f float32, dst []float32) float64 {
	var (
		buf  [chunk]float32
		dots [4]float64
	)
	for i := 0; i < len(d); i += chunk {
		t := buf[:min(chunk, len(d)-i)]
		for j, v := range d[i : i+len(t)] {
			t[j] = v * u
		}
		if mask != nil { // after the product: 0·u may be NaN
			gated(t, mask, i, t)
		}
		if w != nil {
			dots = dot4(t, w[i:i+len(t)], dots)
		}
		to := dst[i : i+len(t)]
		for j, v := range t {
			to[j] = v * f
		}
	}
	return dots[0] + dots[1] + (dots[2] + dots[3])
}

// dot4 adds the products of t and w to four sums in turn.
func dot4(t, w []float32, sums [4]float64) [4]float64 {
	s0, s1, s2, s3 := sums[0], sums[1], sums[2], sums[3]
	for len(t) >= 4 && len(w) >= 4 {
		s0 += float64(t[0]) * float64(w[0])
		s1 += float64(t[1]) * float64(w[1])
		s2 += float64(t[2]) * float64(w[2])
		s3 += float64(t[3]) * float64(w[3])
		t, w = t[4:], w[4:]
	}
	for i, v := range t {
		s0 += float64(v) * float64(w[i])
	}
	return [4]float64{s0, s1, s2, s3}
}
