package main

import (
	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
	"github.com/mmcloughlin/avo/x86"
)

func avgPool(e *emitter) {
	e.fn("avgPool", "(x, y *float32, "+windowArgs+", count float64)",
		"avgPool computes the sum of each window and channel in float64, element by element, divided by count.")
	w := e.window(4)
	x, y := e.arg("x"), e.arg("y")
	count := e.v()
	e.VBROADCASTSD(e.argMem("count"), count)
	e.overPixels(w, x, func() {
		e.each(w.c, e.blocks(), func(u int) {
			sum := make(accumulators, u)
			for i := range sum {
				sum[i] = [2]vec{e.zero(), e.zero()}
			}
			e.overWindow(w, x, func() {}, func(p reg.GPVirtual) {
				for e.slot = range u {
					for h, d := range e.halvesAt(p) {
						e.VADDPD(d, sum[e.slot][h], sum[e.slot][h])
					}
				}
			})
			for e.slot = range u {
				for _, s := range sum[e.slot] {
					e.VDIVPD(count, s, s)
				}
				e.storeF(e.whole(sum[e.slot]), y)
			}
		})
		e.ADDQ(w.colStep, y)
	})
	e.end()
}

// halvesAt loads slot's vector as float64.
func (e *emitter) halvesAt(p reg.Register) [2]vec {
	if e.tail {
		return [2]vec(e.halves(e.loadF(p)))
	}
	a, b := e.v(), e.v()
	e.VCVTPS2PD(e.at(p, 4), a)
	e.VCVTPS2PD(e.at(p, 4).Offset(2*e.lanes()), b)
	return [2]vec{a, b}
}

// whole rounds two halves to float32 lanes.
func (e *emitter) whole(h [2]vec) vec {
	v := e.v()
	if e.wide {
		y := e.YMM()
		e.define(v)(x86.VCVTPD2PS(h[0], v.AsY()))
		e.VCVTPD2PS(h[1], y)
		e.VINSERTF64X4(operand.Imm(1), y, v, v)
		return v
	}
	x := e.XMM()
	e.define(v)(x86.VCVTPD2PSY(h[0], v.AsX()))
	e.VCVTPD2PSY(h[1], x)
	e.VINSERTF128(operand.Imm(1), x, v, v)
	return v
}

// define appends an instruction that writes the lower part of v and zeroes the rest,
// as the allocator of registers must be told.
func (e *emitter) define(v vec) func(i *ir.Instruction, err error) {
	return func(i *ir.Instruction, err error) {
		if err != nil {
			panic(err)
		}
		i.Outputs = []operand.Op{v}
		e.Instruction(i)
	}
}

func avgSpread(e *emitter) {
	e.fn("avgSpread", "(dy, dx *float32, "+windowArgs+", count float32)",
		"avgSpread adds dy/count to each element of its window.")
	w := e.window(4)
	dy, dx := e.arg("dy"), e.arg("dx")
	count := e.all("count")
	e.overPixels(w, dx, func() {
		e.each(w.c, []int{4, 1}, func(u int) {
			var share []vec
			for e.slot = range u {
				share = append(share, e.div(e.loadF(dy), count))
			}
			e.overWindow(w, dx, func() {}, func(p reg.GPVirtual) {
				for e.slot = range u {
					e.storeF(e.add(e.loadF(p), share[e.slot]), p)
				}
			})
		})
		e.ADDQ(w.colStep, dy)
	})
	e.end()
}

func sumPool(e *emitter) {
	e.fn("sumPool", "(x *uint8, acc *int32, "+windowArgs+", start int32)",
		"sumPool computes start plus the sum of the codes of each window and channel.")
	w := e.window(1)
	x, acc := e.arg("x"), e.arg("acc")
	start := e.all("start")
	e.overPixels(w, x, func() {
		e.each(w.c, []int{4, 1}, func(u int) {
			sum := make([]vec, u)
			for i := range sum {
				sum[i] = e.v()
				e.move(start, sum[i])
			}
			e.overWindow(w, x, func() {}, func(p reg.GPVirtual) {
				for e.slot = range u {
					e.VPADDD(e.loadCodes(p), sum[e.slot], sum[e.slot])
				}
			})
			for e.slot = range u {
				e.storeF(sum[e.slot], acc)
			}
		})
		e.LEAQ(operand.Mem{Base: acc, Index: w.colStep, Scale: 4}, acc)
	})
	e.end()
}
