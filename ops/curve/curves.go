package curve

import (
	"fmt"
	"math"

	"qpipe/ops/kernel/formula"
)

// curveKinds are the curves, a row each: the name, the function with its derivative (at a kink as PyTorch has it), and
// the numbers that the function has besides, with what they are where an op does not say.
var curveKinds = []*curveKind{
	plain("hard_swish", hardSwish, hardSwishSlope),
	plain("sigmoid", sigmoid, sigmoidSlope).inTFLite(1.0/256, -128),
	plain("tanh", tanh, tanhSlope).inTFLite(1.0/128, 0),
	plain("silu", silu, siluSlope),
	plain("gelu", gelu, geluSlope),
	plain("gelu_tanh", geluTanh, geluTanhSlope),
	plain("mish", mish, mishSlope),
	plain("softplus", softplus, sigmoid),
	plain("exp", exponential, exponentialSlope),
	plain("log", logarithm, logarithmSlope),
	plain("sqrt", root, rootSlope),
	plain("abs", absolute, absoluteSlope),
	plain("neg", negative, negativeSlope),
	plain("reciprocal", reciprocal, reciprocalSlope),
	plain("erf", erf, erfSlope),
	shaped("leaky_relu", leakyReLU, nil, number{"negative_slope", 0.01}),
	shaped("elu", elu, nil, number{"alpha", 1}),
	shaped("hard_sigmoid", hardSigmoid, nil, number{"alpha", 1.0 / 6}, number{"beta", 0.5}),
	shaped("power", power, checkPower, number{"exponent", 2}),
	shaped("clip", clamp, checkClamp, number{"min", math.Inf(-1)}, number{"max", math.Inf(1)}),
}

type (
	value    = *formula.Number
	function = func(x value) value
)

// is is a constant.
func is(v float64) value { return formula.Const(v) }

// hardSwish is x·min(max(x+3, 0), 6)/6 (Howard and others, 2019, "Searching for MobileNetV3").
func hardSwish(x value) value { return x.Mul(x.Add(is(3)).Max(is(0)).Min(is(6))).Div(is(6)) }

// hardSwishSlope is 0 for x ≤ -3, 1 for x ≥ 3, and (2x + 3)/6 between.
func hardSwishSlope(x value) value {
	line := is(2).MulAdd(x, is(3)).Div(is(6))
	return x.Add(is(3)).Choose(is(3).Sub(x).Choose(line, is(1)), is(0))
}

// sigmoid is 1/(1 + e⁻ˣ).
func sigmoid(x value) value { return is(1).Div(x.Neg().Exp().Add(is(1))) }

func sigmoidSlope(x value) value {
	s := sigmoid(x)
	return s.Mul(is(1).Sub(s))
}

// tanh is -e/(e + 2) for x > 0, e being exp(-2|x|) - 1, and odd.
func tanh(x value) value {
	e := is(-2).Mul(x.Abs()).Expm1()
	t := e.Div(e.Add(is(2)))
	return x.Choose(t.Neg(), t)
}

func tanhSlope(x value) value {
	t := tanh(x)
	return is(1).Sub(t.Mul(t))
}

// silu is x·sigmoid(x), in one division.
func silu(x value) value { return x.Div(x.Neg().Exp().Add(is(1))) }

func siluSlope(x value) value {
	s := sigmoid(x)
	return x.Mul(s).MulAdd(is(1).Sub(s), s)
}

// gelu is x times the normal distribution's probability of less than x (Hendrycks and Gimpel, 2016).
func gelu(x value) value { return x.Mul(normal(x)) }

// normal is that probability: e^(-z²) times a polynomial in (z - 15/4)/(z + 15/4) for -|x|, z = |x|/√2, as Shepherd and Laframboise
// (1981) have it. The coefficients are those of the polynomial that is erfc(z)·e^(z²)/2 at the Chebyshev nodes of 0 ≤ z ≤ 7.
func normal(x value) value {
	z := x.Abs().Mul(is(math.Sqrt2 / 2)).Min(is(7))
	t := z.Sub(is(3.75)).Div(z.Add(is(3.75)))
	tail := bell(x).Mul(t.Horner(
		0x1.0173b4638ac72p-23, 0x1.865aa5272848cp-21, 0x1.9a2bc150c9bcp-21, -0x1.8557b2aeb5db4p-19, 0x1.e32c30a0a151dp-20,
		0x1.911b42d0e26d1p-16, -0x1.3fd05f5d91057p-14, -0x1.ac67694b97ap-17, 0x1.d8a308e5fd06cp-11, -0x1.0d5f8ffcfee49p-8,
		0x1.8b90052cc2df7p-7, -0x1.c0f0cf23527dp-6, 0x1.a4446b49d4bdcp-5, -0x1.4efec82e85f37p-4, 0x1.cedd514050113p-4,
		-0x1.17fbeb3720ce5p-3, 0x1.2a2af19c1492ep-4))
	return x.Choose(is(1).Sub(tail), tail)
}

// bell is e^(-x²/2).
func bell(x value) value { return x.Mul(x).Mul(is(-0.5)).Exp() }

const sqrtPi = 1.77245385090551602729816748334114518279754945612239

func geluSlope(x value) value {
	return x.Mul(bell(x)).MulAdd(is(1/(math.Sqrt2*sqrtPi)), normal(x))
}

// geluTanh is gelu with x·sqrt(2/π)·(1 + 0.044715·x²) in place of what tanh gives the probability of.
func geluTanh(x value) value { return x.Mul(tanh(geluInner(x)).Add(is(1))).Mul(is(0.5)) }

const rootOf2ByPi = math.Sqrt2 / sqrtPi

func geluInner(x value) value {
	return is(0.044715).Mul(x).Mul(x).MulAdd(x, x).Mul(is(rootOf2ByPi))
}

func geluTanhSlope(x value) value {
	t := tanh(geluInner(x))
	inner := is(3*0.044715).Mul(x).MulAdd(x, is(1)).Mul(is(rootOf2ByPi))
	return x.Mul(is(1).Sub(t.Mul(t))).MulAdd(inner, t.Add(is(1))).Mul(is(0.5))
}

// mish is x·tanh(softplus(x)) (Misra, 2019). With u = eˣ the tangent is n/(n + 2), n = u·(u + 2).
func mish(x value) value {
	u := x.Exp()
	n := u.Mul(u.Add(is(2)))
	return x.Sub(is(20)).Choose(x, x.Mul(n).Div(n.Add(is(2))))
}

func mishSlope(x value) value {
	u := x.Exp()
	n := u.Mul(u.Add(is(2)))
	d := n.Add(is(2))
	rest := is(4).Mul(x).Mul(u).Mul(u.Add(is(1))).Div(d.Mul(d))
	return x.Sub(is(20)).Choose(is(1), n.Div(d).Add(rest))
}

// softplus is ln(1 + eˣ) = max(x, 0) + ln(1 + e^-|x|). With s = u/(u + 2) the logarithm of 1 + u is 2·(s + s³/3 + s⁵/5 + …).
func softplus(x value) value {
	u := x.Abs().Neg().Exp()
	s := u.Div(u.Add(is(2)))
	var series []float64
	for k := 31.0; k > 0; k -= 2 {
		series = append(series, 2/k)
	}
	return s.Mul(s).Horner(series...).MulAdd(s, x.Max(is(0)))
}

func leakyReLU(a []float64) curve {
	f := func(x value) value { return x.Choose(x, x.Mul(is(a[0]))) }
	slope := func(x value) value { return x.Choose(is(1), is(a[0])) }
	return curve{f, slope}
}

// elu is α·(eˣ - 1) below 0 (Clevert and others, 2015).
func elu(a []float64) curve {
	f := func(x value) value { return x.Choose(x, is(a[0]).Mul(x.Expm1())) }
	slope := func(x value) value { return x.Choose(is(1), is(a[0]).Mul(x.Exp())) }
	return curve{f, slope}
}

// hardSigmoid is α·x + β between 0 and 1.
func hardSigmoid(a []float64) curve {
	line := func(x value) value { return x.MulAdd(is(a[0]), is(a[1])) }
	f := func(x value) value { return line(x).Max(is(0)).Min(is(1)) }
	slope := func(x value) value {
		y := line(x)
		return y.Choose(is(1).Sub(y).Choose(is(a[0]), is(0)), is(0))
	}
	return curve{f, slope}
}

func clamp(a []float64) curve {
	f := func(x value) value { return x.Max(is(a[0])).Min(is(a[1])) }
	slope := func(x value) value {
		return x.Sub(is(a[0])).Choose(is(a[1]).Sub(x).Choose(is(1), is(0)), is(0))
	}
	return curve{f, slope}
}

func checkClamp(a []float64) error {
	if a[0] > a[1] {
		return fmt.Errorf("min = %g is above max = %g", a[0], a[1])
	}
	return nil
}
