// Package elementary has the functions that ops are made of. They are like those of package math, but have the same bits on every
// processor: every product is rounded on its own, and none is done by the processor's own exponential. Beyond what
// float32 can tell from 0 and infinity they are 0 and infinity.
package elementary

import "math"

// Together ln 2; a multiple of the first by a small integer is exact.
const ln2High, ln2Low = 6.93147180369123816490e-01, 1.90821492927058770002e-10

// Exp is eˣ.
func Exp(x float64) float64 {
	switch {
	case x > 709:
		return math.Inf(1)
	case x < -708:
		return 0
	case x != x:
		return x
	}
	n := math.RoundToEven(x * math.Log2E)
	r := x - float64(n*ln2High) - float64(n*ln2Low)
	s := next(1.0/6227020800, r, 1.0/479001600) // Taylor's series for |r| ≤ ln 2 / 2
	s = next(s, r, 1.0/39916800)
	s = next(s, r, 1.0/3628800)
	s = next(s, r, 1.0/362880)
	s = next(s, r, 1.0/40320)
	s = next(s, r, 1.0/5040)
	s = next(s, r, 1.0/720)
	s = next(s, r, 1.0/120)
	s = next(s, r, 1.0/24)
	s = next(s, r, 1.0/6)
	s = next(s, r, 1.0/2)
	s = next(s, r, 1)
	s = next(s, r, 1)
	return float64(s * math.Float64frombits(uint64(1023+int(n))<<52))
}

// next is a step of Horner's rule.
func next(s, x, c float64) float64 { return float64(s*x) + c }

// Expm1 is eˣ - 1.
func Expm1(x float64) float64 {
	if math.Abs(x) > 1.0/1024 {
		return Exp(x) - 1
	}
	s := next(1.0/120, x, 1.0/24)
	s = next(s, x, 1.0/6)
	s = next(s, x, 1.0/2)
	return float64(next(s, x, 1) * x)
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
