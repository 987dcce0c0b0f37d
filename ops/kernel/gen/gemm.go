package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// gemm writes the float32 matrix products. The sums of a tile, up to mr rows and
// two vectors of columns, stay in registers; one side is broadcast value by value,
// the other is read as vectors.
type gemm struct {
	*build.Context
	spec  reg.Spec // of a vector
	bytes int      // in a vector
	mr    int      // rows of the largest tile
	lanes operand.Mem
}

func gemm512(c *build.Context) { newGemm(c, reg.S512, 64, 12).write() }
func gemm256(c *build.Context) { newGemm(c, reg.S256, 32, 6).write() }

func newGemm(c *build.Context, spec reg.Spec, bytes, mr int) *gemm {
	return &gemm{Context: c, spec: spec, bytes: bytes, mr: mr}
}

func (g *gemm) write() {
	if g.spec == reg.S256 {
		g.laneTable()
	}
	g.rows()
	g.finish()
	g.outer()
	g.gather()
	g.transpose()
	g.values()
}

// laneTable is what AVX2's masks are cut from: 16 lanes set, 16 not.
func (g *gemm) laneTable() {
	g.lanes = g.StaticGlobal("gemmLanes")
	g.DataAttributes(attr.RODATA | attr.NOPTR)
	for i := range 16 {
		v := operand.U64(0)
		if i < 8 {
			v = operand.U64(1<<64 - 1)
		}
		g.AddDatum(8*i, v)
	}
}

func (g *gemm) wide() bool { return g.spec == reg.S512 }

// vec is the vector register i.
func (g *gemm) vec(i int) reg.Register { return reg.Vector.Lookup(reg.Index(i), g.spec) }

// The registers of a tile: the sum of row r and column vector v, the vectors of
// the b side, and values of the a side, which take turns.
func (g *gemm) sum(r, v int) reg.Register { return g.vec(2*r + v) }
func (g *gemm) col(v int) reg.Register    { return g.vec(2*g.mr + v) }

func (g *gemm) value(i int) reg.Register {
	first, end := 2*g.mr+2, 16
	if g.wide() {
		end = 32
	}
	return g.vec(first + i%(end-first))
}

// pointers hold the addresses of a tile's rows, i and pb what runs along k.
var pointers = []reg.Register{
	reg.RAX, reg.RBX, reg.RCX, reg.RDX, reg.RSI, reg.RDI, reg.R8, reg.R9, reg.R10, reg.R11, reg.R12, reg.R13,
}

var i, pb, next reg.Register = reg.RBP, reg.R14, reg.R15

func (g *gemm) param(name string) operand.Mem {
	b, err := g.Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return b.Addr
}

// local makes a variable on the stack out of a register's content.
func (g *gemm) local(r reg.Register) operand.Mem {
	m := g.AllocLocal(8)
	g.MOVQ(r, m)
	return m
}

// scaled makes a variable of a count of elements: its bytes.
func (g *gemm) scaled(param string) operand.Mem {
	g.MOVQ(g.param(param), reg.RAX)
	g.SHLQ(operand.U8(2), reg.RAX)
	return g.local(reg.RAX)
}

func (g *gemm) copied(param string) operand.Mem {
	g.MOVQ(g.param(param), reg.RAX)
	return g.local(reg.RAX)
}

func at(base reg.Register, disp int) operand.Mem { return operand.Mem{Base: base, Disp: disp} }

func indexed(base, index reg.Register, scale uint8, disp int) operand.Mem {
	return operand.Mem{Base: base, Index: index, Scale: scale, Disp: disp}
}

func label(format string, a ...any) string { return fmt.Sprintf(format, a...) }
func to(name string) operand.LabelRef      { return operand.LabelRef(name) }

// masks makes AVX-512's masks of n columns, two vectors' at most: K1 and K2.
func (g *gemm) masks(n operand.Mem) {
	if !g.wide() {
		return
	}
	g.MOVQ(n, reg.RCX)
	g.MOVQ(operand.U32(1), reg.RAX)
	g.SHLQ(reg.CL, reg.RAX)
	g.DECQ(reg.RAX)
	g.KMOVW(reg.EAX, reg.K1)
	g.SHRQ(operand.U8(16), reg.RAX)
	g.KMOVW(reg.EAX, reg.K2)
}

// laneMasks loads AVX2's masks of n columns in nv vectors where the vectors of the
// b side are at other times. It needs two registers.
func (g *gemm) laneMasks(n operand.Mem, nv int, t, u reg.Register) {
	if g.wide() {
		return
	}
	g.LEAQ(g.lanes, t)
	g.MOVQ(n, u)
	g.NEGQ(u)
	for v := range nv {
		g.VMOVDQU(indexed(t, u, 4, 64+v*g.bytes), g.col(v))
	}
}

var kmasks = []reg.Register{reg.K1, reg.K2}

// load and store move a vector; masked, only the columns that exist.
func (g *gemm) load(m operand.Mem, dst reg.Register, v int, masked bool) {
	switch {
	case !masked:
		g.VMOVUPS(m, dst)
	case g.wide():
		g.VMOVUPS_Z(m, kmasks[v], dst)
	default:
		g.VMASKMOVPS(m, g.col(v), dst)
	}
}

func (g *gemm) store(src reg.Register, m operand.Mem, v int, masked bool) {
	switch {
	case !masked:
		g.VMOVUPS(src, m)
	case g.wide():
		g.VMOVUPS(src, kmasks[v], m)
	default:
		g.VMASKMOVPS(src, g.col(v), m)
	}
}

// whenMasked writes body twice: for full vectors, and for the columns that exist.
func (g *gemm) whenMasked(name string, n operand.Mem, nv int, body func(masked bool)) {
	g.CMPQ(n, operand.U32(nv*g.bytes/4))
	g.JNE(to(name + "_part"))
	body(false)
	g.JMP(to(name + "_end"))
	g.Label(name + "_part")
	body(true)
	g.Label(name + "_end")
}

// tiles writes the loop over tiles of rows: as many of mr rows as leave two tiles
// or one, and those of about equal size, because a tile of few rows waits for its
// own sums. left counts down; body gets the size.
func (g *gemm) tiles(name string, left operand.Mem, body func(name string, rows int)) {
	g.Label(name)
	t := reg.RAX
	g.MOVQ(left, t)
	g.TESTQ(t, t)
	g.JE(to("done"))
	g.CMPQ(t, operand.U32(g.mr))
	g.JLE(to(name + "_size"))
	g.INCQ(t)
	g.SHRQ(operand.U8(1), t)
	g.CMPQ(t, operand.U32(g.mr))
	g.JLE(to(name + "_size"))
	g.MOVQ(operand.U32(g.mr), t)
	g.Label(name + "_size")
	g.SUBQ(t, left)
	for r := g.mr; r > 1; r-- {
		g.CMPQ(t, operand.U32(r))
		g.JE(to(label("%s_%d", name, r)))
	}
	for r := 1; r <= g.mr; r++ {
		tile := label("%s_%d", name, r)
		g.Label(tile)
		body(tile, r)
		g.JMP(to(name))
	}
}

const unroll = 4

// rows writes the product of forward and backward data.
func (g *gemm) rows() {
	g.Function("gemmRows")
	g.Attributes(attr.NOSPLIT)
	g.Doc("gemmRows computes, for r < m and j < n <= NR, with kh·klen rows of NR values in b (of NR/2, if n is not larger),",
		"",
		"\ts = Σ_{i<kh, k<klen} a[aoff[r] + i·ajump + k] · b[(i·klen + k)·NR + j]",
		"",
		"in one chain of fused additions in this order, which with mode&1 starts from c[coff[r]+j], and",
		"c[coff[r]+j] = s, or += s with mode&2. What lies ahead bytes behind the rows that are read is prefetched.")
	g.Pragma("noescape")
	g.SignatureExpr("func(m int, a *float32, aoff *int32, kh, klen, ajump int, b, c *float32, coff *int32, n, mode, ahead int)")
	f := rowsFrame{
		a: g.param("a"), b: g.param("b"), c: g.param("c"), kh: g.param("kh"), n: g.param("n"), mode: g.param("mode"),
		left: g.copied("m"), aoff: g.copied("aoff"), coff: g.copied("coff"), khLeft: g.copied("kh"),
		klen: g.scaled("klen"), jump: g.scaled("ajump"), ahead: g.param("ahead"),
	}
	g.MOVQ(f.klen, reg.RAX)
	g.ANDQ(operand.I32(-4*unroll), reg.RAX)
	f.kmain = g.local(reg.RAX)
	g.masks(f.n)
	g.CMPQ(f.n, operand.U32(g.bytes/4))
	g.JLE(to("narrow"))
	g.tiles("tile", f.left, func(name string, rows int) { g.rowsTile(name, rows, 2, f) })
	g.tiles("narrow", f.left, func(name string, rows int) { g.rowsTile(name, rows, 1, f) })
	g.Label("done")
	g.VZEROUPPER()
	g.RET()
}

type rowsFrame struct {
	a, b, c, kh, n, mode                               operand.Mem
	left, aoff, coff, khLeft, klen, kmain, jump, ahead operand.Mem
}

func (g *gemm) rowsTile(name string, rows, nv int, f rowsFrame) {
	g.rowsStart(name, rows, nv, f)
	g.MOVQ(f.aoff, i)
	g.MOVQ(f.a, pb)
	for r := range rows {
		g.MOVLQSX(at(i, 4*r), pointers[r])
		g.LEAQ(indexed(pb, pointers[r], 4, 0), pointers[r])
	}
	if rows == g.mr {
		g.MOVQ(f.ahead, next)
		g.ADDQ(pointers[0], next)
	}
	g.ADDQ(operand.U32(4*rows), f.aoff)
	g.MOVQ(f.kh, i)
	g.MOVQ(i, f.khLeft)
	g.MOVQ(f.b, pb)
	g.Label(name + "_kh")
	g.XORQ(i, i)
	g.CMPQ(f.kmain, operand.U32(0))
	g.JE(to(name + "_rest"))
	g.Label(name + "_main")
	for u := range unroll {
		g.step(rows, nv, u)
		if rows == g.mr && u < rows*unroll*4/64 {
			g.PREFETCHT0(at(next, 64*u))
		}
	}
	if rows == g.mr {
		g.ADDQ(operand.U32(rows*unroll*4/64*64), next)
	}
	g.ADDQ(operand.U32(unroll*nv*g.bytes), pb)
	g.ADDQ(operand.U32(unroll*4), i)
	g.CMPQ(i, f.kmain)
	g.JLT(to(name + "_main"))
	g.Label(name + "_rest")
	g.CMPQ(i, f.klen)
	g.JGE(to(name + "_next"))
	g.step(rows, nv, 0)
	g.ADDQ(operand.U32(nv*g.bytes), pb)
	g.ADDQ(operand.U32(4), i)
	g.JMP(to(name + "_rest"))
	g.Label(name + "_next")
	g.DECQ(f.khLeft)
	g.JLE(to(name + "_sums"))
	g.MOVQ(f.jump, i)
	for r := range rows {
		g.ADDQ(i, pointers[r])
	}
	g.JMP(to(name + "_kh"))
	g.Label(name + "_sums")
	g.rowsEnd(name, rows, nv, f)
}

// step is one k of the tile, u behind the running index.
func (g *gemm) step(rows, nv, u int) {
	for v := range nv {
		g.VMOVUPS(at(pb, (u*nv+v)*g.bytes), g.col(v))
	}
	for r := range rows {
		a := indexed(pointers[r], i, 1, 4*u)
		if nv == 1 && g.wide() {
			g.VFMADD231PS_BCST(a, g.col(0), g.sum(r, 0))
			continue
		}
		x := g.value(r + u*rows)
		g.VBROADCASTSS(a, x)
		for v := range nv {
			g.VFMADD231PS(g.col(v), x, g.sum(r, v))
		}
	}
}

// places writes body for every vector of the tile's place in c.
func (g *gemm) places(rows, nv int, f rowsFrame, body func(m operand.Mem, r, v int)) {
	g.MOVQ(f.coff, i)
	g.MOVQ(f.c, pb)
	for r := range rows {
		g.MOVLQSX(at(i, 4*r), pointers[r])
		for v := range nv {
			body(indexed(pb, pointers[r], 4, v*g.bytes), r, v)
		}
	}
}

// rowsStart sets the sums to 0, or loads them.
func (g *gemm) rowsStart(name string, rows, nv int, f rowsFrame) {
	g.TESTQ(operand.U32(1), f.mode)
	g.JNE(to(name + "_load"))
	for r := range rows {
		for v := range nv {
			s := g.sum(r, v)
			g.zero(s)
		}
	}
	g.places(rows, nv, f, func(m operand.Mem, r, v int) {
		if v*g.bytes%64 == 0 {
			g.PREFETCHT0(m)
		}
	})
	g.JMP(to(name + "_start"))
	g.Label(name + "_load")
	g.laneMasks(f.n, nv, i, pb)
	g.places(rows, nv, f, func(m operand.Mem, r, v int) { g.load(m, g.sum(r, v), v, true) })
	g.Label(name + "_start")
}

// zero clears a vector.
func (g *gemm) zero(s reg.Register) {
	if g.wide() {
		g.VPXORD(s, s, s)
		return
	}
	g.VXORPS(s, s, s)
}

// rowsEnd adds what c holds, if asked, and stores the sums.
func (g *gemm) rowsEnd(name string, rows, nv int, f rowsFrame) {
	g.TESTQ(operand.U32(2), f.mode)
	g.JE(to(name + "_store"))
	g.laneMasks(f.n, nv, i, pb)
	g.places(rows, nv, f, func(m operand.Mem, r, v int) {
		x := g.value(r*nv + v)
		g.load(m, x, v, true)
		g.VADDPS(x, g.sum(r, v), g.sum(r, v))
	})
	g.Label(name + "_store")
	g.whenMasked(name+"_store", f.n, nv, func(masked bool) {
		if masked {
			g.laneMasks(f.n, nv, i, pb)
		}
		g.places(rows, nv, f, func(m operand.Mem, r, v int) { g.store(g.sum(r, v), m, v, masked) })
	})
	g.ADDQ(operand.U32(4*rows), f.coff)
}

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
