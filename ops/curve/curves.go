package curve

import (
	"fmt"
	"math"

	"qpipe/ops/elementary"
)

// curveKinds are the curves, a row each: the name, the function with its derivative (at a kink as PyTorch has it), and
// the numbers that the function has besides, with what they are where an op does not say.
var curveKinds = []*curveKind{
	plain("hard_swish", hardSwish, hardSwishSlope),
	plain("sigmoid", elementary.Sigmoid, func(x float64) float64 { s := elementary.Sigmoid(x); return s * (1 - s) }).inTFLite(1.0/256, -128),
	plain("tanh", elementary.Tanh, func(x float64) float64 { t := elementary.Tanh(x); return 1 - float64(t*t) }).inTFLite(1.0/128, 0),
	plain("silu", func(x float64) float64 { return x / (1 + elementary.Exp(-x)) }, siluSlope),
	plain("gelu", gelu, geluSlope),
	plain("gelu_tanh", geluTanh, geluTanhSlope),
	plain("mish", mish, mishSlope),
	plain("softplus", func(x float64) float64 { return max(x, 0) + elementary.Log1p(elementary.Exp(-math.Abs(x))) }, elementary.Sigmoid),
	shaped("leaky_relu", leakyReLU, nil, number{"negative_slope", 0.01}),
	shaped("elu", elu, nil, number{"alpha", 1}),
	shaped("hard_sigmoid", hardSigmoid, nil, number{"alpha", 1.0 / 6}, number{"beta", 0.5}),
	shaped("clip", clamp, checkClamp, number{"min", math.Inf(-1)}, number{"max", math.Inf(1)}),
}

// hardSwish is x·min(max(x+3, 0), 6)/6 (Howard and others, 2019, "Searching for MobileNetV3").
func hardSwish(x float64) float64 { return x * min(max(x+3, 0), 6) / 6 }

func hardSwishSlope(x float64) float64 {
	switch {
	case x <= -3:
		return 0
	case x >= 3:
		return 1
	}
	return (2*x + 3) / 6
}

// siluSlope is that of x·sigmoid(x).
func siluSlope(x float64) float64 {
	s := elementary.Sigmoid(x)
	return s + float64(x*s*(1-s))
}

// gelu is x times the normal distribution's probability of less than x (Hendrycks and Gimpel, 2016).
func gelu(x float64) float64 { return x * normal(x) }

func normal(x float64) float64 { return (1 + elementary.Erf(x/math.Sqrt2)) / 2 }

func geluSlope(x float64) float64 {
	return float64(normal(x)) + float64(x*elementary.Exp(-float64(x*x)/2)/(math.Sqrt2*sqrtPi))
}

// geluTanh is gelu with x·sqrt(2/π)·(1 + 0.044715·x²) in place of what tanh gives the probability of.
func geluTanh(x float64) float64 { return x * (1 + elementary.Tanh(geluInner(x))) / 2 }

const sqrtPi = 1.77245385090551602729816748334114518279754945612239

const rootOf2ByPi = math.Sqrt2 / sqrtPi

func geluInner(x float64) float64 {
	return rootOf2ByPi * (x + float64(0.044715*x*x*x))
}

func geluTanhSlope(x float64) float64 {
	t := elementary.Tanh(geluInner(x))
	inner := rootOf2ByPi * (1 + float64(3*0.044715*x*x))
	return float64((1+t)/2) + float64(x*(1-float64(t*t))*inner/2)
}

// mish is x·tanh(softplus(x)) (Misra, 2019). With u = eˣ the tangent is n/(n + 2), n = u·(u + 2).
func mish(x float64) float64 {
	if x > 20 {
		return x
	}
	u := elementary.Exp(x)
	n := float64(u * (u + 2))
	return x * n / (n + 2)
}

func mishSlope(x float64) float64 {
	if x > 20 {
		return 1
	}
	u := elementary.Exp(x)
	n := float64(u * (u + 2))
	d := n + 2
	return n/d + float64(4*x*u*(u+1)/(d*d))
}

func leakyReLU(a []float64) curve {
	slope := func(x float64) float64 {
		if x > 0 {
			return 1
		}
		return a[0]
	}
	return curve{func(x float64) float64 { return x * slope(x) }, slope}
}

// elu is α·(eˣ - 1) below 0 (Clevert and others, 2015).
func elu(a []float64) curve {
	f := func(x float64) float64 {
		if x > 0 {
			return x
		}
		return a[0] * elementary.Expm1(x)
	}
	slope := func(x float64) float64 {
		if x > 0 {
			return 1
		}
		return a[0] * elementary.Exp(x)
	}
	return curve{f, slope}
}

// hardSigmoid is α·x + β between 0 and 1.
func hardSigmoid(a []float64) curve {
	line := func(x float64) float64 { return float64(a[0]*x) + a[1] }
	slope := func(x float64) float64 {
		if v := line(x); v <= 0 || v >= 1 {
			return 0
		}
		return a[0]
	}
	return curve{func(x float64) float64 { return min(max(line(x), 0), 1) }, slope}
}

func clamp(a []float64) curve {
	slope := func(x float64) float64 {
		if x <= a[0] || x >= a[1] {
			return 0
		}
		return 1
	}
	return curve{func(x float64) float64 { return min(max(x, a[0]), a[1]) }, slope}
}

func checkClamp(a []float64) error {
	if a[0] > a[1] {
		return fmt.Errorf("min = %g is above max = %g", a[0], a[1])
	}
	return nil
}
