package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// tableMost is the largest number of channels, other than a multiple of lanes(),
// that coefficient tables have room for. ops/kernel/pass knows it too.
const tableMost = 2048

// atOnce is the largest number of vectors in the body of a loop with coefficients.
const atOnce = 4

// coefs prepares coefficients that repeat every c elements, arguments of four bytes
// each: the vectors of a body read them from channel i%c on, up to reach of them.
// If c is a multiple of reach that is the argument itself. Else it is a table on the stack,
// which holds the coefficients as often as it needs to have reach of them, and then the first
// reach-1 once more.
//
// An address is the end of the last period plus ch, which runs from -span up to 0 in bytes.
// A pointer that is nil stays nil.
func (e *emitter) coefs(c reg.GPVirtual, names ...string) []reg.GPVirtual {
	var ptrs []reg.GPVirtual
	for _, name := range names {
		ptrs = append(ptrs, e.arg(name))
	}
	direct, reach := e.label("direct"), atOnce*e.lanes()
	e.span = e.GP64()
	e.MOVQ(c, e.span)
	e.TESTQ(operand.U32(uint32(reach-1)), c)
	e.JE(operand.LabelRef(direct))
	e.period(c, reach)
	for _, p := range ptrs {
		e.when(p, func() { e.table(c, p, reach) })
	}
	e.Label(direct)
	e.SHLQ(operand.Imm(2), e.span)
	for _, p := range ptrs {
		e.when(p, func() { e.ADDQ(e.span, p) })
	}
	e.ch, e.turn = e.GP64(), e.GP64()
	return ptrs
}

// period makes span the smallest multiple of c that is no less than reach.
func (e *emitter) period(c reg.GPVirtual, reach int) {
	loop, enough := e.label("period"), e.label("enough")
	e.Label(loop)
	e.CMPQ(e.span, operand.Imm(uint64(reach)))
	e.JGE(operand.LabelRef(enough))
	e.ADDQ(c, e.span)
	e.JMP(operand.LabelRef(loop))
	e.Label(enough)
}

// table writes the coefficients row after row, up to span+reach-1 of them and no more than a
// vector beyond, and makes p the table.
func (e *emitter) table(c, p reg.GPVirtual, reach int) {
	local := e.AllocLocal(4 * (tableMost + 3*reach))
	to, end, at := e.GP64(), e.GP64(), e.GP64()
	few, done := e.label("few"), e.label("table")
	e.LEAQ(local, to)
	e.MOVQ(to, at)
	e.LEAQ(operand.Mem{Base: to, Index: e.span, Scale: 4, Disp: 4 * (reach - 1)}, end)
	e.CMPQ(c, operand.Imm(uint64(e.lanes())))
	e.JLT(operand.LabelRef(few))
	e.longRows(c, p, at, end)
	e.JMP(operand.LabelRef(done))
	e.Label(few)
	e.shortRows(c, p, at, end)
	e.Label(done)
	e.MOVQ(to, p)
}

// longRows copies rows of at least a vector from p to at, the last vector of a row so that it ends with the row.
func (e *emitter) longRows(c, p, at, end reg.GPVirtual) {
	rows, vectors, inside, next := e.label("row"), e.label("copy"), e.label("inside"), e.label("next")
	last, j, t, v := e.GP64(), e.GP64(), e.GP64(), e.v()
	e.LEAQ(operand.Mem{Base: c, Disp: -e.lanes()}, last)
	e.Label(rows)
	e.XORQ(j, j)
	e.Label(vectors)
	e.CMPQ(j, last)
	e.CMOVQGT(last, j)
	e.LEAQ(operand.Mem{Base: at, Index: j, Scale: 4}, t)
	e.CMPQ(t, end)
	e.JCS(operand.LabelRef(inside))
	e.JMP(operand.LabelRef(next))
	e.Label(inside)
	e.VMOVUPS(operand.Mem{Base: p, Index: j, Scale: 4}, v)
	e.VMOVUPS(v, operand.Mem{Base: t})
	e.ADDQ(operand.Imm(uint64(e.lanes())), j)
	e.CMPQ(j, c)
	e.JLT(operand.LabelRef(vectors))
	e.LEAQ(operand.Mem{Base: at, Index: c, Scale: 4}, at)
	e.CMPQ(at, end)
	e.JCS(operand.LabelRef(rows))
	e.Label(next)
}

// shortRows writes rows of less than a vector: each store is of a vector, whose end the next one overwrites.
func (e *emitter) shortRows(c, p, at, end reg.GPVirtual) {
	single, rows := e.label("one"), e.label("row")
	j, t, v := e.GP64(), e.GP32(), e.v()
	e.XORQ(j, j)
	e.Label(single)
	e.MOVL(operand.Mem{Base: p, Index: j, Scale: 4}, t)
	e.MOVL(t, operand.Mem{Base: at, Index: j, Scale: 4})
	e.INCQ(j)
	e.CMPQ(j, c)
	e.JLT(operand.LabelRef(single))
	e.VMOVUPS(operand.Mem{Base: at}, v)
	e.Label(rows)
	e.VMOVUPS(v, operand.Mem{Base: at})
	e.LEAQ(operand.Mem{Base: at, Index: c, Scale: 4}, at)
	e.CMPQ(at, end)
	e.JCS(operand.LabelRef(rows))
}

// firstCoef goes to channel 0.
func (e *emitter) firstCoef() {
	e.MOVQ(e.span, e.ch)
	e.NEGQ(e.ch)
}

// setTurn prepares steps of n channels, where there are coefficients.
func (e *emitter) setTurn(n int) {
	if e.ch != nil {
		e.MOVQ(operand.U32(uint32(4*n)), e.turn)
		e.SUBQ(e.span, e.turn)
	}
}

// nextCoefs goes n channels on.
func (e *emitter) nextCoefs(n int) {
	if e.ch == nil {
		return
	}
	t := e.GP64()
	e.LEAQ(operand.Mem{Base: e.ch, Index: e.turn, Scale: 1}, t)
	e.ADDQ(operand.U32(uint32(4*n)), e.ch)
	e.CMOVQPL(t, e.ch)
}

// coef is the address of this vector's coefficients.
func (e *emitter) coef(p reg.Register) operand.Mem {
	return operand.Mem{Base: p, Index: e.ch, Scale: 1, Disp: 4 * e.lanes() * e.slot}
}
