package curve

import (
	"fmt"
	"math"
)

// What these functions do not have is a number all the same, so that a network stays finite: results end at the largest float32, logarithms
// begin at that of the smallest normal one, and roots and powers of numbers below 0 are those of 0. Slopes end at 2^64, so that a gradient
// times a slope is finite, too.

// finite ends a function's values at the largest float32.
func finite(y value) value { return y.Max(is(-math.MaxFloat32)).Min(is(math.MaxFloat32)) }

// steepest ends slopes.
func steepest(y value) value { return y.Max(is(-0x1p64)).Min(is(0x1p64)) }

func exponential(x value) value { return finite(x.Exp()) }

func exponentialSlope(x value) value { return steepest(x.Exp()) }

// least is the smallest normal float32.
const least = 0x1p-126

// logarithm is ln x. With x = m·2ᵉ, m between √½ and √2, it is e·ln 2 + 2·artanh((m - 1)/(m + 1)).
func logarithm(x value) value {
	x = x.Max(is(least))
	small := is(1).Sub(x)
	m, e := small.Choose(x.Mul(is(1/least)), x), small.Choose(is(-126), is(0))
	for k := 64.0; k >= 1; k /= 2 {
		above := m.Sub(is(math.Exp2(k)))
		m, e = above.Choose(m.Mul(is(math.Exp2(-k))), m), above.Choose(e.Add(is(k)), e)
	}
	above := m.Sub(is(math.Sqrt2))
	m, e = above.Choose(m.Mul(is(0.5)), m), above.Choose(e.Add(is(1)), e)
	s := m.Sub(is(1)).Div(m.Add(is(1)))
	var series []float64
	for k := 23.0; k > 0; k -= 2 {
		series = append(series, 2/k)
	}
	return s.Mul(s).Horner(series...).MulAdd(s, e.Mul(is(math.Ln2)))
}

func logarithmSlope(x value) value { return x.Choose(steepest(is(1).Div(x)), x.Max(is(0))) }

// root is √x: one step of Newton's method from the exponential of half of the logarithm.
func root(x value) value {
	y := logarithm(x).Mul(is(0.5)).Exp()
	return x.Choose(y.Add(x.Div(y)).Mul(is(0.5)), x.Max(is(0)))
}

func rootSlope(x value) value { return x.Choose(steepest(is(0.5).Div(root(x))), x.Max(is(0))) }

func absolute(x value) value { return x.Abs() }

// absoluteSlope is the sign.
func absoluteSlope(x value) value { return x.Choose(is(1), x.Neg().Choose(is(-1), x)) }

func negative(x value) value { return x.Neg() }

func negativeSlope(value) value { return is(-1) }

func reciprocal(x value) value { return finite(is(1).Div(x)) }

func reciprocalSlope(x value) value { return steepest(is(-1).Div(x.Mul(x))) }

// erf is 2·p - 1, p being the normal distribution's probability of less than x·√2, and near 0 the sum of 2/√π·(-1)ᵏ·x²ᵏ⁺¹/(k!·(2k + 1)).
func erf(x value) value {
	var series []float64
	term := 2 / sqrtPi
	for k := range 14 {
		series = append([]float64{term / float64(2*k+1)}, series...)
		term /= -float64(k + 1)
	}
	near := is(0.5).Sub(x.Abs())
	return near.Choose(x.Mul(x).Horner(series...).Mul(x), is(2).MulAdd(normal(x.Mul(is(math.Sqrt2))), is(-1)))
}

func erfSlope(x value) value { return bell(x.Mul(is(math.Sqrt2))).Mul(is(2 / sqrtPi)) }

// power is x to an exponent. Of an x below 0 it is that of 0, unless the exponent is an integer.
func power(a []float64) curve {
	e := a[0]
	f := func(x value) value { return finite(raised(x, e)) }
	slope := func(x value) value { return steepest(is(e).Mul(raised(x, e-1))) }
	if e == 0 {
		slope = func(x value) value { return x.Mul(is(0)) }
	}
	return curve{f, slope}
}

// mostProducts is the largest exponent whose power is a product.
const mostProducts = 64

func raised(x value, e float64) value {
	whole := e == math.Trunc(e)
	switch {
	case e < 0:
		return is(1).Div(raised(x, -e))
	case e == 0.5:
		return root(x)
	case whole && e <= mostProducts:
		return product(x, int(e))
	case whole && math.Mod(e, 2) == 0:
		return is(e).Mul(logarithm(x.Abs())).Exp()
	case whole:
		y := is(e).Mul(logarithm(x.Abs())).Exp()
		return x.Choose(y, y.Neg())
	}
	return x.Choose(is(e).Mul(logarithm(x)).Exp(), x.Max(is(0)))
}

// product is x times itself, n factors in all.
func product(x value, n int) value {
	switch {
	case n == 0:
		return x.Mul(is(0)).Add(is(1))
	case n == 1:
		return x
	}
	y := product(x.Mul(x), n/2)
	if n%2 == 1 {
		y = y.Mul(x)
	}
	return y
}

func checkPower(a []float64) error {
	if math.Abs(a[0]) > 1e4 {
		return fmt.Errorf("exponent = %g; it may be up to 10000", a[0])
	}
	return nil
}
