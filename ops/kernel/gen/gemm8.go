package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// gemm8 writes the inner loops of the integer convolution, dense.Gemm8: a tile of
// pixels by two (or one) vectors of output channels stays in registers from the
// bias to the finished codes.
type gemm8 struct {
	*build.Context
	name  string
	zmm   bool // AVX-512 VNNI on bytes; else AVX2 on 16-bit values
	rows  int  // pixels of a full tile
	nv    int  // vectors of channels
	local operand.Mem
	perm  operand.Mem
}

// The general registers: a pointer for each pixel of a tile, and the loop's own.
var (
	rowRegs = []reg.GPPhysical{reg.RAX, reg.RBX, reg.RCX, reg.RDX, reg.RSI, reg.RDI, reg.R8, reg.R9}
	idxReg  = reg.R10 // offset into the pixels; afterwards the output
	bReg    = reg.R11 // weights; afterwards the added operand
	quadReg = reg.R12 // steps left of a run; afterwards the multipliers
	tapReg  = reg.R13 // runs left
	tabReg  = reg.R14
	nextReg = reg.R15 // what is fetched ahead; the register is free in programs without dynamic linking
)

const gemm8Signature = "func(n int, tab *int32, a *uint8, taps, quads, jump int, b *int8, bjump int, " +
	"next, last *int8, cols int, bias *int32, mode int, m *float32, acc *int32, f *float32, y, z *uint8, zero, lo, hi, zzero int32, mz float32) bool"

func gemm8avx512(c *build.Context) {
	for nv := 2; nv >= 1; nv-- {
		g := &gemm8{Context: c, name: fmt.Sprintf("gemm8x%d", 16*nv), zmm: true, rows: 8, nv: nv}
		g.write()
	}
	padBias8(c)
}

func gemm8avx2(c *build.Context) {
	for nv := 2; nv >= 1; nv-- {
		g := &gemm8{Context: c, name: fmt.Sprintf("gemm8x%d", 8*nv), rows: 6, nv: nv}
		g.write()
	}
	padBias8(c)
	widen8(c)
}

func (g *gemm8) lanes() int {
	if g.zmm {
		return 16
	}
	return 8
}

// v is vector register i of the set's width.
func (g *gemm8) v(i int) reg.VecPhysical {
	if g.zmm {
		return [...]reg.VecPhysical{
			reg.Z0, reg.Z1, reg.Z2, reg.Z3, reg.Z4, reg.Z5, reg.Z6, reg.Z7, reg.Z8, reg.Z9, reg.Z10, reg.Z11,
			reg.Z12, reg.Z13, reg.Z14, reg.Z15, reg.Z16, reg.Z17, reg.Z18, reg.Z19, reg.Z20, reg.Z21, reg.Z22, reg.Z23,
			reg.Z24, reg.Z25, reg.Z26, reg.Z27, reg.Z28, reg.Z29, reg.Z30, reg.Z31,
		}[i]
	}
	return [...]reg.VecPhysical{
		reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, reg.Y6, reg.Y7, reg.Y8, reg.Y9, reg.Y10, reg.Y11,
		reg.Y12, reg.Y13, reg.Y14, reg.Y15,
	}[i]
}

// The places of what stays in registers for a whole call. AVX2 has it in memory.
const (
	gemm8B     = 16 // and 17
	gemm8A     = 18 // and 19
	gemm8Bias  = 20 // and 21
	gemm8M     = 22 // and 23
	gemm8Above = 24 // zero - lo, as words
	gemm8Lo    = 25
	gemm8Hi    = 26
	gemm8Perm  = 27
	gemm8MZ    = 28
	gemm8ZZ    = 29
)

func (g *gemm8) b(i int) reg.VecPhysical {
	if g.zmm {
		return g.v(gemm8B + i)
	}
	return g.v(12 + i)
}

// t is one of two registers for what lives shortly.
func (g *gemm8) t(i int) reg.VecPhysical {
	if g.zmm {
		return g.v(gemm8A + i%2)
	}
	return g.v(14 + i%2)
}

func (g *gemm8) arg(name string) operand.Mem {
	b, err := g.Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return b.Addr
}

func (g *gemm8) label(format string, a ...any) string {
	return fmt.Sprintf(format, a...)
}

func (g *gemm8) write() {
	g.permutation()
	g.Function(g.name)
	g.Pragma("noescape")
	g.Doc(g.name+" is a dense.Gemm8 for "+fmt.Sprint(g.lanes()*g.nv)+" channels.", "It computes, for n pixels i and the channels o < cols,",
		"", "\tacc[i][o] = bias[o] + Σ_{t < taps, k < 4·quads} a[tab[2i] + t·(4·quads + jump) + k] · b[t·…][k/4][o][k%4]", "",
		"and writes it, or what mode says is made of it, at the offset tab[2i+1] + o of the output.",
		"It fetches the bytes from next to last on the way.")
	g.SignatureExpr(gemm8Signature)
	if !g.zmm {
		g.local = g.AllocLocal(5 * 32)
	}
	g.enter()
	g.MOVQ(g.arg("tab"), tabReg)
	g.MOVQ(g.arg("next"), nextReg)
	g.Label("full")
	g.CMPQ(g.arg("n"), operand.I8(int8(g.rows)))
	g.JLT(operand.LabelRef("rest"))
	g.tile(g.rows)
	g.ADDQ(operand.I32(8*g.rows), tabReg)
	g.SUBQ(operand.I8(int8(g.rows)), g.arg("n"))
	g.JMP(operand.LabelRef("full"))
	g.Label("rest")
	g.MOVQ(g.arg("n"), idxReg)
	for m := g.rows - 1; m > 0; m-- {
		g.CMPQ(idxReg, operand.I8(int8(m)))
		g.JEQ(operand.LabelRef(g.label("rest%d", m)))
	}
	g.JMP(operand.LabelRef("done"))
	for m := g.rows - 1; m > 0; m-- {
		g.Label(g.label("rest%d", m))
		g.tile(m)
		if m > 1 {
			g.JMP(operand.LabelRef("done"))
		}
	}
	g.Label("done")
	g.VZEROUPPER()
	g.result(1)
	g.Label("refuse")
	g.VZEROUPPER()
	g.result(0)
}

func (g *gemm8) result(ok uint8) {
	g.MOVL(operand.U32(uint32(ok)), reg.EAX)
	g.Store(reg.AL, g.ReturnIndex(0))
	g.RET()
}

// permutation writes the order of the 32-bit parts that four packed vectors need:
// packing works within 128-bit lanes.
func (g *gemm8) permutation() {
	n := g.lanes()
	g.perm = g.StaticGlobal(g.name + "perm")
	g.DataAttributes(attr.RODATA | attr.NOPTR)
	for i := range n {
		g.AddDatum(4*i, operand.U32(uint32(i%(n/4)*4+i/(n/4))))
	}
}

// enter fills the registers that stay, and refuses multipliers whose products
// could leave the range of the conversion to integers: the sum of |acc|·m ≤ 2^30
// and the added operand's part stays below 2^31. NaN is refused too.
func (g *gemm8) enter() {
	half := g.ConstData(g.name+"half", operand.U32(0x3f000000))
	abs := g.ConstData(g.name+"abs", operand.U32(0x7fffffff))
	if g.zmm {
		g.MOVQ(g.arg("cols"), reg.RCX)
		g.MOVQ(operand.U32(1), reg.RAX)
		g.SHLQ(reg.CL, reg.RAX)
		g.DECQ(reg.RAX)
		g.KMOVD(reg.EAX, reg.K3)
		g.KMOVW(reg.EAX, reg.K1)
		g.SHRL(operand.U8(16), reg.EAX)
		g.KMOVW(reg.EAX, reg.K2)
		g.MOVQ(g.arg("bias"), reg.RBX)
		for v := range g.nv {
			g.VMOVDQU32_Z(operand.Mem{Base: reg.RBX, Disp: 64 * v}, g.mask(v), g.v(gemm8Bias+v))
		}
	}
	g.CMPQ(g.arg("mode"), operand.I8(0))
	g.JEQ(operand.LabelRef("ready"))
	if g.zmm {
		g.MOVQ(g.arg("m"), reg.RBX)
		for v := range g.nv {
			g.VMOVUPS_Z(operand.Mem{Base: reg.RBX, Disp: 64 * v}, g.mask(v), g.v(gemm8M+v))
		}
	}
	g.CMPQ(g.arg("mode"), operand.I8(1))
	g.JEQ(operand.LabelRef("ready"))
	if g.zmm {
		for v := range g.nv {
			g.VPANDD_BCST(abs, g.v(gemm8M+v), g.v(v))
			g.VCMPPS_BCST(operand.U8(6), half, g.v(v), reg.K4) // not |m| ≤ 1/2
			g.KORTESTW(reg.K4, reg.K4)
			g.JNE(operand.LabelRef("refuse"))
		}
		g.above()
		g.VPBROADCASTW(reg.X0, g.v(gemm8Above))
		g.VPBROADCASTB(g.scalar("lo"), g.v(gemm8Lo))
		g.VPBROADCASTB(g.scalar("hi"), g.v(gemm8Hi))
		g.VBROADCASTSS(g.arg("mz"), g.v(gemm8MZ))
		g.VPBROADCASTD(g.scalar("zzero"), g.v(gemm8ZZ))
		g.VMOVDQU32(g.perm, g.v(gemm8Perm))
	} else {
		g.MOVQ(g.arg("m"), reg.RBX)
		g.VBROADCASTSS(abs, reg.Y0)
		g.VBROADCASTSS(half, reg.Y1)
		for v := range g.nv {
			g.VANDPS(operand.Mem{Base: reg.RBX, Disp: 32 * v}, reg.Y0, reg.Y2)
			g.VCMPPS(operand.U8(6), reg.Y1, reg.Y2, reg.Y2)
			g.VMOVMSKPS(reg.Y2, reg.EAX)
			g.TESTL(reg.EAX, reg.EAX)
			g.JNE(operand.LabelRef("refuse"))
		}
		g.above()
		g.VPBROADCASTW(reg.X0, reg.Y0)
		g.VMOVDQU(reg.Y0, g.local.Offset(0))
		g.VPBROADCASTB(g.scalar("lo"), reg.Y0)
		g.VMOVDQU(reg.Y0, g.local.Offset(32))
		g.VPBROADCASTB(g.scalar("hi"), reg.Y0)
		g.VMOVDQU(reg.Y0, g.local.Offset(64))
		g.VBROADCASTSS(g.arg("mz"), reg.Y0)
		g.VMOVDQU(reg.Y0, g.local.Offset(96))
		g.VPBROADCASTD(g.scalar("zzero"), reg.Y0)
		g.VMOVDQU(reg.Y0, g.local.Offset(128))
	}
	g.Label("ready")
}

// above loads zero - lo into X0.
func (g *gemm8) above() {
	g.MOVL(g.arg("zero"), reg.EAX)
	g.SUBL(g.arg("lo"), reg.EAX)
	g.VMOVD(reg.EAX, reg.X0)
}

// scalar loads a 32-bit argument into X0.
func (g *gemm8) scalar(name string) reg.VecPhysical {
	g.MOVL(g.arg(name), reg.EAX)
	g.VMOVD(reg.EAX, reg.X0)
	return reg.X0
}

func (g *gemm8) mask(v int) reg.OpmaskPhysical {
	if v == 0 {
		return reg.K1
	}
	return reg.K2
}

// tile is the code for m pixels.
func (g *gemm8) tile(m int) {
	splits := 1
	for g.zmm && splits < 4 && 2*splits*m*g.nv <= 16 { // few sums would wait for one another
		splits *= 2
	}
	acc := func(i, v int) reg.VecPhysical { return g.v(i*g.nv + v) }
	part := func(s, i, v int) reg.VecPhysical { return g.v((s*m+i)*g.nv + v) }
	for i := range m {
		g.MOVLQSX(operand.Mem{Base: tabReg, Disp: 8 * i}, rowRegs[i])
		g.ADDQ(g.arg("a"), rowRegs[i])
	}
	g.MOVQ(g.arg("b"), bReg)
	g.XORL(idxReg.As32(), idxReg.As32())
	g.start(m, splits, acc, part)
	const unroll = 4
	name := func(s string) string { return g.label("%s%d", s, m) }
	g.MOVQ(g.arg("taps"), tapReg)
	g.Label(name("tap"))
	g.MOVQ(g.arg("quads"), quadReg)
	g.SUBQ(operand.I8(int8(unroll)), quadReg)
	g.JLT(operand.LabelRef(name("odd")))
	g.Label(name("quad"))
	for u := range unroll {
		g.step(m, u, func(i, v int) reg.VecPhysical { return part(u%splits, i, v) })
	}
	g.CMPQ(nextReg, g.arg("last"))
	g.JAE(operand.LabelRef(name("near")))
	g.PREFETCHT1(operand.Mem{Base: nextReg})
	g.PREFETCHT1(operand.Mem{Base: nextReg, Disp: 64})
	g.ADDQ(operand.U32(128), nextReg)
	g.Label(name("near"))
	g.ADDQ(operand.I32(4*unroll), idxReg)
	g.ADDQ(operand.I32(4*g.lanes()*g.nv*unroll), bReg)
	g.SUBQ(operand.I8(int8(unroll)), quadReg)
	g.JGE(operand.LabelRef(name("quad")))
	g.Label(name("odd"))
	g.ADDQ(operand.I8(int8(unroll)), quadReg)
	g.JEQ(operand.LabelRef(name("even")))
	g.Label(name("single"))
	g.step(m, 0, acc)
	g.ADDQ(operand.I32(4), idxReg)
	g.ADDQ(operand.I32(4*g.lanes()*g.nv), bReg)
	g.DECQ(quadReg)
	g.JNE(operand.LabelRef(name("single")))
	g.Label(name("even"))
	g.ADDQ(g.arg("jump"), idxReg)
	g.ADDQ(g.arg("bjump"), bReg)
	g.DECQ(tapReg)
	g.JNE(operand.LabelRef(name("tap")))
	for s := splits / 2; s > 0; s /= 2 {
		for k := range s * m * g.nv {
			g.VPADDD(g.v(s*m*g.nv+k), g.v(k), g.v(k))
		}
	}
	g.finish(m, acc)
}

// start sets the sums to the bias.
func (g *gemm8) start(m, splits int, acc func(i, v int) reg.VecPhysical, part func(s, i, v int) reg.VecPhysical) {
	if !g.zmm {
		g.MOVQ(g.arg("bias"), quadReg)
		for v := range g.nv {
			g.VMOVDQU(operand.Mem{Base: quadReg, Disp: 32 * v}, g.b(v))
		}
		for i := range m {
			for v := range g.nv {
				g.VMOVDQA(g.b(v), acc(i, v))
			}
		}
		return
	}
	for i := range m {
		for v := range g.nv {
			g.VMOVDQA32(g.v(gemm8Bias+v), acc(i, v))
		}
	}
	for s := 1; s < splits; s++ {
		for i := range m {
			for v := range g.nv {
				g.VPXORD(part(s, i, v), part(s, i, v), part(s, i, v))
			}
		}
	}
}

// step adds four products (two, of 16 bits) to each sum.
func (g *gemm8) step(m, u int, acc func(i, v int) reg.VecPhysical) {
	width := 4 * g.lanes()
	for v := range g.nv {
		from := operand.Mem{Base: bReg, Disp: (u*g.nv + v) * width}
		if g.zmm {
			g.VMOVDQU32(from, g.b(v))
		} else {
			g.VMOVDQU(from, g.b(v))
		}
	}
	for i := range m {
		a := operand.Mem{Base: rowRegs[i], Index: idxReg, Scale: 1, Disp: 4 * u}
		if g.zmm {
			g.VPBROADCASTD(a, g.t(i))
			for v := range g.nv {
				g.VPDPBUSD(g.b(v), g.t(i), acc(i, v))
			}
			continue
		}
		g.VPBROADCASTD(a, g.t(0))
		for v := range g.nv {
			t := g.t(1)
			if v == g.nv-1 {
				t = g.t(0)
			}
			g.VPMADDWD(g.b(v), g.t(0), t)
			g.VPADDD(t, acc(i, v), acc(i, v))
		}
	}
}

// finish writes the sums, or what mode makes of them.
func (g *gemm8) finish(m int, acc func(i, v int) reg.VecPhysical) {
	name := func(s string) string { return g.label("%s%d", s, m) }
	for i := range m {
		g.MOVLQSX(operand.Mem{Base: tabReg, Disp: 8*i + 4}, rowRegs[i])
	}
	g.MOVQ(g.arg("mode"), tapReg)
	g.CMPQ(tapReg, operand.I8(1))
	g.JLT(operand.LabelRef(name("acc")))
	g.scale(m, acc)
	g.CMPQ(tapReg, operand.I8(2))
	g.JLT(operand.LabelRef(name("float")))
	g.JEQ(operand.LabelRef(name("code")))
	g.add(m, acc)
	g.Label(name("code"))
	g.codes(m, acc)
	g.JMP(operand.LabelRef(name("end")))
	g.Label(name("float"))
	g.MOVQ(g.arg("f"), idxReg)
	g.store(m, acc)
	g.JMP(operand.LabelRef(name("end")))
	g.Label(name("acc"))
	g.MOVQ(g.arg("acc"), idxReg)
	g.store(m, acc)
	g.Label(name("end"))
}

// scale turns the sums into floats, times the channels' multipliers.
func (g *gemm8) scale(m int, acc func(i, v int) reg.VecPhysical) {
	if !g.zmm {
		g.MOVQ(g.arg("m"), quadReg)
	}
	for i := range m {
		for v := range g.nv {
			g.VCVTDQ2PS(acc(i, v), acc(i, v))
			if g.zmm {
				g.VMULPS(g.v(gemm8M+v), acc(i, v), acc(i, v))
			} else {
				g.VMULPS(operand.Mem{Base: quadReg, Disp: 32 * v}, acc(i, v), acc(i, v))
			}
		}
	}
}

// add adds the other operand.
func (g *gemm8) add(m int, acc func(i, v int) reg.VecPhysical) {
	g.MOVQ(g.arg("z"), bReg)
	for i := range m {
		for v := range g.nv {
			t, from := g.t(v), operand.Mem{Base: bReg, Index: rowRegs[i], Scale: 1, Disp: g.lanes() * v}
			if g.zmm {
				g.VPMOVZXBD_Z(from, g.mask(v), t)
				g.VPSUBD(g.v(gemm8ZZ), t, t)
				g.VCVTDQ2PS(t, t)
				g.VMULPS(g.v(gemm8MZ), t, t)
			} else {
				g.VPMOVZXBD(from, t)
				g.VPSUBD(g.local.Offset(128), t, t)
				g.VCVTDQ2PS(t, t)
				g.VMULPS(g.local.Offset(96), t, t)
			}
			g.VADDPS(t, acc(i, v), acc(i, v))
		}
	}
}

// store writes 32-bit results.
func (g *gemm8) store(m int, acc func(i, v int) reg.VecPhysical) {
	for i := range m {
		for v := range g.nv {
			to := operand.Mem{Base: idxReg, Index: rowRegs[i], Scale: 4, Disp: 4 * g.lanes() * v}
			if g.zmm {
				g.VMOVDQU32(acc(i, v), g.mask(v), to)
			} else {
				g.VMOVDQU(acc(i, v), to)
			}
		}
	}
}

// codes rounds, packs and stores. What lies below lo is cut by the packing to
// unsigned bytes, before lo is added again with saturation; so an activation whose
// lo is the zero point needs no other addition.
func (g *gemm8) codes(m int, acc func(i, v int) reg.VecPhysical) {
	relu, write := g.label("relu%d", m), g.label("write%d", m)
	g.MOVQ(g.arg("y"), idxReg)
	for i := range m {
		for v := range g.nv {
			g.VCVTPS2DQ(acc(i, v), acc(i, v))
		}
	}
	g.MOVL(g.arg("zero"), quadReg.As32())
	g.CMPL(quadReg.As32(), g.arg("lo"))
	g.JEQ(operand.LabelRef(relu))
	g.pack(m, true)
	g.JMP(operand.LabelRef(write))
	g.Label(relu)
	packed := g.pack(m, false)
	g.Label(write)
	if g.zmm {
		masked := g.label("masked%d", m)
		g.CMPQ(g.arg("cols"), operand.I8(int8(16*g.nv)))
		g.JNE(operand.LabelRef(masked))
		g.bytes(m, packed, false)
		g.JMP(operand.LabelRef(g.label("end%d", m)))
		g.Label(masked)
	}
	g.bytes(m, packed, g.zmm)
}

// pack makes one vector of four, and adds zero - lo on the way if told so.
func (g *gemm8) pack(m int, add bool) (packed []reg.VecPhysical) {
	var above, lo, hi, perm operand.Op
	if g.zmm {
		above, lo, hi, perm = g.v(gemm8Above), g.v(gemm8Lo), g.v(gemm8Hi), g.v(gemm8Perm)
	} else {
		above, lo, hi, perm = g.local.Offset(0), g.local.Offset(32), g.local.Offset(64), g.b(0)
		g.VMOVDQU(g.perm, g.b(0))
	}
	group := 4 / g.nv
	for i0 := 0; i0 < m; i0 += group {
		n := min(group, m-i0) * g.nv
		r := func(k int) reg.VecPhysical { return g.v(i0*g.nv + min(k, n-1)) }
		words := []reg.VecPhysical{r(0), r(0)}
		for k := 0; k < n; k += 2 {
			g.VPACKSSDW(r(k+1), r(k), r(k))
			if add {
				g.VPADDSW(above, r(k), r(k))
			}
			words[k/2] = r(k)
		}
		g.VPACKUSWB(words[1], words[0], r(0))
		g.VPADDUSB(lo, r(0), r(0))
		g.VPMINUB(hi, r(0), r(0))
		g.VPERMD(r(0), perm, r(0))
		packed = append(packed, r(0))
	}
	return packed
}

// bytes stores the rows of packed vectors.
func (g *gemm8) bytes(m int, packed []reg.VecPhysical, masked bool) {
	group := 4 / g.nv
	for i := range m {
		p, part := packed[i/group], i%group
		to := operand.Mem{Base: idxReg, Index: rowRegs[i], Scale: 1}
		switch {
		case g.zmm && g.nv == 2:
			y := p.AsY()
			if part > 0 && !masked {
				g.VEXTRACTI64X4(operand.U8(1), p, to)
				continue
			}
			if part > 0 {
				y = g.t(i).AsY()
				g.VEXTRACTI64X4(operand.U8(1), p, y)
			}
			if masked {
				g.VMOVDQU8(y, reg.K3, to)
			} else {
				g.VMOVDQU(y, to)
			}
		case g.zmm:
			x := p.AsX()
			if part > 0 && !masked {
				g.VEXTRACTI32X4(operand.U8(uint8(part)), p, to)
				continue
			}
			if part > 0 {
				x = g.t(i).AsX()
				g.VEXTRACTI32X4(operand.U8(uint8(part)), p, x)
			}
			if masked {
				g.VMOVDQU8(x, reg.K3, to)
			} else {
				g.VMOVDQU(x, to)
			}
		case g.nv == 2 && part == 0:
			g.VMOVDQU(p.AsX(), to)
		case g.nv == 2:
			g.VEXTRACTI128(operand.U8(1), p, to)
		default:
			x := p.AsX()
			if part >= 2 {
				x = g.t(0).AsX()
				g.VEXTRACTI128(operand.U8(1), p, x)
			}
			if part%2 == 0 {
				g.VMOVQ(x, to)
			} else {
				g.VPEXTRQ(operand.U8(1), x, to)
			}
		}
	}
}

// widen8 writes the copy of bytes into 16-bit values.
func widen8(c *build.Context) {
	c.Function("widen8")
	c.Pragma("noescape")
	c.Doc("widen8 writes dst[2i] = src[i], dst[2i+1] = 0 for i < n.")
	c.SignatureExpr("func(dst, src *uint8, n int)")
	c.Load(c.Param("dst"), reg.RDI)
	c.Load(c.Param("src"), reg.RSI)
	c.Load(c.Param("n"), reg.RCX)
	c.SUBQ(operand.I8(16), reg.RCX)
	c.JLT(operand.LabelRef("rest"))
	c.Label("loop")
	c.VPMOVZXBW(operand.Mem{Base: reg.RSI}, reg.Y0)
	c.VMOVDQU(reg.Y0, operand.Mem{Base: reg.RDI})
	c.ADDQ(operand.I8(16), reg.RSI)
	c.ADDQ(operand.I8(32), reg.RDI)
	c.SUBQ(operand.I8(16), reg.RCX)
	c.JGE(operand.LabelRef("loop"))
	c.Label("rest")
	c.ADDQ(operand.I8(16), reg.RCX)
	c.JEQ(operand.LabelRef("done"))
	c.Label("single")
	c.MOVBLZX(operand.Mem{Base: reg.RSI}, reg.EAX)
	c.MOVW(reg.AX, operand.Mem{Base: reg.RDI})
	c.INCQ(reg.RSI)
	c.ADDQ(operand.I8(2), reg.RDI)
	c.DECQ(reg.RCX)
	c.JNE(operand.LabelRef("single"))
	c.Label("done")
	c.VZEROUPPER()
	c.RET()
}

// padBias8 writes dense.PadBias8, eight channels at a time.
func padBias8(c *build.Context) {
	c.Function("padBias8")
	c.Pragma("noescape")
	c.Doc("padBias8 computes bias[o] += pad·Σ_{i < n} sums[taps[i]·width + o] for o < width, a multiple of 8.")
	c.SignatureExpr("func(n int, taps *int32, sums *int8, pad int32, bias *int32, width int)")
	n, taps, sums := c.Load(c.Param("n"), reg.RCX), c.Load(c.Param("taps"), reg.RSI), c.Load(c.Param("sums"), reg.RBX)
	bias, width := c.Load(c.Param("bias"), reg.RDI), c.Load(c.Param("width"), reg.RDX)
	c.Load(c.Param("pad"), reg.EAX)
	c.VMOVD(reg.EAX, reg.X2)
	c.VPBROADCASTD(reg.X2, reg.Y2)
	c.MOVQ(width, reg.R8)
	c.SHLQ(operand.U8(2), width)
	c.Label("channels")
	c.VPXOR(reg.Y0, reg.Y0, reg.Y0)
	c.XORL(reg.R9L, reg.R9L)
	c.Label("tap")
	c.MOVLQSX(operand.Mem{Base: taps, Index: reg.R9, Scale: 4}, reg.RAX)
	c.IMULQ(width, reg.RAX)
	c.VPADDD(operand.Mem{Base: sums, Index: reg.RAX, Scale: 1}, reg.Y0, reg.Y0)
	c.INCQ(reg.R9)
	c.CMPQ(reg.R9, n)
	c.JLT(operand.LabelRef("tap"))
	c.VPMULLD(reg.Y2, reg.Y0, reg.Y0)
	c.VPADDD(operand.Mem{Base: bias}, reg.Y0, reg.Y0)
	c.VMOVDQU(reg.Y0, operand.Mem{Base: bias})
	c.ADDQ(operand.I8(32), sums)
	c.ADDQ(operand.I8(32), bias)
	c.SUBQ(operand.I8(8), reg.R8)
	c.JG(operand.LabelRef("channels"))
	c.VZEROUPPER()
	c.RET()
}
