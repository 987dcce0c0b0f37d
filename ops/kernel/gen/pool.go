package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// pools writes the pooling windows. A call goes over pixels of one output row whose windows
// have the same size: rows by cols elements of c channels, rowStep elements from row to row;
// the next window lies pixelStep elements on.
func pools(e *emitter) {
	maxPool(e)
	maxPoolCodes(e)
	maxPoolCodesIndex(e)
	avgPool(e)
	avgSpread(e)
	sumPool(e)
}

const windowArgs = "c, rows, cols, rowStep, pixels, pixelStep int"

// window is the geometry, in registers what is used most; steps are in bytes.
type window struct {
	size             int // of an element
	c, rows, cols    operand.Mem
	colStep, rowStep reg.GPVirtual
}

// window loads the arguments for elements of the given size.
func (e *emitter) window(size int) window {
	w := window{size, e.argMem("c"), e.argMem("rows"), e.argMem("cols"), e.arg("c"), e.arg("rowStep")}
	e.IMUL3Q(operand.Imm(uint64(size)), w.colStep, w.colStep)
	e.IMUL3Q(operand.Imm(uint64(size)), w.rowStep, w.rowStep)
	return w
}

// overPixels writes the loop over the windows; body moves the outputs' pointers on.
func (e *emitter) overPixels(w window, x reg.GPVirtual, body func()) {
	loop := e.label("pixel")
	e.Label(loop)
	body()
	e.LEAQ(operand.Mem{Base: x, Index: e.arg("pixelStep"), Scale: uint8(w.size)}, x)
	e.DECQ(e.argMem("pixels"))
	e.JNE(operand.LabelRef(loop))
}

// overWindow writes the loops over the window's elements; body reads them at p, row
// runs before each row.
func (e *emitter) overWindow(w window, x reg.GPVirtual, row func(), body func(p reg.GPVirtual)) {
	r, c, p, from := e.GP64(), e.GP64(), e.GP64(), e.GP64()
	rows, cols := e.label("row"), e.label("col")
	e.MOVQ(x, from)
	e.MOVQ(w.rows, r)
	e.Label(rows)
	e.MOVQ(from, p)
	e.MOVQ(w.cols, c)
	row()
	e.Label(cols)
	body(p)
	e.slot = 0
	e.ADDQ(w.colStep, p)
	e.DECQ(c)
	e.JNE(operand.LabelRef(cols))
	e.ADDQ(w.rowStep, from)
	e.DECQ(r)
	e.JNE(operand.LabelRef(rows))
}

// places is the offset of each lane's element, as it moves through the window.
type places struct{ at, row, colStep, rowStep vec }

func (e *emitter) places() places {
	c, step := e.arg("c"), e.arg("rowStep")
	return places{e.v(), e.v(), e.same(c), e.same(step)}
}

// first goes to the first element of the channels at hand; iota is 0, 1, 2, …
func (e *emitter) first(p places, iota vec) {
	t := e.arg("base")
	e.LEAQ(operand.Mem{Base: t, Index: e.i, Scale: 1, Disp: e.slot * e.lanes()}, t)
	e.VPADDD(e.same(t), iota, p.row)
}

// onRow goes to the row's first element, onCol to the next one.
func (e *emitter) onRow(p places) {
	e.move(p.row, p.at)
	e.VPADDD(p.rowStep, p.row, p.row)
}

func (e *emitter) onCol(p places) { e.VPADDD(p.colStep, p.at, p.at) }

func (e *emitter) move(from, to vec) { e.VMOVAPS(from, to) }

// take copies v to best and the places to where, in the lanes of the mask.
func (e *emitter) take(m mask, v, best, at, where vec) {
	if e.wide {
		e.VMOVAPS(v, m.k, best)
		e.VMOVAPS(at, m.k, where)
		return
	}
	e.VBLENDVPS(m.y, v, best, best)
	e.VBLENDVPS(m.y, at, where, where)
}

func maxPool(e *emitter) {
	e.fn("maxPool", "(x, y *float32, index *int32, "+windowArgs+", base int)",
		"maxPool computes the maximum of each window and channel, and the offset of the first element that has it;",
		"base is the offset of x. NaN is larger than everything.")
	w := e.window(4)
	x, y, index := e.arg("x"), e.arg("y"), e.arg("index")
	at, iota := e.places(), e.iota()
	e.overPixels(w, x, func() {
		e.each(w.c, []int{2, 1}, func(u int) {
			e.first(at, iota)
			best, where := make([]vec, u), make([]vec, u)
			for e.slot = range u {
				best[e.slot], where[e.slot] = e.loadF(x), e.v()
				e.move(at.row, where[e.slot])
			}
			e.overWindow(w, x, func() { e.onRow(at) }, func(p reg.GPVirtual) {
				for e.slot = range u {
					v := e.loadF(p)
					e.take(e.larger(v, best[e.slot]), v, best[e.slot], at.at, where[e.slot])
				}
				e.onCol(at)
			})
			e.storeBest(best, where, y, index, e.storeF)
		})
		e.ADDQ(w.colStep, y)
		e.ADDQ(w.colStep, index)
		e.ADDQ(e.arg("pixelStep"), e.argMem("base"))
	})
	e.end()
}

// larger is v > best, or a NaN v where best is none.
func (e *emitter) larger(v, best vec) mask {
	m := e.compare(ordered, best, best)
	if e.wide {
		e.VCMPPS(notLE, best, v, m.k, m.k)
		return m
	}
	e.VANDPS(e.compare(notLE, v, best).y, m.y, m.y)
	return m
}

// above is a > b of integers.
func (e *emitter) above(a, b vec) mask {
	if e.wide {
		m := mask{k: e.K()}
		e.VPCMPGTD(b, a, m.k)
		return m
	}
	m := mask{y: e.YMM()}
	e.VPCMPGTD(b, a, m.y)
	return m
}

// storeBest writes the maxima and where they are: places are those of the first vector.
func (e *emitter) storeBest(best, where []vec, y, index reg.Register, store func(v vec, base reg.Register)) {
	for e.slot = range best {
		store(best[e.slot], y)
		if e.slot > 0 {
			t := e.GP64()
			e.MOVQ(operand.U32(uint32(e.slot*e.lanes())), t)
			e.VPADDD(e.same(t), where[e.slot], where[e.slot])
		}
		e.storeF(where[e.slot], index)
	}
	e.slot = 0
}

func maxPoolCodesIndex(e *emitter) {
	e.fn("maxPoolCodesIndex", "(x, y *uint8, index *int32, "+windowArgs+", base int)",
		"maxPoolCodesIndex is maxPool on codes.")
	w := e.window(1)
	x, y, index := e.arg("x"), e.arg("y"), e.arg("index")
	e.codes()
	at, iota := e.places(), e.iota()
	e.overPixels(w, x, func() {
		e.each(w.c, []int{2, 1}, func(u int) {
			e.first(at, iota)
			best, where := make([]vec, u), make([]vec, u)
			for e.slot = range u {
				best[e.slot], where[e.slot] = e.loadCodes(x), e.v()
				e.move(at.row, where[e.slot])
			}
			e.overWindow(w, x, func() { e.onRow(at) }, func(p reg.GPVirtual) {
				for e.slot = range u {
					v := e.loadCodes(p)
					e.take(e.above(v, best[e.slot]), v, best[e.slot], at.at, where[e.slot])
				}
				e.onCol(at)
			})
			e.storeBest(best, where, y, index, e.storeCodes)
		})
		e.ADDQ(w.colStep, y)
		e.LEAQ(operand.Mem{Base: index, Index: w.colStep, Scale: 4}, index)
		e.ADDQ(e.arg("pixelStep"), e.argMem("base"))
	})
	e.end()
}

func maxPoolCodes(e *emitter) {
	e.fn("maxPoolCodes", "(x, y *uint8, "+windowArgs+")",
		"maxPoolCodes computes the largest code of each window and channel.")
	w := e.window(1)
	x, y := e.arg("x"), e.arg("y")
	e.overPixels(w, x, func() {
		e.eachBytes(w.c, func(load func(p reg.Register) vec, store func(v vec)) {
			best := load(x)
			e.overWindow(w, x, func() {}, func(p reg.GPVirtual) {
				v := load(p)
				e.VPMAXUB(v, best, best)
			})
			store(best)
		}, y)
		e.ADDQ(w.colStep, y)
	})
	e.end()
}

// eachBytes writes a loop over n bytes, a register of them at a time, then for the rest.
func (e *emitter) eachBytes(n operand.Op, body func(load func(p reg.Register) vec, store func(v vec)), y reg.Register) {
	width := 4 * e.lanes()
	left, loop, rest, done := e.GP64(), e.label("bytes"), e.label("rest"), e.label("done")
	if e.i == nil {
		e.i = e.GP64()
	}
	e.XORQ(e.i, e.i)
	e.MOVQ(n, left)
	e.Label(loop)
	e.CMPQ(left, operand.Imm(uint64(width)))
	e.JLT(operand.LabelRef(rest))
	body(func(p reg.Register) vec {
		v := e.v()
		e.VMOVUPS(e.at(p, 1), v)
		return v
	}, func(v vec) { e.VMOVUPS(v, e.at(y, 1)) })
	e.ADDQ(operand.Imm(uint64(width)), e.i)
	e.SUBQ(operand.Imm(uint64(width)), left)
	e.JMP(operand.LabelRef(loop))
	e.Label(rest)
	if !e.wide {
		e.fewBytes(left, body, y)
		return
	}
	e.TESTQ(left, left)
	e.JE(operand.LabelRef(done))
	k, r := e.K(), e.GP64()
	e.MOVQ(operand.I32(-1), r)
	e.BZHIQ(left, r, r)
	e.KMOVQ(r, k)
	body(func(p reg.Register) vec {
		v := e.v()
		e.VMOVDQU8_Z(e.at(p, 1), k, v)
		return v
	}, func(v vec) { e.VMOVDQU8(v, k, e.at(y, 1)) })
	e.Label(done)
}

// fewBytes takes fewer than 32 bytes, eight at a time.
func (e *emitter) fewBytes(left reg.GPVirtual, body func(load func(p reg.Register) vec, store func(v vec)), y reg.Register) {
	loop, rest, done := e.label("eight"), e.label("rest"), e.label("done")
	e.Label(loop)
	e.CMPQ(left, operand.Imm(8))
	e.JLT(operand.LabelRef(rest))
	load := func(p reg.Register) vec {
		v := e.XMM()
		e.VMOVQ(e.at(p, 1), v)
		return v
	}
	store := func(v vec) { e.storeBytes(v, y) }
	body(load, store)
	e.ADDQ(operand.Imm(8), e.i)
	e.SUBQ(operand.Imm(8), left)
	e.JMP(operand.LabelRef(loop))
	e.Label(rest)
	e.TESTQ(left, left)
	e.JE(operand.LabelRef(done))
	e.tail, e.rest = true, left
	body(func(p reg.Register) vec { return e.loadBytes(p) }, store)
	e.tail = false
	e.Label(done)
}
