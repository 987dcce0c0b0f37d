package main

import (
	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// finish writes the way of sums that were collected in scratch to their places.
func (g *gemm) finish() {
	g.Function("gemmFinish")
	g.Attributes(attr.NOSPLIT)
	g.Doc("gemmFinish computes c[coff[r]+j] = s[r·NR+j], or += with add = 1, for r < m and j < n <= NR.")
	g.Pragma("noescape")
	g.SignatureExpr("func(m int, s, c *float32, coff *int32, n, add int)")
	m, s, c, coff, x := reg.RDX, reg.RSI, reg.RDI, reg.R8, reg.R9
	n := g.param("n")
	g.masks(n)
	g.laneMasks(n, 2, m, s)
	g.MOVQ(g.param("m"), m)
	g.MOVQ(g.param("s"), s)
	g.MOVQ(g.param("c"), c)
	g.MOVQ(g.param("coff"), coff)
	loop := func(name string, add, masked bool) {
		g.Label(name)
		g.MOVLQSX(at(coff, 0), x)
		for v := range 2 {
			to := indexed(c, x, 4, v*g.bytes)
			g.VMOVUPS(at(s, v*g.bytes), g.vec(v))
			if add {
				g.load(to, g.vec(2+v), v, masked)
				g.VADDPS(g.vec(2+v), g.vec(v), g.vec(v))
			}
			g.store(g.vec(v), to, v, masked)
		}
		g.ADDQ(operand.U32(2*g.bytes), s)
		g.ADDQ(operand.U32(4), coff)
		g.DECQ(m)
		g.JNE(to(name))
		g.VZEROUPPER()
		g.RET()
	}
	g.CMPQ(g.param("add"), operand.U32(0))
	g.JNE(to("add"))
	g.CMPQ(n, operand.U32(g.bytes/2))
	g.JE(to("full"))
	loop("part", false, true)
	loop("full", false, false)
	loop("add", true, true)
}

// gather writes the copy of pieces of pixels to scratch.
func (g *gemm) gather() {
	g.Function("gemmGather")
	g.Attributes(attr.NOSPLIT)
	g.Doc("gemmGather computes s[r·lds+j] = a[aoff[r]+j] for r < m and j < n <= NR.")
	g.Pragma("noescape")
	g.SignatureExpr("func(m int, a *float32, aoff *int32, s *float32, lds, n int)")
	m, a, aoff, s, lds, x := reg.RDX, reg.RSI, reg.RDI, reg.R8, reg.R9, reg.R10
	n := g.param("n")
	g.masks(n)
	g.laneMasks(n, 2, m, s)
	g.MOVQ(g.param("m"), m)
	g.MOVQ(g.param("a"), a)
	g.MOVQ(g.param("aoff"), aoff)
	g.MOVQ(g.param("s"), s)
	g.MOVQ(g.param("lds"), lds)
	g.SHLQ(operand.U8(2), lds)
	loop := func(name string, nv int, masked bool) {
		g.Label(name)
		g.MOVLQSX(at(aoff, 0), x)
		for v := range nv {
			from := indexed(a, x, 4, v*g.bytes)
			g.load(from, g.vec(v), v, masked)
			g.PREFETCHT0(indexed(a, x, 4, (nv+v)*g.bytes))
		}
		for v := range nv {
			g.store(g.vec(v), at(s, v*g.bytes), v, masked)
		}
		g.ADDQ(lds, s)
		g.ADDQ(operand.U32(4), aoff)
		g.DECQ(m)
		g.JNE(to(name))
		g.VZEROUPPER()
		g.RET()
	}
	g.CMPQ(n, operand.U32(g.bytes/2))
	g.JE(to("full"))
	g.CMPQ(n, operand.U32(g.bytes/4))
	g.JLE(to("one"))
	loop("two", 2, true)
	loop("one", 1, true)
	loop("full", 2, false)
}

// transpose writes the change of the order of weights, eight by eight.
func (g *gemm) transpose() {
	g.Function("gemmTranspose")
	g.Attributes(attr.NOSPLIT)
	g.Doc("gemmTranspose computes dst[c·ldd+r] = src[r·lds+c], or += with add = 1, for r < 8 and c < cols, a multiple of 8.")
	g.Pragma("noescape")
	g.SignatureExpr("func(src *float32, lds int, dst *float32, ldd, cols, add int)")
	src, lds, dst, ldd, cols, far, lds3, ldd3, low := reg.RSI, reg.R8, reg.RDI, reg.R9, reg.RCX, reg.R10, reg.R11, reg.R12, reg.RDX
	for _, p := range []struct {
		name string
		r    reg.Register
	}{{"src", src}, {"lds", lds}, {"dst", dst}, {"ldd", ldd}, {"cols", cols}} {
		g.MOVQ(g.param(p.name), p.r)
	}
	g.SHLQ(operand.U8(2), lds)
	g.SHLQ(operand.U8(2), ldd)
	g.LEAQ(indexed(lds, lds, 2, 0), lds3)
	g.LEAQ(indexed(ldd, ldd, 2, 0), ldd3)
	row := func(base, far, ld, ld3 reg.Register, r, disp int) operand.Mem {
		if r >= 4 {
			base, r = far, r-4
		}
		switch r {
		case 1:
			return indexed(base, ld, 1, disp)
		case 2:
			return indexed(base, ld, 2, disp)
		case 3:
			return indexed(base, ld3, 1, disp)
		}
		return at(base, disp)
	}
	y := func(i int) reg.Register { return reg.Vector.Lookup(reg.Index(i), reg.S256) }
	x := func(i int) reg.Register { return reg.Vector.Lookup(reg.Index(i), reg.S128) }
	g.MOVQ(g.param("add"), low)
	g.Label("next")
	g.LEAQ(indexed(src, lds, 4, 0), far)
	for h := range 2 { // columns 0 to 3, and 4 to 7, of all rows
		for r := range 4 {
			g.VMOVUPS(row(src, far, lds, lds3, r, 16*h), x(4*h+r))
			g.VINSERTF128(operand.U8(1), row(src, far, lds, lds3, 4+r, 16*h), y(4*h+r), y(4*h+r))
		}
	}
	for h := range 2 {
		a, b, c, d := y(4*h), y(4*h+1), y(4*h+2), y(4*h+3)
		t0, t1, t2, t3 := y(8+4*h), y(9+4*h), y(10+4*h), y(11+4*h)
		g.VUNPCKLPS(b, a, t0)
		g.VUNPCKHPS(b, a, t1)
		g.VUNPCKLPS(d, c, t2)
		g.VUNPCKHPS(d, c, t3)
		g.VUNPCKLPD(t2, t0, a)
		g.VUNPCKHPD(t2, t0, b)
		g.VUNPCKLPD(t3, t1, c)
		g.VUNPCKHPD(t3, t1, d)
	}
	g.LEAQ(indexed(dst, ldd, 4, 0), far)
	g.TESTQ(low, low)
	g.JE(to("store"))
	for r := range 8 {
		g.VADDPS(row(dst, far, ldd, ldd3, r, 0), y(r), y(r))
	}
	g.Label("store")
	for r := range 8 {
		g.VMOVUPS(y(r), row(dst, far, ldd, ldd3, r, 0))
	}
	g.ADDQ(operand.U32(32), src)
	g.LEAQ(indexed(dst, ldd, 8, 0), dst)
	g.SUBQ(operand.U32(8), cols)
	g.JG(to("next"))
	g.VZEROUPPER()
	g.RET()
}

// values writes the conversion of codes that backward weights reads.
func (g *gemm) values() {
	g.Function("gemmValues")
	g.Attributes(attr.NOSPLIT)
	g.Doc("gemmValues computes y[i] = float32(q[i] - zero) for i < n.")
	g.Pragma("noescape")
	g.SignatureExpr("func(q *uint8, zero int, y *float32, n int)")
	q, y, n, zero := reg.RSI, reg.RDI, reg.RCX, reg.RDX
	g.MOVQ(g.param("q"), q)
	g.MOVQ(g.param("y"), y)
	g.MOVQ(g.param("n"), n)
	g.MOVQ(g.param("zero"), zero)
	z, lanes := g.vec(0), g.bytes/4
	if g.wide() {
		g.VPBROADCASTD(reg.EDX, z)
	} else {
		g.VMOVD(reg.EDX, reg.X0)
		g.VPBROADCASTD(reg.X0, z)
	}
	g.SUBQ(operand.U32(lanes), n)
	g.JLT(to("rest"))
	g.Label("main")
	g.VPMOVZXBD(at(q, 0), g.vec(1))
	g.VPSUBD(z, g.vec(1), g.vec(1))
	g.VCVTDQ2PS(g.vec(1), g.vec(1))
	g.VMOVUPS(g.vec(1), at(y, 0))
	g.ADDQ(operand.U32(lanes), q)
	g.ADDQ(operand.U32(g.bytes), y)
	g.SUBQ(operand.U32(lanes), n)
	g.JGE(to("main"))
	g.Label("rest")
	g.ADDQ(operand.U32(lanes), n)
	g.JE(to("end"))
	if g.wide() {
		g.MOVQ(operand.U32(1), reg.RAX)
		g.SHLQ(reg.CL, reg.RAX)
		g.DECQ(reg.RAX)
		g.KMOVW(reg.EAX, reg.K1)
		g.VPMOVZXBD_Z(at(q, 0), reg.K1, g.vec(1))
		g.VPSUBD(z, g.vec(1), g.vec(1))
		g.VCVTDQ2PS(g.vec(1), g.vec(1))
		g.VMOVUPS(g.vec(1), reg.K1, at(y, 0))
	} else {
		g.Label("one")
		g.MOVBLZX(at(q, 0), reg.EAX)
		g.SUBL(reg.EDX, reg.EAX)
		g.VCVTSI2SSL(reg.EAX, reg.X1, reg.X1)
		g.VMOVSS(reg.X1, at(y, 0))
		g.INCQ(q)
		g.ADDQ(operand.U32(4), y)
		g.DECQ(n)
		g.JNE(to("one"))
	}
	g.Label("end")
	g.VZEROUPPER()
	g.RET()
}
