package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// passPlain writes the passes that treat all elements alike.
func passPlain(e *emitter) {
	passQuantize(e)
	passFakeQuant(e)
	passProduct(e)
	passWiden(e)
	passValues(e)
	passEncodeWeights(e)
	passWeightGrad(e)
	passGate(e)
	passAddTo(e)
	passSgd(e)
	passSgdNesterov(e)
	passFinite(e)
	passMinMax(e)
}

// quantArgs is a quantization, its limits in terms of what is divided.
type quantArgs struct {
	inverse, rest, least, most, floor, ceil vec
	exact                                   reg.GPVirtual
}

func (e *emitter) quant() quantArgs {
	q := quantArgs{
		inverse: e.all("inverse"), rest: e.all("rest"),
		least: e.all("least"), most: e.all("most"), floor: e.all("floor"), ceil: e.all("ceil"), exact: e.GP64(),
	}
	e.MOVBQZX(e.argMem("exact"), q.exact)
	return q
}

// quotient is min(max(v, least), most) / scale as quantize says; NaN stays.
func (e *emitter) quotient(q quantArgs, v vec) vec {
	v = e.clamp(v, q.least, q.most)
	t := e.mul(v, q.rest)
	e.VFMADD231PS(q.inverse, v, t)
	e.when(q.exact, func() {
		scale := e.all("scale")
		e.VDIVPS(scale, v, t)
	})
	return t
}

func passQuantize(e *emitter) {
	e.fn("quantize", "(x *float32, y, mask *uint8, n int, scale, inverse, rest, least, most, floor, ceil float32, zero int32, exact bool)",
		"quantize computes y = rint(min(max(x, least), most) / scale) + zero and mask = floor < x < ceil for n elements.",
		"NaN gets the code zero. The quotient is v·inverse + v·rest, inverse + rest being 1/scale, with one rounding of either product;",
		"with exact it is a division.")
	n := e.arg("n")
	e.sinks()
	x, y, m := e.arg("x"), e.arg("y"), e.arg("mask")
	q, zero := e.quant(), e.all("zero")
	e.each(n, []int{4, 1}, func(u int) {
		out := sink{u: u, codes: y, bits: m}
		for e.slot = range u {
			v := e.loadF(x)
			out.mask(e, q.floor, v, q.ceil)
			out.code(e, e.encode(e.quotient(q, v), zero))
		}
		out.flush(e)
	})
	e.end()
}

func passFakeQuant(e *emitter) {
	e.fn("fakeQuant", "(x, y *float32, mask *uint8, n int, scale, inverse, rest, least, most, floor, ceil float32, exact bool)",
		"fakeQuant computes y = rint(min(max(x, least), most) / scale)·scale and mask = floor < x < ceil for n elements.",
		"NaN stays. For the division see quantize.")
	n := e.arg("n")
	e.sinks()
	x, y, m := e.arg("x"), e.arg("y"), e.arg("mask")
	q, scale := e.quant(), e.all("scale")
	e.each(n, []int{4, 1}, func(u int) {
		out := sink{u: u, bits: m}
		for e.slot = range u {
			v := e.loadF(x)
			out.mask(e, q.floor, v, q.ceil)
			e.storeF(e.mul(e.rint(e.quotient(q, v)), scale), y)
		}
		out.flush(e)
	})
	e.end()
}

func passProduct(e *emitter) {
	e.fn("product", "(x, y, out, mask *uint8, n int, zx, zy int32, m, lo, hi, floor, ceil float32, zero int32)",
		"product computes v = float32((x - zx)·(y - zy))·m, out = rint(min(max(v, lo), hi)) + zero and mask = floor < v < ceil",
		"for n elements. NaN gets the code zero.")
	n := e.arg("n")
	e.sinks()
	x, y, out, bits := e.arg("x"), e.arg("y"), e.arg("out"), e.arg("mask")
	zx, zy, m := e.all("zx"), e.all("zy"), e.all("m")
	lo, hi, floor, ceil, zero := e.all("lo"), e.all("hi"), e.all("floor"), e.all("ceil"), e.all("zero")
	less := func(codes reg.Register, zero vec) vec {
		v := e.loadCodes(codes)
		e.VPSUBD(zero, v, v)
		e.VCVTDQ2PS(v, v)
		return v
	}
	e.each(n, []int{4, 1}, func(u int) {
		to := sink{u: u, codes: out, bits: bits}
		for e.slot = range u {
			v := less(x, zx)
			e.VMULPS(less(y, zy), v, v) // at most 255² in size: exact
			e.VMULPS(m, v, v)
			to.mask(e, floor, v, ceil)
			to.code(e, e.encode(e.clamp(v, lo, hi), zero))
		}
		to.flush(e)
	})
	e.end()
}

func passWiden(e *emitter) {
	e.fn("widen", "(x *uint8, acc *int32, n int, zero int32)", "widen computes acc = x - zero for n elements.")
	n, x, acc, zero := e.arg("n"), e.arg("x"), e.arg("acc"), e.all("zero")
	e.each(n, []int{1}, func(int) {
		v := e.loadCodes(x)
		e.VPSUBD(zero, v, v)
		e.storeF(v, acc)
	})
	e.end()
}

func passValues(e *emitter) {
	e.fn("values", "(x *uint8, y *float32, n int, zero int32, scale float32)", "values computes y = float32(x - zero)·scale for n elements.")
	n, x, y, zero, scale := e.arg("n"), e.arg("x"), e.arg("y"), e.all("zero"), e.all("scale")
	e.each(n, []int{1}, func(int) { e.storeF(e.values(e.loadCodes(x), zero, scale), y) })
	e.end()
}

func passEncodeWeights(e *emitter) {
	e.fn("encodeWeights", "(w *float32, codes *int8, v *float32, mask *uint8, n int, f, scale, inverse, rest, least, most, floor, ceil float32, exact bool)",
		"encodeWeights computes t = w·f, codes = rint(min(max(t, least), most) / scale), v = codes·scale and mask = floor < t < ceil",
		"for n elements. NaN gets the code 0 and the value NaN. For the division see quantize.")
	n := e.arg("n")
	e.sinks()
	w, codes, v, m := e.arg("w"), e.arg("codes"), e.arg("v"), e.arg("mask")
	f, scale, q := e.all("f"), e.all("scale"), e.quant()
	e.each(n, []int{4, 1}, func(u int) {
		out := sink{u: u, codes: codes, bits: m}
		for e.slot = range u {
			t := e.mul(e.loadF(w), f)
			out.mask(e, q.floor, t, q.ceil)
			r := e.rint(e.quotient(q, t))
			e.storeF(e.mul(r, scale), v)
			code := e.v()
			e.VCVTPS2DQ(r, code)
			out.code(e, code)
		}
		out.flush(e)
	})
	e.end()
}

func passWeightGrad(e *emitter) {
	e.fn("weightGrad", "(d, w *float32, mask *uint8, dst *float32, n int, u, f float32) (dot float64)",
		"weightGrad computes t = d·u behind the mask, dst = t·f, and returns the sum of t·w in float64 (0 with a nil w)",
		"for n elements. The sum has a part for each lane of a vector, which are added pairwise at the end.")
	n := e.arg("n")
	e.masks()
	d, w, m, dst := e.arg("d"), e.arg("w"), e.arg("mask"), e.arg("dst")
	u, f := e.all("u"), e.all("f")
	var sum []vec
	for range 4 {
		sum = append(sum, e.zero())
	}
	e.each(n, []int{2, 1}, func(units int) {
		for e.slot = range units {
			t := e.loadF(d)
			e.VMULPS(u, t, t)
			e.when(m, func() { e.gate(t, e.loadMask(m)) })
			e.storeF(e.mul(t, f), dst)
			e.when(w, func() {
				a, b := e.halves(t), e.halvesAt(w)
				for h := range 2 {
					e.VFMADD231PD(a[h], b[h], sum[2*e.slot+h])
				}
			})
		}
	})
	e.VADDPD(sum[2], sum[0], sum[0])
	e.VADDPD(sum[3], sum[1], sum[1])
	e.VADDPD(sum[1], sum[0], sum[0])
	y := sum[0].AsY().(vec)
	if e.wide {
		upper := e.YMM()
		e.VEXTRACTF64X4(operand.Imm(1), sum[0], upper)
		e.VADDPD(upper, y, y)
	}
	t := e.XMM()
	e.VEXTRACTF128(operand.Imm(1), y, t)
	e.VADDPD(t, y.AsX(), t)
	s := e.XMM()
	e.VPERMILPD(operand.Imm(1), t, s)
	e.VADDSD(s, t, t)
	e.Store(t, e.Return("dot"))
	e.end()
}

// halves widens the lanes to float64: two vectors.
func (e *emitter) halves(v vec) []vec {
	a, b := e.v(), e.v()
	if e.wide {
		t := e.YMM()
		e.VEXTRACTF64X4(operand.Imm(1), v, t)
		e.VCVTPS2PD(v.AsY(), a)
		e.VCVTPS2PD(t, b)
		return []vec{a, b}
	}
	t := e.XMM()
	e.VEXTRACTF128(operand.Imm(1), v, t)
	e.VCVTPS2PD(v.AsX(), a)
	e.VCVTPS2PD(t, b)
	return []vec{a, b}
}

func passAddTo(e *emitter) {
	e.fn("addTo", "(x, y *float32, n int)", "addTo computes y += x for n elements.")
	n, x, y := e.arg("n"), e.arg("x"), e.arg("y")
	e.each(n, []int{4, 1}, func(u int) {
		for e.slot = range u {
			e.storeF(e.add(e.loadF(y), e.loadF(x)), y)
		}
	})
	e.end()
}

func passSgd(e *emitter) {
	e.fn("sgd", "(w, dw, v *float32, n int, lr, momentum, decay float32)",
		"sgd computes v = momentum·v + (dw + decay·w) and w -= lr·v for n elements.")
	descend(e, func(_, v, _ vec) vec { return v })
}

func passSgdNesterov(e *emitter) {
	e.fn("sgdNesterov", "(w, dw, v *float32, n int, lr, momentum, decay float32)",
		"sgdNesterov computes d = dw + decay·w, v = momentum·v + d and w -= lr·(d + momentum·v) for n elements.")
	descend(e, func(d, v, momentum vec) vec { return e.add(d, e.mul(v, momentum)) })
}

func descend(e *emitter, step func(d, v, momentum vec) vec) {
	n, w, g, v := e.arg("n"), e.arg("w"), e.arg("dw"), e.arg("v")
	lr, momentum, decay := e.all("lr"), e.all("momentum"), e.all("decay")
	e.each(n, []int{1}, func(int) {
		p := e.loadF(w)
		d := e.add(e.loadF(g), e.mul(p, decay))
		s := e.add(e.mul(e.loadF(v), momentum), d)
		e.storeF(s, v)
		e.storeF(e.sub(p, e.mul(step(d, s, momentum), lr)), w)
	})
	e.end()
}
