package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// depthwiseNines writes the kernels of backward weights with 3x3 taps, whose nine sums stay in registers.
func depthwiseNines(wide bool) func(c *build.Context) {
	return func(c *build.Context) {
		for _, codes := range []bool{false, true} {
			depthwiseNine1(lanes{c, wide}, codes)
			depthwiseNine2(lanes{c, wide}, codes)
		}
		depthwiseNineAdd(lanes{c, wide})
	}
}

// nine is a kernel of nine sums: what its loops have in common.
type nine struct {
	l              lanes
	codes          bool
	acc            [9]reg.VecVirtual
	zero           reg.VecVirtual
	xPix, yPix     reg.GPVirtual
	rowX, rowY     reg.GPVirtual
	pos, count, m  reg.GPVirtual
	aheadX, aheadY reg.GPVirtual
}

// depthwiseNineSignature begins a kernel.
func depthwiseNineSignature(l lanes, codes bool, stride int, doc ...string) *nine {
	c := l.c
	name, of := fmt.Sprintf("depthwiseNine%d", stride), "float32"
	if codes {
		name, of = name+"Codes", "uint8"
		doc = append(doc, "An x counts as float32(x - zero).")
	}
	c.Function(name)
	c.Pragma("noescape")
	doc = append(doc,
		"It is added to the sums a[block][i][j][lane], or stored there where add is 0; steps and offsets are in bytes. What",
		"lies xAhead and yAhead bytes behind is brought near meanwhile, xStep and yStep bytes a column.")
	c.Doc(append([]string{name + doc[0]}, doc[1:]...)...)
	c.SignatureExpr("func(x *" + of + ", dy, a *float32, blocks, xOff, yOff, pos, end, limit, left, whole, rest, right, xPix, xRow, yPix, yRow, xAhead, yAhead, xStep, yStep, zero, add int)")
	n := &nine{l: l, codes: codes, xPix: c.GP64(), yPix: c.GP64(), rowX: c.GP64(), rowY: c.GP64(), pos: c.GP64(), count: c.GP64(), m: c.GP64(), aheadX: c.GP64(), aheadY: c.GP64()}
	for i := range n.acc {
		n.acc[i] = l.reg()
	}
	if codes {
		n.zero = l.reg()
		c.MOVQ(arg(c, "zero"), n.m)
		c.VMOVD(n.m.As32(), n.zero.AsX())
		c.VPBROADCASTD(n.zero.AsX(), n.zero)
	}
	c.MOVQ(arg(c, "xPix"), n.xPix)
	c.MOVQ(arg(c, "yPix"), n.yPix)
	c.MOVQ(arg(c, "xOff"), n.m)
	c.ADDQ(n.m, arg(c, "x"))
	c.MOVQ(arg(c, "yOff"), n.m)
	c.ADDQ(n.m, arg(c, "dy"))
	c.MOVQ(arg(c, "xAhead"), n.aheadX)
	c.ADDQ(arg(c, "x"), n.aheadX)
	c.MOVQ(arg(c, "yAhead"), n.aheadY)
	c.ADDQ(arg(c, "dy"), n.aheadY)
	return n
}

// near brings what comes next near, of x as many vectors. The order is that of memory, in which it comes fastest.
// Behind the last of it there may be no memory: to ask for it does no harm.
func (n *nine) near(vectors int) {
	c := n.l.c
	c.PREFETCHT1(operand.Mem{Base: n.aheadY})
	c.ADDQ(arg(c, "yStep"), n.aheadY)
	size := 4 * n.l.n()
	if n.codes {
		size = n.l.n()
	}
	for i := 0; i < vectors*size; i += 64 {
		c.PREFETCHT1(operand.Mem{Base: n.aheadX, Disp: i})
	}
	c.ADDQ(arg(c, "xStep"), n.aheadX)
}

// loadX reads a vector of x.
func (n *nine) loadX(m operand.Mem, v reg.VecVirtual) {
	c := n.l.c
	if !n.codes {
		c.VMOVUPS(m, v)
		return
	}
	c.VPMOVZXBD(m, v)
	c.VPSUBD(n.zero, v, v)
	c.VCVTDQ2PS(v, v)
}

// blocks writes the loop over blocks of channels around rows.
func (n *nine) blocks(rows func()) {
	c, l := n.l.c, n.l
	c.Label("block")
	for _, v := range n.acc {
		l.zero(v)
	}
	c.MOVQ(arg(c, "x"), n.rowX)
	c.MOVQ(arg(c, "dy"), n.rowY)
	c.MOVQ(arg(c, "pos"), n.pos)
	rows()
	c.MOVQ(arg(c, "a"), n.m)
	at := func(i int) operand.Mem { return operand.Mem{Base: n.m, Disp: 4 * l.n() * i} }
	c.CMPQ(arg(c, "add"), operand.I8(0))
	c.JE(operand.LabelRef("store"))
	for i, v := range n.acc {
		c.VADDPS(at(i), v, v)
	}
	c.Label("store")
	for i, v := range n.acc {
		c.VMOVUPS(v, at(i))
	}
	c.ADDQ(operand.I32(36*l.n()), arg(c, "a"))
	c.ADDQ(operand.I32(4*l.n()), arg(c, "dy"))
	step := 4 * l.n()
	if n.codes {
		step = l.n()
	}
	c.ADDQ(operand.I32(step), arg(c, "x"))
	c.DECQ(arg(c, "blocks"))
	c.JNE(operand.LabelRef("block"))
	c.VZEROUPPER()
	c.RET()
}

// kinds writes a row for each set of taps i that reach one: those with 0 <= pos + i·sign < limit.
func (n *nine) kinds(sign int, row func(name string, h0, h1 int)) {
	c := n.l.c
	c.XORQ(n.m, n.m)
	for i := 2; i >= 0; i-- {
		at := n.pos
		if i > 0 {
			at = n.count
			c.LEAQ(operand.Mem{Base: n.pos, Disp: i * sign}, at)
		}
		c.CMPQ(at, arg(c, "limit"))
		c.ADCQ(n.m, n.m)
	}
	for _, k := range [][2]int{{0, 3}, {1, 3}, {0, 2}, {0, 1}, {1, 2}, {2, 3}} {
		name := fmt.Sprintf("rows%d%d", k[0], k[1])
		c.CMPQ(n.m, operand.I8(1<<k[1]-1<<k[0]))
		c.JNE(operand.LabelRef("not_" + name))
		row(name, k[0], k[1])
		c.JMP(operand.LabelRef("row_done"))
		c.Label("not_" + name)
	}
	c.Label("row_done")
}

// depthwiseNine1 is the kernel at a step of one: each x meets the nine dy around it, once read.
func depthwiseNine1(l lanes, codes bool) {
	c := l.c
	n := depthwiseNineSignature(l, codes, 1,
		" computes Σ x[h,w,c]·dy[h+top-i, w+pad-j, c] for i, j < 3, over the rows pos <= h+top < end in rising order and the",
		"columns w. Rows of dy are below limit; x + xOff is at the first row, dy + yOff at its row pos. left is pad; whole and rest are",
		"the quotient and the rest by three of the number of columns of dy with three x, and right that of those behind them with less.")
	px, py, up := c.GP64(), c.GP64(), c.GP64()
	c.MOVQ(arg(c, "yRow"), up)
	c.NEGQ(up)
	n.blocks(func() {
		c.Label("row")
		n.kinds(-1, func(name string, h0, h1 int) {
			s := &slide{nine: n, px: px, py: py, up: up, h0: h0, h1: h1}
			s.row(name)
		})
		c.ADDQ(arg(c, "xRow"), n.rowX)
		c.ADDQ(arg(c, "yRow"), n.rowY)
		c.INCQ(n.pos)
		c.CMPQ(n.pos, arg(c, "end"))
		c.JNE(operand.LabelRef("row"))
	})
}

// slide is a row of depthwiseNine1 for the taps h0 <= i < h1. Three columns of x are at hand.
type slide struct {
	*nine
	px, py, up reg.GPVirtual
	x          [3]reg.VecVirtual // [column%3]
	h0, h1     int
}

// nextX reads the column e of x.
func (s *slide) nextX(e int) {
	s.loadX(operand.Mem{Base: s.px}, s.x[e%3])
	s.l.c.ADDQ(s.xPix, s.px)
}

// column adds the products of a column of dy, whose tap j = 2 is at the column e of x, for the taps j0 <= j < j1.
func (s *slide) column(e, j0, j1 int) {
	c := s.l.c
	if j1 == 3 && e > 1 {
		s.nextX(e)
	}
	s.near(1)
	for i := s.h0; i < s.h1; i++ {
		dy, m := s.l.reg(), operand.Mem{Base: s.py}
		if i > 0 {
			m.Index, m.Scale = s.up, uint8(i)
		}
		c.VMOVUPS(m, dy)
		for j := j0; j < j1; j++ {
			c.VFMADD231PS(s.x[(e-2+j+3)%3], dy, s.acc[3*i+j])
		}
	}
	c.ADDQ(s.yPix, s.py)
}

// row writes the row.
func (s *slide) row(name string) {
	c := s.l.c
	ref := func(what string) operand.LabelRef { return operand.LabelRef(name + what) }
	c.MOVQ(s.rowX, s.px)
	c.MOVQ(s.rowY, s.py)
	for e := range s.x {
		s.x[e] = s.l.reg()
	}
	s.nextX(0)
	s.nextX(1)
	c.CMPQ(arg(c, "left"), operand.I8(1))
	c.JE(ref("second"))
	c.JB(ref("inner"))
	s.column(0, 2, 3)
	c.Label(name + "second")
	s.column(1, 1, 3)
	c.Label(name + "inner")
	c.MOVQ(arg(c, "whole"), s.count)
	c.TESTQ(s.count, s.count)
	c.JE(ref("rest"))
	c.Label(name + "three")
	for e := 2; e < 5; e++ {
		s.column(e, 0, 3)
	}
	c.DECQ(s.count)
	c.JNE(ref("three"))
	c.Label(name + "rest")
	c.CMPQ(arg(c, "rest"), operand.I8(1))
	c.JB(ref("right2"))
	s.column(2, 0, 3)
	c.CMPQ(arg(c, "rest"), operand.I8(1))
	c.JE(ref("right3"))
	s.column(3, 0, 3)
	for e := 4; e >= 2; e-- {
		c.Label(fmt.Sprintf("%sright%d", name, e))
		c.CMPQ(arg(c, "right"), operand.I8(1))
		c.JB(operand.LabelRef("row_done"))
		s.column(e, 0, 2)
		c.CMPQ(arg(c, "right"), operand.I8(1))
		c.JE(operand.LabelRef("row_done"))
		s.column(e+1, 0, 1)
		if e > 2 {
			c.JMP(operand.LabelRef("row_done"))
		}
	}
}

// depthwiseNine2 is the kernel at a step of two: each dy meets the nine x around it, a column of which the next meets too.
func depthwiseNine2(l lanes, codes bool) {
	c := l.c
	n := depthwiseNineSignature(l, codes, 2,
		" computes Σ x[2h-top+i, 2w-pad+j, c]·dy[h,w,c] for i, j < 3, over the rows pos <= 2h-top < end of dy in rising order and",
		"the columns w. Rows of x are below limit; x + xOff is at its row pos, dy + yOff at the first row. left is 1-pad; whole is",
		"the number of columns with three x besides the first one, and right that of those with two, behind them. rest is not used.")
	px, py, xRow := c.GP64(), c.GP64(), c.GP64()
	c.MOVQ(arg(c, "xRow"), xRow)
	n.blocks(func() {
		c.Label("row")
		n.kinds(1, func(name string, h0, h1 int) {
			s := &stair{nine: n, px: px, py: py, xRow: xRow, h0: h0, h1: h1}
			s.row(name)
		})
		c.LEAQ(operand.Mem{Base: n.rowX, Index: xRow, Scale: 2}, n.rowX)
		c.ADDQ(arg(c, "yRow"), n.rowY)
		c.ADDQ(operand.I8(2), n.pos)
		c.CMPQ(n.pos, arg(c, "end"))
		c.JL(operand.LabelRef("row"))
	})
}

// stair is a row of depthwiseNine2 for the taps h0 <= i < h1.
type stair struct {
	*nine
	px, py, xRow reg.GPVirtual
	x            [3]reg.VecVirtual // the column that two dy meet
	h0, h1       int
}

// columnX reads a column of x into v, and turns to the next.
func (s *stair) columnX(v [3]reg.VecVirtual, then func(i int)) {
	c := s.l.c
	for i := s.h0; i < s.h1; i++ {
		m := operand.Mem{Base: s.px}
		if i > 0 {
			m.Index, m.Scale = s.xRow, uint8(i)
		}
		s.loadX(m, v[i])
		then(i)
	}
	c.ADDQ(s.xPix, s.px)
}

// column adds the products of a column of dy for the taps j0 <= j < j1; that of j = 0 is at hand.
func (s *stair) column(j0, j1 int) {
	c := s.l.c
	dy := s.l.reg()
	c.VMOVUPS(operand.Mem{Base: s.py}, dy)
	s.near(4)
	c.ADDQ(s.yPix, s.py)
	for j := j0; j < j1; j++ {
		add := func(v [3]reg.VecVirtual) func(i int) {
			return func(i int) { c.VFMADD231PS(v[i], dy, s.acc[3*i+j]) }
		}
		switch j {
		case 0:
			for i := s.h0; i < s.h1; i++ {
				add(s.x)(i)
			}
		case 1:
			v := s.l.reg()
			s.columnX([3]reg.VecVirtual{v, v, v}, add([3]reg.VecVirtual{v, v, v}))
		default:
			s.columnX(s.x, add(s.x))
		}
	}
}

// row writes the row.
func (s *stair) row(name string) {
	c := s.l.c
	ref := func(what string) operand.LabelRef { return operand.LabelRef(name + what) }
	c.MOVQ(s.rowX, s.px)
	c.MOVQ(s.rowY, s.py)
	for i := s.h0; i < s.h1; i++ {
		s.x[i] = s.l.reg()
	}
	c.CMPQ(arg(c, "left"), operand.I8(0))
	c.JE(ref("edge"))
	s.columnX(s.x, func(int) {})
	s.column(0, 3)
	c.JMP(ref("inner"))
	c.Label(name + "edge")
	s.column(1, 3)
	c.Label(name + "inner")
	c.MOVQ(arg(c, "whole"), s.count)
	c.TESTQ(s.count, s.count)
	c.JE(ref("right"))
	c.Label(name + "next")
	s.column(0, 3)
	c.DECQ(s.count)
	c.JNE(ref("next"))
	c.Label(name + "right")
	c.CMPQ(arg(c, "right"), operand.I8(0))
	c.JE(operand.LabelRef("row_done"))
	s.column(0, 2)
}

// depthwiseNineAdd writes the kernel that brings sums into the order of weights.
func depthwiseNineAdd(l lanes) {
	c := l.c
	c.Function("depthwiseNineAdd")
	c.Pragma("noescape")
	c.Doc(fmt.Sprintf("depthwiseNineAdd computes w[%d·b+l][i] += a[b][i][l] for b < blocks, i < 9 and the lanes l.", l.n()))
	c.SignatureExpr("func(a, w *float32, blocks int)")
	a, w, n := c.GP64(), c.GP64(), c.GP64()
	c.MOVQ(arg(c, "a"), a)
	c.MOVQ(arg(c, "w"), w)
	c.MOVQ(arg(c, "blocks"), n)
	c.Label("block")
	for i := 0; i < 8; i += 4 {
		var r, u [4]reg.VecVirtual
		for k := range r {
			r[k], u[k] = l.reg(), l.reg()
			c.VMOVUPS(operand.Mem{Base: a, Disp: 4 * l.n() * (i + k)}, r[k])
		}
		c.VUNPCKLPS(r[1], r[0], u[0])
		c.VUNPCKHPS(r[1], r[0], u[1])
		c.VUNPCKLPS(r[3], r[2], u[2])
		c.VUNPCKHPS(r[3], r[2], u[3])
		for k := range r { // channel k of each four: the taps i to i+3
			t := l.reg()
			if k%2 == 0 {
				c.VUNPCKLPD(u[2+k/2], u[k/2], t)
			} else {
				c.VUNPCKHPD(u[2+k/2], u[k/2], t)
			}
			for q := range l.n() / 4 {
				m, v := operand.Mem{Base: w, Disp: 4 * (9*(4*q+k) + i)}, t.AsX()
				if q > 0 {
					v2 := c.XMM()
					if l.wide {
						c.VEXTRACTF32X4(operand.U8(q), t, v2)
					} else {
						c.VEXTRACTF128(operand.U8(q), t, v2)
					}
					c.VADDPS(m, v2, v2)
					c.VMOVUPS(v2, m)
					continue
				}
				s := c.XMM()
				c.VADDPS(m, v, s)
				c.VMOVUPS(s, m)
			}
		}
	}
	for k := range l.n() {
		m, v := operand.Mem{Base: w, Disp: 4 * (9*k + 8)}, c.XMM()
		c.VMOVSS(operand.Mem{Base: a, Disp: 4 * (8*l.n() + k)}, v)
		c.VADDSS(m, v, v)
		c.VMOVSS(v, m)
	}
	c.ADDQ(operand.I32(36*l.n()), a)
	c.ADDQ(operand.I32(36*l.n()), w)
	c.DECQ(n)
	c.JNE(operand.LabelRef("block"))
	c.VZEROUPPER()
	c.RET()
}
