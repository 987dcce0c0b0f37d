package pass

import (
	"math"

	"qpipe/ops/kernel"
)

// quotient is a quantization in terms of what is divided: v/Scale, rounded to float32, grows with v, so
// that limits of codes and of the gradient's gate are limits of v.
//
// The quotient itself is v·inverse + v·rest with one rounding of v·rest and one of the sum, where
// inverse + rest = 1/Scale but for a relative error of 2^-48: before its last rounding it errs by at most
// 2^-47. So it differs from the true quotient only where that lies so close to the midpoint of
// two floats, and the difference matters only if one of the two is h = code + 1/2, or 6/Scale, which
// limits of v deal with. With S, V the significands of Scale and v as integers of 24 bits and
// M = 2h/ulp ± 1, of 25 bits, for the midpoint, the distance is |V·2^k - M·S|/(M·S) with k >= 24, hence
// at least |D|/2^49 with D = V·2^k - M·S. It is not 0: no quotient of two floats is the midpoint of two
// floats. 2h is an integer below 2^(e+2) where codes are below 2^(e+1), so 2h/ulp is a multiple of 2^(23-e) and
// D = ∓S modulo 2^(23-e). If S is farther than 4 from the multiples of that, or one itself,
// nothing differs; else exact asks for divisions.
type quotient struct {
	scale, inverse, rest float32
	least, most          float32 // the limits of v whose codes are Min and Max
	floor, ceil          float32 // the gradient passes where floor < v < ceil
	exact                bool
}

// Scales beyond these are left to plain Go: products of v could underflow or overflow.
const (
	scaleLeast = 1.0 / (1 << 60)
	scaleMost  = 1 << 20
)

// quotientOf also returns whether the vectors can do this quantization.
func quotientOf(q *kernel.Quant, act kernel.Act) (quotient, bool) {
	lo, hi, ok := limits(q.Min, q.Max, q.Zero)
	if !ok || q.HalfUp || !(scaleLeast <= q.Scale && q.Scale <= scaleMost) {
		return quotient{}, false
	}
	s := q.Scale
	r := quotient{scale: s, inverse: float32(1 / float64(s))}
	r.rest = float32(1/float64(s) - float64(r.inverse))
	r.exact = risky(s, max(-lo, hi)+1)
	floor, ceil := q.Gate(kernel.None)
	r.floor, r.ceil = lastUpTo(floor, s), -lastUpTo(-ceil, s)
	r.least, r.most = above(r.floor), -above(-r.ceil)
	if act != kernel.None {
		r.floor = lastUpTo(0, s)
	}
	if act == kernel.ReLU6 {
		r.ceil = min(r.ceil, -lastUpTo(-6/s, s))
	}
	return r, true
}

// risky reports whether some quotient by s below most may be rounded wrongly in a way that matters. It allows twice the
// distance of the bound.
func risky(s, most float32) bool {
	e := int(math.Float32bits(most)>>23) - 127
	mask := int32(1)<<(23-e) - 1
	d := int32(math.Float32bits(s)) & mask // the leading bit of the significand is a multiple too
	return d != 0 && (d <= 8 || d >= mask+1-8)
}

// lastUpTo is the largest v with v/s <= t. For t = 0 and s >= 2 a few subnormals have the quotient 0.
func lastUpTo(t, s float32) float32 {
	if t == 0 {
		return math.Float32frombits(uint32(s / 2))
	}
	v := float32(float64(t) * float64(s))
	for v/s > t {
		v = -above(-v)
	}
	for next := above(v); next/s <= t; next = above(v) {
		v = next
	}
	return v
}

// above is the next larger float of one that is finite and not 0.
func above(v float32) float32 {
	if v < 0 {
		return math.Float32frombits(math.Float32bits(v) - 1)
	}
	return math.Float32frombits(math.Float32bits(v) + 1)
}
