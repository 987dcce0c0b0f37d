package model

import "math"

// fromHalf is the value of a float16: 1 bit sign, 5 bits exponent, 10 bits fraction.
func fromHalf(h uint16) float64 {
	sign, exp, frac := h>>15, int(h>>10&31), float64(h&1023)
	var x float64
	switch exp {
	case 31:
		x = math.Inf(1)
		if frac != 0 {
			x = math.NaN()
		}
	case 0:
		x = math.Ldexp(frac, -24)
	default:
		x = math.Ldexp(1024+frac, exp-25)
	}
	if sign == 1 {
		return -x
	}
	return x
}

// toHalf rounds to the nearest float16, ties to even. What is too large is infinite.
func toHalf(x float64) uint16 {
	sign := uint16(math.Float64bits(x) >> 48 & 0x8000)
	x = math.Abs(x)
	switch {
	case x != x:
		return sign | 0x7e00
	case x >= 65520: // half a step above the largest, 65504
		return sign | 0x7c00
	case x < 0x1p-14:
		return sign | uint16(math.RoundToEven(x*0x1p24)) // also right if it rounds up to the smallest normal number
	}
	frac, exp := math.Frexp(x) // in [0.5, 1)
	f := int(math.RoundToEven(frac * 2048))
	return sign | uint16((exp+13)<<10+f) // f has the leading 1, which adds the missing 1 to the exponent
}

// toBrain rounds to the nearest bfloat16, the upper half of a float32, ties to even.
func toBrain(x float64) uint16 {
	if x != x {
		return uint16(math.Float64bits(x)>>48&0x8000) | 0x7fc0
	}
	const step = 1 << 45 // of a float64's fraction that a bfloat16 keeps 7 bits of
	a := math.Abs(x)
	sign := uint16(math.Float64bits(x) >> 48 & 0x8000)
	if a < 0x1p-126 {
		return sign | uint16(math.RoundToEven(a*0x1p133))
	}
	b := math.Float64bits(a)
	odd := b / step & 1
	b += step/2 - 1 + odd
	a = math.Float64frombits(b - b%step)
	return sign | uint16(math.Float32bits(float32(a))>>16)
}
