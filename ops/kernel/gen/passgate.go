package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
	"github.com/mmcloughlin/avo/x86"
)

func passGate(e *emitter) {
	e.fn("gate", "(dy *float32, mask *uint8, y *float32, n int)", "gate computes y = dy behind the mask for n elements.")
	n := e.arg("n")
	e.masks()
	g, m, y := e.arg("dy"), e.arg("mask"), e.arg("y")
	e.each(n, []int{4, 1}, func(u int) {
		for e.slot = range u {
			v := e.loadF(g)
			e.gate(v, e.loadMask(m))
			e.storeF(v, y)
		}
	})
	e.end()

	e.fn("gateAdd", "(dy *float32, mask *uint8, y *float32, n int)", "gateAdd adds dy behind the mask to y for n elements.")
	n = e.arg("n")
	e.masks()
	g, m, y = e.arg("dy"), e.arg("mask"), e.arg("y")
	e.each(n, []int{4, 1}, func(u int) {
		for e.slot = range u {
			v := e.loadF(g)
			e.gate(v, e.loadMask(m))
			e.storeF(e.add(v, e.loadF(y)), y)
		}
	})
	e.end()
}

func passGateAffine(e *emitter) {
	e.fn("gateAffine", "(dy *float32, mask *uint8, x, y, a, k, l *float32, n, c int)",
		"gateAffine computes y = v·a + (x·k + l), or v·a with a nil x, where v is dy behind the mask,",
		"for n elements; a, k and l repeat every c.")
	n := e.arg("n")
	e.masks()
	akl := e.coefs(e.arg("c"), "a", "k", "l")
	g, m, x, y := e.arg("dy"), e.arg("mask"), e.arg("x"), e.arg("y")
	e.either(x, func() {
		e.firstCoef()
		e.each(n, []int{atOnce, 1}, func(u int) {
			for e.slot = range u {
				v := e.loadF(g)
				e.when(m, func() { e.gate(v, e.loadMask(m)) })
				e.storeF(e.mul(v, e.coef(akl[0])), y)
			}
		})
	}, func() {
		e.firstCoef()
		e.each(n, []int{atOnce, 1}, func(u int) {
			for e.slot = range u {
				v := e.loadF(g)
				e.when(m, func() { e.gate(v, e.loadMask(m)) })
				t := e.mul(e.loadF(x), e.coef(akl[1]))
				t = e.add(t, e.coef(akl[2]))
				e.storeF(e.add(e.mul(v, e.coef(akl[0])), t), y)
			}
		})
	})
	e.end()
}

func passGateSums(e *emitter) {
	e.fn("gateSums", "(dy *float32, mask *uint8, x, y *float32, sum, prod *float64, rows, c, last int)",
		"gateSums computes sum += v, prod += v·x (unless x is nil) and y = v (unless y is nil) for each of c channels,",
		"row by row, rows > 0, where v is dy behind the mask. If c is no multiple of 8 the mask has last+4 bytes, last >= 0:",
		"no load begins beyond last.")
	c := e.arg("c")
	stride := e.strideOf(c)
	if !e.wide {
		e.bits = e.lanesOf(0x8040201008040201)
	}
	columns := func(withX, aligned bool) func() {
		return func() { e.each(c, e.blocks(), func(u int) { e.gateRows(u, withX, aligned, stride) }) }
	}
	odd, end := e.label("odd"), e.label("end")
	e.TESTQ(operand.U32(7), c)
	e.JNE(operand.LabelRef(odd))
	e.either(e.arg("x"), columns(false, true), columns(true, true))
	e.JMP(operand.LabelRef(end))
	e.Label(odd)
	e.either(e.arg("x"), columns(false, false), columns(true, false))
	e.Label(end)
	e.end()
}

// gateRows goes down the rows of u vectors of channels. Registers are few: arguments stay in memory.
// With aligned, each row's mask begins with a byte.
func (e *emitter) gateRows(u int, withX, aligned bool, stride reg.GPVirtual) {
	s := e.load64(e.arg("sum"), u)
	var q accumulators
	dy, y, bit := e.column(e.arg("dy")), e.column(e.arg("y")), e.GP64()
	x := dy
	if withX {
		q, x = e.load64(e.arg("prod"), u), e.column(e.arg("x"))
	}
	e.MOVQ(e.i, bit)
	e.rowsOf(u, s, q, dy, x, y, bit, withX, aligned, stride)
	e.store64(s, e.arg("sum"))
	if withX {
		e.store64(q, e.arg("prod"))
	}
}

// rowsOf is the loop of gateRows.
func (e *emitter) rowsOf(u int, s, q accumulators, dy, x, y, bit reg.GPVirtual, withX, aligned bool, stride reg.GPVirtual) {
	e.rows(e.arg("rows"), func() {
		if aligned {
			e.maskAt = e.GP64()
			e.MOVQ(bit, e.maskAt)
			e.SHRQ(operand.Imm(3), e.maskAt)
		}
		for e.slot = range u {
			f, d := e.behind(dy, bit, aligned)
			for h := range 2 {
				e.VADDPD(d[h], s[e.slot][h], s[e.slot][h])
				if withX {
					e.VFMADD231PD(e.wideRow(x, h), d[h], q[e.slot][h])
				}
			}
			e.whenArg("y", func() { e.storeRow(f, y) })
		}
		e.ADDQ(stride, dy)
		e.ADDQ(stride, y)
		if withX {
			e.ADDQ(stride, x)
		}
		e.ADDQ(e.argMem("c"), bit)
		e.maskAt = nil
	})
}

// whenArg writes the body that runs where the pointer is not nil.
func (e *emitter) whenArg(name string, body func()) {
	skip := e.label("skip")
	e.CMPQ(e.argMem(name), operand.Imm(0))
	e.JE(operand.LabelRef(skip))
	body()
	e.Label(skip)
}

func (e *emitter) storeRow(v vec, p reg.Register) {
	switch {
	case !e.tail:
		e.VMOVUPS(v, e.in(p))
	case e.wide:
		e.VMOVUPS(v, e.some.k, e.in(p))
	default:
		e.VMASKMOVPS(v, e.some.y, e.in(p))
	}
}

// behind loads the row's vector behind the mask, whose first bit is number bit + slot·lanes(),
// as it is and widened.
func (e *emitter) behind(p, bit reg.GPVirtual, aligned bool) (f vec, d [2]vec) {
	var m mask
	if aligned {
		m = e.rowMask()
	} else {
		m = e.oddMask(bit)
	}
	f = e.v()
	if e.wide {
		if e.tail {
			e.KANDW(e.some.k, m.k, m.k)
		}
		e.VMOVUPS_Z(e.in(p), m.k, f)
		for h := range 2 {
			d[h] = e.v()
			e.VCVTPS2PD_Z(e.inHalf(p, h), e.halfMask(m, h).k, d[h])
		}
		return f, d
	}
	f = e.loadRow(p)
	e.VANDPS(m.y, f, f)
	return f, [2]vec(e.halves(f))
}

// rowMask reads a mask that begins with a byte, or sets all bits without one.
func (e *emitter) rowMask() mask {
	var m mask
	none, end := e.label("all"), e.label("end")
	e.CMPQ(e.argMem("mask"), operand.Imm(0))
	e.JE(operand.LabelRef(none))
	m = e.loadMask(e.arg("mask"))
	e.JMP(operand.LabelRef(end))
	e.Label(none)
	if e.wide {
		e.cancel(x86.KXNORW(m.k, m.k, m.k))
	} else {
		e.cancel(x86.VPCMPEQD(m.y, m.y, m.y))
	}
	e.Label(end)
	return m
}

// oddMask reads a mask that begins with any bit, or sets all bits without one.
func (e *emitter) oddMask(bit reg.GPVirtual) mask {
	t := e.GP64()
	e.MOVQ(operand.I32(-1), t)
	e.whenArg("mask", func() {
		m, first, byteAt := e.arg("mask"), e.GP64(), e.GP64()
		e.LEAQ(operand.Mem{Base: bit, Disp: e.slot * e.lanes()}, first)
		e.MOVQ(first, byteAt)
		e.SHRQ(operand.Imm(3), byteAt)
		e.CMPQ(byteAt, e.argMem("last"))
		e.CMOVQGT(e.argMem("last"), byteAt)
		e.MOVL(operand.Mem{Base: m, Index: byteAt, Scale: 1}, t.As32())
		e.SHLQ(operand.Imm(3), byteAt)
		e.SUBQ(byteAt, first)
		e.SHRXL(first.As32(), t.As32(), t.As32())
	})
	if e.wide {
		m := mask{k: e.K()}
		e.KMOVW(t.As32(), m.k)
		return m
	}
	y := e.same(t)
	e.VPAND(e.bits, y, y)
	e.VPCMPEQD(e.bits, y, y)
	return mask{y: y}
}
