package main

import (
	"strconv"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// emitter writes loops over vectors of float32 or int32 lanes in either width: 16
// lanes in ZMM registers with compare masks in K registers, or 8 lanes in YMM
// registers with compare masks as vectors. A loop's body is written once and
// emitted twice, for full vectors and for the rest of fewer lanes.
type emitter struct {
	*build.Context
	wide   bool
	labels int

	i    reg.GPVirtual // the element that the vector in slot 0 begins with
	slot int           // which of the vectors of an unrolled body is being written
	tail bool          // the body is being written for fewer than lanes() elements,
	rest reg.GPVirtual // that many,
	some mask          // with these lanes

	maskAt reg.GPVirtual // i/8
	bits   vec           // narrow: 1, 2, 4, … 128, for reading masks
	consts stored

	ch, span, turn reg.GPVirtual // of coefficients: see coefs
}

type vec = reg.VecVirtual

// mask is one bit a lane.
type mask struct {
	k reg.OpmaskVirtual // wide
	y vec               // narrow: all bits of the lane
}

// wide and narrow are the generators of the two sets.
func wide(write func(e *emitter)) func(c *build.Context) {
	return func(c *build.Context) { write(&emitter{Context: c, wide: true}) }
}

func narrow(write func(e *emitter)) func(c *build.Context) {
	return func(c *build.Context) { write(&emitter{Context: c}) }
}

// lanes is the number of elements in a vector.
func (e *emitter) lanes() int {
	if e.wide {
		return 16
	}
	return 8
}

// fn begins a function.
func (e *emitter) fn(name, signature string, doc ...string) {
	c, w, labels := e.Context, e.wide, e.labels
	*e = emitter{Context: c, wide: w, labels: labels}
	e.Function(name)
	e.Pragma("noescape")
	e.Doc(doc...)
	e.SignatureExpr("func" + signature)
}

// end ends it.
func (e *emitter) end() {
	e.VZEROUPPER()
	e.RET()
}

func (e *emitter) label(name string) string {
	e.labels++
	return name + strconv.Itoa(e.labels)
}

func (e *emitter) v() vec {
	if e.wide {
		return e.ZMM()
	}
	return e.YMM()
}

// arg loads a pointer or an int.
func (e *emitter) arg(name string) reg.GPVirtual {
	r := e.GP64()
	e.Load(e.Param(name), r)
	return r
}

// argMem is where a scalar argument lies.
func (e *emitter) argMem(name string) operand.Mem {
	b, err := e.Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return b.Addr
}

// all loads a float32 or int32 argument into every lane.
func (e *emitter) all(name string) vec {
	v := e.v()
	e.VBROADCASTSS(e.argMem(name), v)
	return v
}

// lanesOf loads eight bytes, zero-extended to a lane each.
func (e *emitter) lanesOf(bytes ...uint64) vec {
	v, t := e.v(), e.XMM()
	r := e.GP64()
	e.MOVQ(operand.U64(bytes[0]), r)
	e.VMOVQ(r, t)
	if e.wide {
		e.MOVQ(operand.U64(bytes[1]), r)
		e.VPINSRQ(operand.Imm(1), r, t, t)
	}
	e.VPMOVZXBD(t, v)
	return v
}

// iota is 0, 1, 2, …
func (e *emitter) iota() vec { return e.lanesOf(0x0706050403020100, 0x0f0e0d0c0b0a0908) }

// same copies a general register into every lane.
func (e *emitter) same(r reg.GPVirtual) vec {
	v := e.v()
	if e.wide {
		e.VPBROADCASTD(r.As32(), v)
		return v
	}
	x := e.XMM()
	e.VMOVD(r.As32(), x)
	e.VPBROADCASTD(x, v)
	return v
}

// masks prepares the reading of masks.
func (e *emitter) masks() {
	e.maskAt = e.GP64()
	if !e.wide {
		e.bits = e.lanesOf(0x8040201008040201)
	}
}

// stored are constants for writing codes and masks in narrow vectors.
// They lie on the stack, because registers are few.
type stored struct{ pick, order, lowByte operand.Mem }

// codes prepares the writing of codes.
func (e *emitter) codes() {
	if !e.wide {
		e.consts.pick = e.stored(0x0c080400)
	}
}

// stored is a constant with the same 32 bits in each lane, on the stack.
func (e *emitter) stored(bits uint32) operand.Mem {
	r, m := e.GP64(), e.AllocLocal(32)
	e.MOVQ(operand.U32(bits), r)
	e.VMOVDQU(e.same(r), m)
	return m
}

// sinks prepares the writing of masks and codes.
func (e *emitter) sinks() {
	e.codes()
	e.maskAt = e.GP64()
	if !e.wide {
		e.consts.lowByte = e.stored(0xff)
		e.consts.order = e.AllocLocal(32)
		e.VMOVDQU(e.lanesOf(0x0703060205010400), e.consts.order)
	}
}

// each writes the loop over n elements. The body is written for each number of vectors
// in units, the last of which is 1, and for the tail.
func (e *emitter) each(n operand.Op, units []int, body func(u int)) {
	left := e.GP64()
	if e.i == nil {
		e.i = e.GP64()
	}
	e.XORQ(e.i, e.i)
	if e.maskAt != nil {
		e.XORQ(e.maskAt, e.maskAt)
	}
	e.MOVQ(n, left)
	done := e.label("done")
	for _, u := range units {
		e.full(left, u, body)
	}
	e.TESTQ(left, left)
	e.JE(operand.LabelRef(done))
	e.setTail(left)
	body(1)
	e.tail = false
	e.Label(done)
}

// full writes the loop over u full vectors at a time.
func (e *emitter) full(left reg.GPVirtual, u int, body func(u int)) {
	step := u * e.lanes()
	loop, next := e.label("loop"), e.label("next")
	e.CMPQ(left, operand.Imm(uint64(step)))
	e.JLT(operand.LabelRef(next))
	e.setTurn(step)
	e.Label(loop)
	body(u)
	e.slot = 0
	e.nextCoefs(step)
	e.ADDQ(operand.Imm(uint64(step)), e.i)
	if e.maskAt != nil {
		e.ADDQ(operand.Imm(uint64(step/8)), e.maskAt)
	}
	e.SUBQ(operand.Imm(uint64(step)), left)
	e.CMPQ(left, operand.Imm(uint64(step)))
	e.JGE(operand.LabelRef(loop))
	e.Label(next)
}

// setTail makes the lanes of the rest.
func (e *emitter) setTail(left reg.GPVirtual) {
	e.tail, e.rest, e.slot = true, left, 0
	if e.wide {
		r := e.GP32()
		e.MOVL(operand.U32(0xffffffff), r)
		e.BZHIL(left.As32(), r, r)
		e.some.k = e.K()
		e.KMOVW(r, e.some.k)
		return
	}
	e.some.y = e.YMM()
	e.VPCMPGTD(e.iota(), e.same(left), e.some.y)
}
