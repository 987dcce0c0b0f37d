package formula

import (
	"math"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
)

// values are the constants, those of ops/elementary. Each lies in memory in as many copies as a vector has.
var values = []struct {
	name string
	v    float64
}{
	{"zero", 0},
	{"one", 1},
	{"minus", -1},
	{"infinity", math.Inf(1)},
	{"most", 709},
	{"least", -708},
	{"log2e", math.Log2E},
	{"shift", 3 << 51},
	{"ln2High", 6.93147180369123816490e-01},
	{"ln2Low", 1.90821492927058770002e-10},
	{"c0", 0x1p-1},
	{"c1", 0x1.5555555553b7dp-3},
	{"c2", 0x1.5555555554cb8p-5},
	{"c3", 0x1.1111111c45d9fp-7},
	{"c4", 0x1.6c16c1738ed23p-10},
	{"c5", 0x1.a019adabe6699p-13},
	{"c6", 0x1.a019c9ab133b1p-16},
	{"c7", 0x1.72c720d005e4bp-19},
	{"c8", 0x1.2880393a358c4p-22},
}

// constants writes them.
func (e *emitter) constants() {
	e.bits = map[string]operand.Mem{}
	m, at := e.StaticGlobal("formulaConstants"), 0
	e.DataAttributes(attr.RODATA | attr.NOPTR)
	for _, c := range values {
		e.bits[c.name] = m.Offset(at)
		for range e.lanes() {
			e.AddDatum(at, operand.U64(math.Float64bits(c.v)))
			at += 8
		}
	}
}

// constant is a register that has it, or where it lies.
func (e *emitter) constant(name string) operand.Op {
	if v, ok := e.held[name]; ok {
		return v
	}
	return e.bits[name]
}

// hold loads the constants into registers where there are enough.
func (e *emitter) hold() {
	if !e.wide {
		return
	}
	for _, c := range values {
		v := e.v()
		e.VMOVUPD(e.bits[c.name], v)
		e.held[c.name] = v
	}
}

// exponential writes the loop of a function of e^a; make turns s into it where e^a = (1 + s)·scale. It is infinity above 709, and what
// under names below -708.
func (e *emitter) exponential(name, doc, under string, make func(s, scale vec)) {
	e.fn(name, "(a, y *float64, n int)", "y = "+doc+" for n elements,")
	a, y, n := e.arg("a"), e.arg("y"), e.arg("n")
	e.hold()
	e.loop(n, e.lanes(), 1, func() {
		x := e.v()
		e.VMOVUPD(mem(a, 0), x)
		s, scale := e.power(x)
		make(s, scale)
		e.where(greaterThan, x, e.constant("most"), e.constant("infinity"), s)
		e.where(lessThan, x, e.constant("least"), e.constant(under), s)
		e.VMOVUPD(s, mem(y, 0))
		e.advance(a, 8*e.lanes())
		e.advance(y, 8*e.lanes())
	})
	e.end()
}

// power is elementary.power, the same operations in the same order.
func (e *emitter) power(x vec) (s, scale vec) {
	scale = e.v()
	n, r := e.v(), e.v()
	e.VMULPD(e.constant("log2e"), x, scale)
	e.VADDPD(e.constant("shift"), scale, scale)
	e.VSUBPD(e.constant("shift"), scale, n)
	t := e.v()
	e.VMULPD(e.constant("ln2High"), n, t)
	e.VSUBPD(t, x, r)
	e.VMULPD(e.constant("ln2Low"), n, t)
	e.VSUBPD(t, r, r)
	square, low, high := e.v(), e.v(), e.v()
	e.VMULPD(r, r, square)
	e.pair(r, "c1", "c0", t)
	e.pair(r, "c3", "c2", low)
	e.next(square, low, t)
	e.pair(r, "c7", "c6", t)
	e.VMULPD(e.constant("c8"), square, high)
	e.VADDPD(t, high, high)
	e.pair(r, "c5", "c4", t)
	e.next(square, high, t)
	e.VMULPD(square, square, t)
	e.VMULPD(t, high, high)
	e.VADDPD(low, high, high)
	e.next(square, high, r)
	e.VPSLLQ(operand.Imm(52), scale, scale)
	e.VPADDQ(e.constant("one"), scale, scale)
	return high, scale
}

// pair is t = r·a + b of constants, next s = s·x + c.
func (e *emitter) pair(r vec, a, b string, t vec) {
	e.VMULPD(e.constant(a), r, t)
	e.VADDPD(e.constant(b), t, t)
}

func (e *emitter) next(x, s, c vec) {
	e.VMULPD(x, s, s)
	e.VADDPD(c, s, s)
}
