package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// passFloat writes the passes whose rows have coefficients.
func passFloat(e *emitter) {
	passAffine(e)
	passAffineQuant(e)
	passAffineRange(e)
	passGateAffine(e)
	passRequantize(e)
	passDequantize(e)
}

// operandArgs is the added operand of a pass.
type operandArgs struct {
	f, q        reg.GPVirtual
	zero, scale vec
}

func (e *emitter) operand() operandArgs {
	return operandArgs{e.arg("zf"), e.arg("zq"), e.all("zzero"), e.all("zscale")}
}

// withOperand writes a loop three times: without an operand, with values and with codes.
func (e *emitter) withOperand(z operandArgs, loop func(add func(v vec) vec)) {
	e.either(z.f, func() {
		e.either(z.q, func() {
			loop(func(v vec) vec { return v })
		}, func() {
			loop(func(v vec) vec { return e.add(v, e.values(e.loadCodes(z.q), z.zero, z.scale)) })
		})
	}, func() {
		loop(func(v vec) vec { return e.add(v, e.loadF(z.f)) })
	})
}

// loadAffine is x·a + b for the vector at hand.
func (e *emitter) loadAffine(x, a, b reg.Register) vec {
	v := e.mul(e.loadF(x), e.coef(a))
	return e.add(v, e.coef(b))
}

func passAffine(e *emitter) {
	e.fn("affine", "(x, zf *float32, zq *uint8, y *float32, mask *uint8, a, b *float32, n, c int, zzero int32, zscale, low, high, floor, ceil float32)",
		"affine computes y = min(max(x·a + b [+ z], low), high) and mask = floor < y < ceil",
		"for n elements; a and b repeat every c.")
	n := e.arg("n")
	e.sinks()
	ab := e.coefs(e.arg("c"), "a", "b")
	x, y, m := e.arg("x"), e.arg("y"), e.arg("mask")
	z := e.operand()
	low, high, floor, ceil := e.all("low"), e.all("high"), e.all("floor"), e.all("ceil")
	e.withOperand(z, func(add func(v vec) vec) {
		e.firstCoef()
		e.each(n, []int{atOnce, 1}, func(u int) {
			out := sink{u: u, bits: m}
			for e.slot = range u {
				v := e.clamp(add(e.loadAffine(x, ab[0], ab[1])), low, high)
				e.storeF(v, y)
				out.mask(e, floor, v, ceil)
			}
			out.flush(e)
		})
	})
	e.end()
}

func passAffineQuant(e *emitter) {
	e.fn("affineQuant", "(x, zf *float32, zq, y, mask *uint8, a, b *float32, n, c int, zzero int32, zscale, scale, inverse, rest, least, most, floor, ceil float32, zero int32, exact bool)",
		"affineQuant computes v = x·a + b [+ z], y = rint(min(max(v, least), most) / scale) + zero and mask = floor < v < ceil",
		"for n elements; a and b repeat every c. NaN gets the code zero. For the division see quantize.")
	n := e.arg("n")
	e.sinks()
	ab := e.coefs(e.arg("c"), "a", "b")
	x, y, m := e.arg("x"), e.arg("y"), e.arg("mask")
	z := e.operand()
	q := e.quant()
	zero := e.all("zero")
	e.withOperand(z, func(add func(v vec) vec) {
		e.firstCoef()
		e.each(n, []int{atOnce, 1}, func(u int) {
			out := sink{u: u, codes: y, bits: m}
			for e.slot = range u {
				v := add(e.loadAffine(x, ab[0], ab[1]))
				out.mask(e, q.floor, v, q.ceil)
				out.code(e, e.encode(e.quotient(q, v), zero))
			}
			out.flush(e)
		})
	})
	e.end()
}

func passAffineRange(e *emitter) {
	e.fn("affineRange", "(x, zf *float32, zq *uint8, a, b *float32, n, c int, zzero int32, zscale, low, high float32) (least, most float32)",
		"affineRange returns the extremes of min(max(x·a + b [+ z], low), high) for n elements, NaN if there is one.")
	n := e.arg("n")
	x := e.arg("x")
	ab := e.coefs(e.arg("c"), "a", "b")
	z := e.operand()
	r := e.extremes(atOnce)
	e.withOperand(z, func(add func(v vec) vec) {
		e.firstCoef()
		e.each(n, []int{atOnce, 1}, func(u int) {
			for e.slot = range u {
				e.widenRange(r, add(e.loadAffine(x, ab[0], ab[1])))
			}
		})
	})
	e.join(r)
	low, high := e.all("low"), e.all("high")
	r.lo, r.hi = []vec{e.clamp(r.lo[0], low, high)}, []vec{e.clamp(r.hi[0], low, high)}
	e.returnRange(r, "least", "most")
	e.end()
}

func passRequantize(e *emitter) {
	e.fn("requantize", "(acc, bias *int32, z, y, mask *uint8, m *float32, n, c int, zzero int32, mz, lo, hi, floor, ceil float32, zero int32)",
		"requantize computes v = float32(acc + bias)·m [+ float32(z - zzero)·mz], y = rint(min(max(v, lo), hi)) + zero",
		"and mask = floor < v < ceil for n elements; bias and m repeat every c. NaN gets the code zero.")
	n := e.arg("n")
	e.sinks()
	bm := e.coefs(e.arg("c"), "bias", "m")
	acc, z, y, m := e.arg("acc"), e.arg("z"), e.arg("y"), e.arg("mask")
	zzero, mz := e.all("zzero"), e.all("mz")
	lo, hi, floor, ceil, zero := e.all("lo"), e.all("hi"), e.all("floor"), e.all("ceil"), e.all("zero")
	for _, add := range []bool{false, true} {
		end := e.label("end")
		loop := func() {
			e.firstCoef()
			e.each(n, []int{1}, func(int) {
				v := e.accumulated(acc, bm[0], bm[1])
				if add {
					v = e.add(v, e.values(e.loadCodes(z), zzero, mz))
				}
				e.storeCodes(e.encode(e.clamp(v, lo, hi), zero), y)
				e.when(m, func() { e.storeMask(e.between(lessThan, floor, v, ceil), m) })
			})
		}
		if add {
			loop()
			continue
		}
		e.TESTQ(z, z)
		e.JNE(operand.LabelRef(end))
		loop()
		e.end()
		e.Label(end)
	}
	e.end()
}

// accumulated is float32(acc + bias)·m for the vector at hand; bias may be nil.
func (e *emitter) accumulated(acc, bias, m reg.Register) vec {
	v := e.loadF(acc)
	e.when(bias, func() { e.VPADDD(e.coef(bias), v, v) })
	e.VCVTDQ2PS(v, v)
	e.VMULPS(e.coef(m), v, v)
	return v
}

func passDequantize(e *emitter) {
	e.fn("dequantize", "(acc, bias *int32, y, m *float32, n, c int)",
		"dequantize computes y = float32(acc + bias)·m for n elements; bias and m repeat every c.")
	n := e.arg("n")
	acc, y := e.arg("acc"), e.arg("y")
	bm := e.coefs(e.arg("c"), "bias", "m")
	e.firstCoef()
	e.each(n, []int{atOnce, 1}, func(u int) {
		for e.slot = range u {
			e.storeF(e.accumulated(acc, bm[0], bm[1]), y)
		}
	})
	e.end()
}
