// Package formula writes the operations of ops/kernel/formula as loops over vectors of float64.
package formula

import (
	"strconv"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// piece is the number of elements that a loop without an exponential takes at a time, formula.Width.
const piece = 32

// emitter writes loops in either width: 8 lanes in ZMM registers or 4 in YMM registers.
type emitter struct {
	*build.Context
	wide   bool
	labels int
	bits   map[string]operand.Mem // constants in memory
	held   map[string]vec         // constants in registers of the function
}

type vec = reg.VecVirtual

// Wide writes the loops of avx512, Narrow those of avx2.
func Wide(c *build.Context) { write(&emitter{Context: c, wide: true}) }

// Narrow is Wide for avx2.
func Narrow(c *build.Context) { write(&emitter{Context: c}) }

func write(e *emitter) {
	e.constants()
	e.begin()
	e.finish()
	e.binary("Add", "a + b", func(a, b operand.Mem, v vec) { e.VMOVUPD(a, v); e.VADDPD(b, v, v) })
	e.binary("Sub", "a - b", func(a, b operand.Mem, v vec) { e.VMOVUPD(a, v); e.VSUBPD(b, v, v) })
	e.binary("Mul", "a·b", func(a, b operand.Mem, v vec) { e.VMOVUPD(a, v); e.VMULPD(b, v, v) })
	e.binary("Div", "a/b", func(a, b operand.Mem, v vec) { e.VMOVUPD(a, v); e.VDIVPD(b, v, v) })
	e.binary("Max", "b where b > a, else a,", func(a, b operand.Mem, v vec) { e.VMOVUPD(b, v); e.VMAXPD(a, v, v) })
	e.binary("Min", "b where b < a, else a,", func(a, b operand.Mem, v vec) { e.VMOVUPD(b, v); e.VMINPD(a, v, v) })
	e.ternary("MulAdd", "a·b + c", func(a, b, c operand.Mem, v vec) {
		e.VMOVUPD(a, v)
		e.VMULPD(b, v, v)
		e.VADDPD(c, v, v)
	})
	e.ternary("Choose", "b where a > 0, else c,", e.choose)
	e.exponential("Exp", "e^a", "zero", func(s, scale vec) {
		e.VADDPD(e.constant("one"), s, s)
		e.VMULPD(scale, s, s)
	})
	e.exponential("Expm1", "e^a - 1", "minus", func(s, scale vec) {
		t := e.v()
		e.VMULPD(scale, s, s)
		e.VSUBPD(e.constant("one"), scale, t)
		e.VADDPD(t, s, s)
	})
}

func (e *emitter) lanes() int {
	if e.wide {
		return 8
	}
	return 4
}

func (e *emitter) v() vec {
	if e.wide {
		return e.ZMM()
	}
	return e.YMM()
}

// half is a register for as many float32.
func (e *emitter) half() vec {
	if e.wide {
		return e.YMM()
	}
	return e.XMM()
}

func (e *emitter) label(name string) string {
	e.labels++
	return name + strconv.Itoa(e.labels)
}

// fn begins a function.
func (e *emitter) fn(name, signature, doc string) {
	e.held = map[string]vec{}
	e.Function("formula" + name)
	e.Pragma("noescape")
	e.Doc("formula"+name+" computes "+doc, "as ops/kernel/formula says.")
	e.SignatureExpr("func" + signature)
}

func (e *emitter) end() {
	e.VZEROUPPER()
	e.RET()
}

func (e *emitter) arg(name string) reg.GPVirtual {
	r := e.GP64()
	e.Load(e.Param(name), r)
	return r
}

// loop writes a loop that takes step elements at a time while there are least.
func (e *emitter) loop(n reg.GPVirtual, step, least int, body func()) {
	again, done := e.label("loop"), e.label("done")
	e.CMPQ(n, operand.I32(least))
	e.JLT(operand.LabelRef(done))
	e.Label(again)
	body()
	e.SUBQ(operand.I32(step), n)
	e.CMPQ(n, operand.I32(least))
	e.JGE(operand.LabelRef(again))
	e.Label(done)
}

func mem(base reg.Register, disp int) operand.Mem { return operand.Mem{Base: base, Disp: disp} }

func (e *emitter) advance(r reg.GPVirtual, bytes int) { e.ADDQ(operand.I32(bytes), r) }

// begin writes the loop that makes float64 of float32.
func (e *emitter) begin() {
	e.fn("Begin", "(x *float32, y *float64, n int)", "y = x for n elements,")
	x, y, n := e.arg("x"), e.arg("y"), e.arg("n")
	e.loop(n, e.lanes(), e.lanes(), func() {
		v := e.v()
		e.VCVTPS2PD(mem(x, 0), v)
		e.VMOVUPD(v, mem(y, 0))
		e.advance(x, 4*e.lanes())
		e.advance(y, 8*e.lanes())
	})
	e.loop(n, 1, 1, func() {
		v := e.XMM()
		e.VMOVSS(mem(x, 0), v)
		e.VCVTSS2SD(v, v, v)
		e.VMOVSD(v, mem(y, 0))
		e.advance(x, 4)
		e.advance(y, 8)
	})
	e.end()
}

// finish writes the loop that makes float32 of float64.
func (e *emitter) finish() {
	e.fn("End", "(x *float64, d, y *float32, n int)", "y = float32(x), times d unless that is nil, for n elements,")
	x, d, y, n := e.arg("x"), e.arg("d"), e.arg("y"), e.arg("n")
	alone, end := e.label("alone"), e.label("end")
	each := func(times bool) {
		advance := func(n int) {
			e.advance(x, 8*n)
			e.advance(y, 4*n)
			if times {
				e.advance(d, 4*n)
			}
		}
		e.loop(n, e.lanes(), e.lanes(), func() {
			v := e.half()
			if e.wide {
				e.VCVTPD2PS(mem(x, 0), v)
			} else {
				e.VCVTPD2PSY(mem(x, 0), v)
			}
			if times {
				e.VMULPS(mem(d, 0), v, v)
			}
			e.VMOVUPS(v, mem(y, 0))
			advance(e.lanes())
		})
		e.loop(n, 1, 1, func() {
			v := e.XMM()
			e.VMOVSD(mem(x, 0), v)
			e.VCVTSD2SS(v, v, v)
			if times {
				e.VMULSS(mem(d, 0), v, v)
			}
			e.VMOVSS(v, mem(y, 0))
			advance(1)
		})
	}
	e.TESTQ(d, d)
	e.JE(operand.LabelRef(alone))
	each(true)
	e.JMP(operand.LabelRef(end))
	e.Label(alone)
	each(false)
	e.Label(end)
	e.end()
}

// operands are pointers to what a loop reads, and by how much each advances.
func (e *emitter) operands(names ...string) (at, steps []reg.GPVirtual) {
	for _, name := range names {
		at = append(at, e.arg(string(name[0]+'a'-'A')))
		steps = append(steps, e.arg("step"+name))
	}
	return at, steps
}

// pieces writes the loop over pieces; load computes a vector of y from the addresses of the operands'.
func (e *emitter) pieces(load func(at []operand.Mem, v vec), names ...string) {
	at, steps := e.operands(names...)
	y, n := e.arg("y"), e.arg("n")
	e.loop(n, piece, 1, func() {
		for k := range piece / e.lanes() {
			disp, v := 8*k*e.lanes(), e.v()
			var from []operand.Mem
			for _, r := range at {
				from = append(from, mem(r, disp))
			}
			load(from, v)
			e.VMOVUPD(v, mem(y, disp))
		}
		for i, r := range at {
			e.ADDQ(steps[i], r)
		}
		e.advance(y, 8*piece)
	})
	e.end()
}

func (e *emitter) binary(name, doc string, load func(a, b operand.Mem, v vec)) {
	e.fn(name, "(a, b, y *float64, n, stepA, stepB int)", "y = "+doc+" for n elements,")
	e.pieces(func(at []operand.Mem, v vec) { load(at[0], at[1], v) }, "A", "B")
}

func (e *emitter) ternary(name, doc string, load func(a, b, c operand.Mem, v vec)) {
	e.fn(name, "(a, b, c, y *float64, n, stepA, stepB, stepC int)", "y = "+doc+" for n elements,")
	e.pieces(func(at []operand.Mem, v vec) { load(at[0], at[1], at[2], v) }, "A", "B", "C")
}

// The predicates of comparisons; NaN fulfils none.
const lessThan, greaterThan = operand.U8(0x11), operand.U8(0x1e)

func (e *emitter) choose(a, b, c operand.Mem, v vec) {
	t := e.v()
	e.VMOVUPD(a, t)
	e.VMOVUPD(c, v)
	e.where(greaterThan, t, e.constant("zero"), b, v)
}

// where puts m into v where "a predicate b".
func (e *emitter) where(p operand.U8, a vec, b, m operand.Op, v vec) {
	if e.wide {
		k := e.K()
		e.VCMPPD(p, b, a, k)
		e.VMOVUPD(m, k, v)
		return
	}
	t := e.YMM()
	e.VCMPPD(p, b, a, t)
	e.VBLENDVPD(t, m, v, v)
}
