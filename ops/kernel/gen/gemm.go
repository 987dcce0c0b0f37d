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

func gemm512(c *build.Context) { newGemm(c, reg.S512, 64, avx512.Rows).write() }
func gemm256(c *build.Context) { newGemm(c, reg.S256, 32, avx2.Rows).write() }

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
		"c[coff[r]+j] = s, or += s with mode&2. What lies ahead bytes behind the rows that are read is prefetched,",
		"or with 0 the next places in c, if they are cstep elements apart.")
	g.Pragma("noescape")
	g.SignatureExpr("func(m int, a *float32, aoff *int32, kh, klen, ajump int, b, c *float32, coff *int32, n, mode, ahead, cstep int)")
	f := rowsFrame{
		a: g.param("a"), b: g.param("b"), c: g.param("c"), kh: g.param("kh"), n: g.param("n"), mode: g.param("mode"),
		left: g.copied("m"), aoff: g.copied("aoff"), coff: g.copied("coff"), khLeft: g.copied("kh"),
		klen: g.scaled("klen"), jump: g.scaled("ajump"), ahead: g.param("ahead"), cstep: g.scaled("cstep"), step: g.AllocLocal(8),
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
	a, b, c, kh, n, mode                                            operand.Mem
	left, aoff, coff, khLeft, klen, kmain, jump, ahead, cstep, step operand.Mem
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
		g.prefetchFrom(name, f)
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
		g.ADDQ(f.step, next)
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

// prefetchFrom sets what is prefetched while a full tile is computed: of the a side
// what lies ahead, or else the next tile's place in c.
func (g *gemm) prefetchFrom(name string, f rowsFrame) {
	g.MOVQ(f.ahead, next)
	g.MOVQ(operand.U32(g.mr*unroll*4/64*64), i)
	g.TESTQ(next, next)
	g.JNE(to(name + "_ahead"))
	g.MOVQ(f.coff, i)
	g.MOVLQSX(at(i, 0), i)
	g.MOVQ(f.c, next)
	g.LEAQ(indexed(next, i, 4, 0), next)
	g.MOVQ(f.cstep, i)
	g.IMUL3Q(operand.U8(g.mr), i, pb)
	g.ADDQ(pb, next)
	g.SUBQ(pointers[0], next)
	g.Label(name + "_ahead")
	g.ADDQ(pointers[0], next)
	g.MOVQ(i, f.step)
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
