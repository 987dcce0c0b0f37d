package main

import (
	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// outer writes the product of backward weights.
func (g *gemm) outer() {
	g.Function("gemmOuter")
	g.Attributes(attr.NOSPLIT)
	g.Doc("gemmOuter computes c[r·ldc+j] += Σ_{p<count} a[aoff[p]+r] · b[boff[p]+j] for r < m and j < n <= NR,",
		"each sum formed first, in ascending p.")
	g.Pragma("noescape")
	g.SignatureExpr("func(count int, a *float32, aoff *int32, m int, b *float32, boff *int32, n int, c *float32, ldc int)")
	f := outerFrame{
		count: g.param("count"), m: g.param("m"), aoff: g.param("aoff"), boff: g.param("boff"), ldc: g.scaled("ldc"),
		a: g.copied("a"), b: g.copied("b"), c: g.copied("c"), n: g.copied("n"), left: g.copied("m"),
	}
	g.masks(f.n)
	lanes := g.bytes / 4
	g.CMPQ(f.n, operand.U32(lanes))
	g.JLE(to("narrow"))
	g.CMPQ(f.n, operand.U32(2*lanes))
	if g.wide() {
		g.JNE(to("part"))
	} else { // there are too few registers for two masks: one vector after the other
		g.JNE(to("narrow"))
	}
	g.tiles("tile", f.left, func(name string, rows int) { g.outerTile(name, rows, 2, false, f) })
	if g.wide() { // a masked load costs the multiplier's port
		g.tiles("part", f.left, func(name string, rows int) { g.outerTile(name, rows, 2, true, f) })
	}
	g.tiles("narrow", f.left, func(name string, rows int) { g.outerTile(name, rows, 1, true, f) })
	g.Label("done")
	if !g.wide() {
		g.outerSecond(f)
	}
	g.VZEROUPPER()
	g.RET()
}

type outerFrame struct{ count, m, aoff, boff, ldc, a, b, c, n, left operand.Mem }

// outerSecond goes back for the second vector, if the first was not full for both.
func (g *gemm) outerSecond(f outerFrame) {
	g.MOVQ(f.n, reg.RAX)
	g.CMPQ(reg.RAX, operand.U32(g.bytes/2))
	g.JE(to("end"))
	g.SUBQ(operand.U32(g.bytes/4), reg.RAX)
	g.JLE(to("end"))
	g.MOVQ(reg.RAX, f.n)
	g.ADDQ(operand.U32(g.bytes), f.b)
	g.MOVQ(g.param("a"), reg.RAX)
	g.MOVQ(reg.RAX, f.a)
	g.MOVQ(g.param("c"), reg.RAX)
	g.ADDQ(operand.U32(g.bytes), reg.RAX)
	g.MOVQ(reg.RAX, f.c)
	g.MOVQ(f.m, reg.RAX)
	g.MOVQ(reg.RAX, f.left)
	g.JMP(to("narrow"))
	g.Label("end")
}

func (g *gemm) outerTile(name string, rows, nv int, masked bool, f outerFrame) {
	count, a, b, aoff, boff := reg.RAX, reg.RBX, reg.RCX, reg.RDX, reg.RSI
	g.MOVQ(f.aoff, aoff)
	g.MOVQ(f.boff, boff)
	g.MOVQ(f.a, a)
	g.MOVQ(f.b, b)
	g.MOVQ(f.count, count)
	if masked {
		g.laneMasks1(f.n, reg.RDI, reg.R8)
	}
	for r := range rows {
		for v := range nv {
			g.zero(g.sum(r, v))
		}
	}
	g.MOVQ(f.c, reg.RDI)
	g.MOVQ(f.ldc, reg.R8)
	for range rows {
		for v := 0; v < nv*g.bytes; v += 64 {
			g.PREFETCHT0(at(reg.RDI, v))
		}
		g.ADDQ(reg.R8, reg.RDI)
	}
	step := func(u int) {
		x, y := pointers[5+2*u], pointers[6+2*u]
		g.MOVLQSX(at(aoff, 4*u), x)
		g.MOVLQSX(at(boff, 4*u), y)
		for v := range nv {
			m := indexed(b, y, 4, v*g.bytes)
			if g.wide() || nv == 2 {
				g.load(m, g.col(v), v, masked)
			} else {
				g.VMASKMOVPS(m, g.col(1), g.col(0))
			}
		}
		for r := range rows {
			m := indexed(a, x, 4, 4*r)
			if nv == 1 && g.wide() {
				g.VFMADD231PS_BCST(m, g.col(0), g.sum(r, 0))
				continue
			}
			s := g.value(r + u*rows)
			g.VBROADCASTSS(m, s)
			for v := range nv {
				g.VFMADD231PS(g.col(v), s, g.sum(r, v))
			}
		}
	}
	g.SUBQ(operand.U32(2), count)
	g.JLT(to(name + "_last"))
	g.Label(name + "_main")
	step(0)
	step(1)
	g.ADDQ(operand.U32(8), aoff)
	g.ADDQ(operand.U32(8), boff)
	g.SUBQ(operand.U32(2), count)
	g.JGE(to(name + "_main"))
	g.Label(name + "_last")
	g.ADDQ(operand.U32(2), count)
	g.JE(to(name + "_sums"))
	step(0)
	g.Label(name + "_sums")
	g.ADDQ(operand.U32(4*rows), f.a)
	g.MOVQ(f.c, a)
	g.MOVQ(f.ldc, b)
	for r := range rows {
		for v := range nv {
			x := g.value(r*nv + v)
			m := at(a, v*g.bytes)
			if masked && !g.wide() {
				g.VMASKMOVPS(m, g.col(1), x)
				g.VADDPS(x, g.sum(r, v), x)
				g.VMASKMOVPS(x, g.col(1), m)
				continue
			}
			g.load(m, x, v, masked)
			g.VADDPS(x, g.sum(r, v), x)
			g.store(x, m, v, masked)
		}
		g.ADDQ(b, a)
	}
	g.MOVQ(a, f.c)
}

// laneMasks1 loads AVX2's mask of one vector into the second register of the b side.
func (g *gemm) laneMasks1(n operand.Mem, t, u reg.Register) {
	if g.wide() {
		return
	}
	g.LEAQ(g.lanes, t)
	g.MOVQ(n, u)
	g.NEGQ(u)
	g.VMOVDQU(indexed(t, u, 4, 64), g.col(1))
}
