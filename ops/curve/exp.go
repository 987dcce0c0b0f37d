package curve

import "math"

// The functions that curves are made of. They are like those of package math, but have the same bits on every
// processor: every product is rounded on its own, and none is done by the processor's own exponential. Beyond what
// float32 can tell from 0 and infinity they are 0 and infinity.

// exp is eˣ.
func exp(x float64) float64 {
	const high, low = 6.93147180369123816490e-01, 1.90821492927058770002e-10 // together ln 2; a multiple of high is exact
	switch {
	case x > 709:
		return math.Inf(1)
	case x < -708:
		return 0
	case x != x:
		return x
	}
	n := math.RoundToEven(x * math.Log2E)
	r := x - float64(n*high) - float64(n*low)
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

// expm1 is eˣ - 1.
func expm1(x float64) float64 {
	if math.Abs(x) > 1.0/1024 {
		return exp(x) - 1
	}
	s := next(1.0/120, x, 1.0/24)
	s = next(s, x, 1.0/6)
	s = next(s, x, 1.0/2)
	return float64(next(s, x, 1) * x)
}

// log1p is ln(1 + x) of 0 ≤ x ≤ 1: twice the inverse hyperbolic tangent of x/(2 + x).
func log1p(x float64) float64 {
	s := x / (2 + x)
	sum, power, square := 0.0, s, float64(s*s)
	for k := 1.0; k < 33; k += 2 {
		sum += power / k
		power = float64(power * square)
	}
	return float64(2 * sum)
}

// sigmoid is 1/(1 + e⁻ˣ).
func sigmoid(x float64) float64 { return 1 / (1 + exp(-x)) }

// tanh is the hyperbolic tangent.
func tanh(x float64) float64 {
	e := expm1(-2 * math.Abs(x))
	return math.Copysign(e/(e+2), x)
}

// erf is the error function: 2/√π·e^(-x²)·Σ 2ᵏ·x²ᵏ⁺¹/(1·3·5·…·(2k+1)).
func erf(x float64) float64 {
	square := float64(x * x)
	if square > 36 {
		return math.Copysign(1, x)
	}
	sum, term := x, x
	for k := 3.0; math.Abs(term) > 0x1p-53*math.Abs(sum); k += 2 {
		term = float64(term * (2 * square / k))
		sum += term
	}
	return float64(2 / sqrtPi * exp(-square) * sum)
}

const sqrtPi = 1.77245385090551602729816748334114518279754945612239
