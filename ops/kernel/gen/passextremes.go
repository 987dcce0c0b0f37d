package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// extremes are the least and the largest values so far, u vectors of them, and where a NaN was.
type extremes struct {
	lo, hi []vec
	nan    mask
}

func (e *emitter) extremes(u int) extremes {
	r := extremes{nan: e.none()}
	inf, minus := e.GP64(), e.GP64()
	e.MOVQ(operand.U32(0x7f800000), inf)
	e.MOVQ(operand.U32(0xff800000), minus)
	for range u {
		r.lo, r.hi = append(r.lo, e.same(inf)), append(r.hi, e.same(minus))
	}
	return r
}

// widenRange takes v into slot's vector. Lanes beyond the tail, which are anything, are
// left out by being made the extremes so far.
func (e *emitter) widenRange(r extremes, v vec) {
	lo, hi := r.lo[e.slot], r.hi[e.slot]
	switch {
	case e.tail && e.wide:
		k := e.K()
		e.VCMPPS(unordered, v, v, e.some.k, k)
		e.KORW(k, r.nan.k, r.nan.k)
		e.VMINPS(lo, v, e.some.k, lo)
		e.VMAXPS(hi, v, e.some.k, hi)
		return
	case e.tail:
		u := e.v()
		e.VBLENDVPS(e.some.y, v, hi, u)
		e.VBLENDVPS(e.some.y, v, lo, v)
		e.VMAXPS(hi, u, hi)
	default:
		e.VMAXPS(hi, v, hi)
	}
	e.VMINPS(lo, v, lo)
	e.nan(r.nan, v, v)
}

// join brings the vectors of extremes together in the first.
func (e *emitter) join(r extremes) {
	for u := len(r.lo) / 2; u > 0; u /= 2 {
		for i := range u {
			e.VMINPS(r.lo[i+u], r.lo[i], r.lo[i])
			e.VMAXPS(r.hi[i+u], r.hi[i], r.hi[i])
		}
	}
}

// returnRange stores the extremes, or NaN twice.
func (e *emitter) returnRange(r extremes, least, most string) {
	e.join(r)
	bad, t, fine := e.GP32(), e.GP32(), e.label("fine")
	lo := e.GP32()
	hi := e.GP32()
	e.VMOVD(e.fold(r.lo[0], func(a, b, to vec) { e.VMINPS(a, b, to) }), lo)
	e.VMOVD(e.fold(r.hi[0], func(a, b, to vec) { e.VMAXPS(a, b, to) }), hi)
	if e.wide {
		e.KMOVW(r.nan.k, bad)
	} else {
		e.VMOVMSKPS(r.nan.y, bad)
	}
	e.TESTL(bad, bad)
	e.JE(operand.LabelRef(fine))
	e.MOVL(operand.U32(0x7fc00000), t)
	e.MOVL(t, lo)
	e.MOVL(t, hi)
	e.Label(fine)
	e.MOVL(lo, e.resultMem(least))
	e.MOVL(hi, e.resultMem(most))
}

// resultMem is where a result lies.
func (e *emitter) resultMem(name string) operand.Mem {
	b, err := e.Return(name).Resolve()
	if err != nil {
		panic(err)
	}
	return b.Addr
}

func passMinMax(e *emitter) {
	e.fn("minMax", "(x *float32, n int) (least, most float32)",
		"minMax returns the extremes of n values, NaN if there is one.")
	n, x := e.arg("n"), e.arg("x")
	r := e.extremes(4)
	e.each(n, []int{4, 1}, func(u int) {
		if u == 1 {
			e.widenRange(r, e.loadF(x))
			return
		}
		var vs []vec
		for e.slot = range u {
			v := e.loadF(x)
			e.VMINPS(r.lo[e.slot], v, r.lo[e.slot])
			e.VMAXPS(r.hi[e.slot], v, r.hi[e.slot])
			if vs = append(vs, v); e.slot%2 == 1 {
				e.nan(r.nan, vs[e.slot-1], v)
			}
		}
	})
	e.returnRange(r, "least", "most")
	e.end()
}

func passFinite(e *emitter) {
	e.fn("finite", "(x *float32, n int) bool",
		"finite reports whether no exponent of n values has all its bits: the largest magnitude, as an integer, tells.")
	n, x := e.arg("n"), e.arg("x")
	r := e.GP64()
	e.MOVQ(operand.U32(0x7fffffff), r)
	magnitude := e.same(r)
	var most []vec
	for range 4 {
		most = append(most, e.zero())
	}
	e.each(n, []int{4, 1}, func(u int) {
		for e.slot = range u {
			v := e.loadF(x)
			e.bitwiseAnd(magnitude, v)
			e.VPMAXUD(v, most[e.slot], most[e.slot])
		}
	})
	e.VPMAXUD(most[1], most[0], most[0])
	e.VPMAXUD(most[3], most[2], most[2])
	e.VPMAXUD(most[2], most[0], most[0])
	t := e.fold(most[0], func(a, b, to vec) { e.VPMAXUD(a, b, to) })
	e.VMOVD(t, r.As32())
	e.CMPL(r.As32(), operand.U32(0x7f800000))
	e.SETCS(r.As8())
	e.Store(r.As8(), e.ReturnIndex(0))
	e.end()
}

func (e *emitter) bitwiseAnd(a, v vec) {
	if e.wide {
		e.VPANDD(a, v, v)
	} else {
		e.VPAND(a, v, v)
	}
}

// fold combines all lanes into the lowest.
func (e *emitter) fold(v vec, op func(a, b, to vec)) reg.Register {
	y := v.AsY().(vec)
	if e.wide {
		t := e.YMM()
		e.VEXTRACTF64X4(operand.Imm(1), v, t)
		op(t, y, t)
		y = t
	}
	t, s := e.XMM(), e.XMM()
	e.VEXTRACTF128(operand.Imm(1), y, t)
	op(t, y.AsX().(vec), t)
	e.VPSHUFD(operand.Imm(0x4e), t, s)
	op(s, t, t)
	e.VPSHUFD(operand.Imm(0xb1), t, s)
	op(s, t, t)
	return t
}
