package main

import (
	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
	"github.com/mmcloughlin/avo/x86"
)

// at is the address of this slot's vector of elements of the given size.
func (e *emitter) at(base reg.Register, size int) operand.Mem {
	return operand.Mem{Base: base, Index: e.i, Scale: uint8(size), Disp: e.slot * e.lanes() * size}
}

// loadF loads float32 or int32 lanes; those beyond the tail are 0.
func (e *emitter) loadF(base reg.Register) vec {
	v := e.v()
	switch {
	case !e.tail:
		e.VMOVUPS(e.at(base, 4), v)
	case e.wide:
		e.VMOVUPS_Z(e.at(base, 4), e.some.k, v)
	default:
		e.VMASKMOVPS(e.at(base, 4), e.some.y, v)
	}
	return v
}

func (e *emitter) storeF(v vec, base reg.Register) {
	switch {
	case !e.tail:
		e.VMOVUPS(v, e.at(base, 4))
	case e.wide:
		e.VMOVUPS(v, e.some.k, e.at(base, 4))
	default:
		e.VMASKMOVPS(v, e.some.y, e.at(base, 4))
	}
}

// loadCodes loads bytes into int32 lanes.
func (e *emitter) loadCodes(base reg.Register) vec {
	v := e.v()
	switch {
	case !e.tail:
		e.VPMOVZXBD(e.at(base, 1), v)
	case e.wide:
		e.VPMOVZXBD_Z(e.at(base, 1), e.some.k, v)
	default:
		e.VPMOVZXBD(e.loadBytes(base), v)
	}
	return v
}

// loadBytes loads the rest, fewer than eight bytes.
func (e *emitter) loadBytes(base reg.Register) vec {
	x, t, j := e.XMM(), e.GP64(), e.GP64()
	loop := e.label("byte")
	e.XORQ(t, t)
	e.MOVQ(e.rest, j)
	from := e.GP64()
	e.LEAQ(e.at(base, 1), from)
	e.Label(loop)
	e.SHLQ(operand.Imm(8), t)
	e.MOVB(operand.Mem{Base: from, Index: j, Scale: 1, Disp: -1}, t.As8())
	e.DECQ(j)
	e.JNE(operand.LabelRef(loop))
	e.VMOVQ(t, x)
	return x
}

// storeCodes stores the low bytes of int32 lanes.
func (e *emitter) storeCodes(v vec, base reg.Register) {
	if e.wide {
		if e.tail {
			e.VPMOVDB(v, e.some.k, e.at(base, 1))
		} else {
			e.VPMOVDB(v, e.at(base, 1))
		}
		return
	}
	t, u := e.YMM(), e.XMM()
	e.VPSHUFB(e.consts.pick, v, t)
	e.VEXTRACTI128(operand.Imm(1), t, u)
	e.VPUNPCKLDQ(u, t.AsX(), u)
	e.storeBytes(u, base)
}

// storeBytes stores eight bytes, or the rest.
func (e *emitter) storeBytes(x reg.Register, base reg.Register) {
	if !e.tail {
		e.VMOVQ(x, e.at(base, 1))
		return
	}
	t, j, to := e.GP64(), e.GP64(), e.GP64()
	loop := e.label("byte")
	e.VMOVQ(x, t)
	e.XORQ(j, j)
	e.LEAQ(e.at(base, 1), to)
	e.Label(loop)
	e.MOVB(t.As8(), operand.Mem{Base: to, Index: j, Scale: 1})
	e.SHRQ(operand.Imm(8), t)
	e.INCQ(j)
	e.CMPQ(j, e.rest)
	e.JLT(operand.LabelRef(loop))
}

// bitsAt is the address of this slot's mask.
func (e *emitter) bitsAt(base reg.Register) operand.Mem {
	return operand.Mem{Base: base, Index: e.maskAt, Scale: 1, Disp: e.slot * e.lanes() / 8}
}

// storeMask writes a mask, the lanes beyond the tail as zero.
func (e *emitter) storeMask(m mask, base reg.Register) {
	r := e.GP32()
	if !e.wide {
		e.VMOVMSKPS(m.y, r)
		if e.tail {
			e.BZHIL(e.rest.As32(), r, r)
		}
		e.MOVB(r.As8(), e.bitsAt(base))
		return
	}
	if !e.tail {
		e.KMOVW(m.k, e.bitsAt(base))
		return
	}
	k, done := e.K(), e.label("bits")
	e.KANDW(m.k, e.some.k, k)
	e.KMOVW(k, r)
	e.MOVB(r.As8(), e.bitsAt(base))
	e.CMPQ(e.rest, operand.Imm(8))
	e.JLE(operand.LabelRef(done))
	e.SHRL(operand.Imm(8), r)
	e.MOVB(r.As8(), e.bitsAt(base).Offset(1))
	e.Label(done)
}

// loadMask reads a mask.
func (e *emitter) loadMask(base reg.Register) mask {
	if !e.wide {
		m := mask{y: e.YMM()}
		e.VPBROADCASTB(e.bitsAt(base), m.y)
		e.VPAND(e.bits, m.y, m.y)
		e.VPCMPEQD(e.bits, m.y, m.y)
		return m
	}
	m := mask{k: e.K()}
	if !e.tail {
		e.KMOVW(e.bitsAt(base), m.k)
		return m
	}
	r, s, done := e.GP32(), e.GP32(), e.label("bits")
	e.MOVBLZX(e.bitsAt(base), r)
	e.CMPQ(e.rest, operand.Imm(8))
	e.JLE(operand.LabelRef(done))
	e.MOVBLZX(e.bitsAt(base).Offset(1), s)
	e.SHLL(operand.Imm(8), s)
	e.ORL(s, r)
	e.Label(done)
	e.KMOVW(r, m.k)
	return m
}

// gate is v where the mask is set, else 0; in place.
func (e *emitter) gate(v vec, m mask) {
	if e.wide {
		e.VMOVAPS_Z(v, m.k, v)
	} else {
		e.VANDPS(m.y, v, v)
	}
}

// The predicates of comparisons; what has a NaN fulfils none but unordered and notLE.
const (
	lessThan  = operand.U8(0x11)
	lessEqual = operand.U8(0x12)
	unordered = operand.U8(0x03)
	ordered   = operand.U8(0x07)
	notLE     = operand.U8(0x16)
)

// compare is "a predicate b".
func (e *emitter) compare(p operand.U8, a vec, b operand.Op) mask {
	if e.wide {
		m := mask{k: e.K()}
		e.VCMPPS(p, b, a, m.k)
		return m
	}
	m := mask{y: e.YMM()}
	e.VCMPPS(p, b, a, m.y)
	return m
}

// between is lo < v < hi, with p lessThan, or lo <= v <= hi.
func (e *emitter) between(p operand.U8, lo, v, hi vec) mask {
	m := e.compare(p, lo, v)
	if e.wide {
		e.VCMPPS(p, hi, v, m.k, m.k)
		return m
	}
	n := e.compare(p, v, hi)
	e.VANDPS(n.y, m.y, m.y)
	return m
}

// nan is a vector's NaNs added to m.
func (e *emitter) nan(m mask, a, b vec) {
	n := e.compare(unordered, a, b)
	if e.wide {
		e.KORW(n.k, m.k, m.k)
	} else {
		e.VORPS(n.y, m.y, m.y)
	}
}

// none is an empty mask.
func (e *emitter) none() mask {
	if e.wide {
		k := e.K()
		e.cancel(x86.KXORW(k, k, k))
		return mask{k: k}
	}
	return mask{y: e.zero()}
}

// cancel appends an instruction whose inputs do not matter, as the allocator of registers
// must be told of some.
func (e *emitter) cancel(i *ir.Instruction, err error) {
	if err != nil {
		panic(err)
	}
	i.CancellingInputs = true
	e.Instruction(i)
}

func (e *emitter) zero() vec {
	v := e.v()
	if e.wide {
		e.cancel(x86.VPXORD(v, v, v))
	} else {
		e.VXORPS(v, v, v)
	}
	return v
}

func (e *emitter) mul(a vec, b operand.Op) vec { v := e.v(); e.VMULPS(b, a, v); return v }
func (e *emitter) add(a vec, b operand.Op) vec { v := e.v(); e.VADDPS(b, a, v); return v }
func (e *emitter) sub(a vec, b operand.Op) vec { v := e.v(); e.VSUBPS(b, a, v); return v }
func (e *emitter) div(a vec, b operand.Op) vec { v := e.v(); e.VDIVPS(b, a, v); return v }

// clamp is min(max(v, lo), hi); NaN stays: the instructions return their last source where either is NaN.
func (e *emitter) clamp(v, lo, hi vec) vec {
	t := e.v()
	e.VMAXPS(v, lo, t)
	e.VMINPS(t, hi, t)
	return t
}

// rint rounds to an integer, ties to even.
func (e *emitter) rint(v vec) vec {
	t := e.v()
	if e.wide {
		e.VRNDSCALEPS(operand.Imm(8), v, t)
	} else {
		e.VROUNDPS(operand.Imm(8), v, t)
	}
	return t
}

// encode rounds to an integer and adds zero. NaN becomes a multiple of 256, plus zero.
func (e *emitter) encode(v, zero vec) vec {
	t := e.v()
	e.VCVTPS2DQ(v, t)
	e.VPADDD(zero, t, t)
	return t
}

// values turns codes into (q - zero)·scale.
func (e *emitter) values(q, zero, scale vec) vec {
	t := e.v()
	e.VPSUBD(zero, q, t)
	e.VCVTDQ2PS(t, t)
	e.VMULPS(scale, t, t)
	return t
}

// when writes the body that runs where the pointer is not nil.
func (e *emitter) when(ptr reg.Register, body func()) {
	skip := e.label("skip")
	e.TESTQ(ptr, ptr)
	e.JE(operand.LabelRef(skip))
	body()
	e.Label(skip)
}

// either writes two bodies: where the pointer is nil and where it is not.
func (e *emitter) either(ptr reg.Register, isNil, notNil func()) {
	other, end := e.label("given"), e.label("end")
	e.TESTQ(ptr, ptr)
	e.JNE(operand.LabelRef(other))
	isNil()
	e.JMP(operand.LabelRef(end))
	e.Label(other)
	notNil()
	e.Label(end)
}
