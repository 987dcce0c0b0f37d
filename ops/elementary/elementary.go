// Package elementary has the functions that ops are made of. They are like those of package math, but have the same bits on every
// processor: every product is rounded on its own, and none is done by the processor's own exponential. Beyond what
// float32 can tell from 0 and infinity they are 0 and infinity.
package elementary

import "math"

// Together ln 2; a multiple of the first by a small integer is exact.
const ln2High, ln2Low = 6.93147180369123816490e-01, 1.90821492927058770002e-10

// shift rounds to an integer what is added to it, ties to even, and has that in its low bits.
const shift = 3 << 51

// The coefficients of a polynomial that is (e^r - 1 - r)/r² at the Chebyshev nodes of |r| ≤ ln 2 / 2; e^r is right to 2⁻⁴⁹ with it.
const (
	c0 = 0x1p-1
	c1 = 0x1.5555555553b7dp-3
	c2 = 0x1.5555555554cb8p-5
	c3 = 0x1.1111111c45d9fp-7
	c4 = 0x1.6c16c1738ed23p-10
	c5 = 0x1.a019adabe6699p-13
	c6 = 0x1.a019c9ab133b1p-16
	c7 = 0x1.72c720d005e4bp-19
	c8 = 0x1.2880393a358c4p-22
)

// power is (1 + s)·scale = eˣ for -708 ≤ x ≤ 709, where scale is the nearest power of 2. Sums are formed in pairs, which do not wait for
// each other. Vectors of the kernel sets do the same operations.
func power(x float64) (s, scale float64) {
	t := float64(x*math.Log2E) + shift
	n := t - shift
	r := x - float64(n*ln2High) - float64(n*ln2Low)
	square := float64(r * r)
	low := next(next(c3, r, c2), square, next(c1, r, c0))
	high := next(next(c8, square, next(c7, r, c6)), square, next(c5, r, c4))
	s = next(next(high, float64(square*square), low), square, r)
	return s, math.Float64frombits(math.Float64bits(t)<<52 + 1023<<52)
}

// next is a step of Horner's rule.
func next(s, x, c float64) float64 { return float64(s*x) + c }

// Exp is eˣ.
func Exp(x float64) float64 {
	switch {
	case x > 709:
		return math.Inf(1)
	case x < -708:
		return 0
	}
	s, scale := power(x)
	return float64((s + 1) * scale)
}

// Expm1 is eˣ - 1.
func Expm1(x float64) float64 {
	switch {
	case x > 709:
		return math.Inf(1)
	case x < -708:
		return -1
	}
	s, scale := power(x)
	return float64(s*scale) + (scale - 1)
}

// Log1p is ln(1 + x) of -0.3 ≤ x ≤ 1: twice the inverse hyperbolic tangent of x/(2 + x).
func Log1p(x float64) float64 {
	s := x / (2 + x)
	sum, power, square := 0.0, s, float64(s*s)
	for k := 1.0; k < 33; k += 2 {
		sum += power / k
		power = float64(power * square)
	}
	return float64(2 * sum)
}

// Log is ln x of a positive x that is no subnormal number; NaN stays.
func Log(x float64) float64 {
	m, e := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m, e = 2*m, e-1
	}
	return float64(float64(e)*ln2High) + (float64(float64(e)*ln2Low) + Log1p(m-1))
}

// Sigmoid is 1/(1 + e⁻ˣ).
func Sigmoid(x float64) float64 { return 1 / (1 + Exp(-x)) }

// Tanh is the hyperbolic tangent.
func Tanh(x float64) float64 {
	e := Expm1(-2 * math.Abs(x))
	return math.Copysign(e/(e+2), x)
}

// Erf is the error function: 2/√π·e^(-x²)·Σ 2ᵏ·x²ᵏ⁺¹/(1·3·5·…·(2k+1)).
func Erf(x float64) float64 {
	square := float64(x * x)
	if square > 36 {
		return math.Copysign(1, x)
	}
	sum, term := x, x
	for k := 3.0; math.Abs(term) > 0x1p-53*math.Abs(sum); k += 2 {
		term = float64(term * (2 * square / k))
		sum += term
	}
	return float64(2 / sqrtPi * Exp(-square) * sum)
}

// sqrtPi is the root of π.
const sqrtPi = 1.77245385090551602729816748334114518279754945612239
