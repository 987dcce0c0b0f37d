package main

import (
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// depthwiseTaps8 writes the integer kernel for any taps: a product of one byte is an exact dword.
func depthwiseTaps8(wide bool) func(c *build.Context) {
	return func(c *build.Context) {
		l := lanes{c, wide}
		_, masks := depthwiseData(c)
		c.Function("depthwiseTaps8")
		c.Pragma("noescape")
		c.Doc("depthwiseTaps8 computes acc[t,c] = bias[c] + Σ x[i·xRow + t·xPix + j·xTap + c]·w[i, j, c] over i < rows and j < taps",
			"for t < outs. Channels are blocks full vectors and tail more; x may be read, and w is, up to a full vector. Steps are in bytes.")
		c.SignatureExpr("func(x *uint8, w *int8, bias, acc *int32, outs, blocks, tail, rows, taps, xRow, xTap, xPix, accPix int)")
		x, w, bias, acc := c.GP64(), c.GP64(), c.GP64(), c.GP64()
		left := c.AllocLocal(8)
		tmp := c.GP64()
		for _, a := range []struct {
			name string
			r    reg.GPVirtual
		}{{"x", x}, {"w", w}, {"bias", bias}, {"acc", acc}} {
			c.MOVQ(arg(c, a.name), a.r)
		}
		c.MOVQ(arg(c, "blocks"), tmp)
		c.MOVQ(tmp, left)
		c.TESTQ(tmp, tmp)
		c.JE(operand.LabelRef("rest"))
		c.Label("block")
		taps8Block(l, x, w, bias, acc, nil, "full")
		c.ADDQ(operand.I8(l.n()), x)
		c.ADDQ(operand.I32(4*l.n()), bias)
		c.ADDQ(operand.I32(4*l.n()), acc)
		c.DECQ(left)
		c.JNE(operand.LabelRef("block"))
		c.Label("rest")
		c.CMPQ(arg(c, "tail"), operand.I8(0))
		c.JE(operand.LabelRef("end"))
		taps8Block(l, x, w, bias, acc, l.tail(arg(c, "tail"), masks, c.GP64()), "tail")
		c.Label("end")
		c.VZEROUPPER()
		c.RET()
	}
}

// taps8Block writes the loop over the outputs of one block; w moves on to the next block.
func taps8Block(l lanes, x, w, bias, acc reg.GPVirtual, t *tail, name string) {
	c := l.c
	first, spare := l.reg(), l.reg()
	l.load(operand.Mem{Base: bias}, first, t)
	px, pacc, left, next := c.GP64(), c.GP64(), c.GP64(), c.GP64()
	c.MOVQ(x, px)
	c.MOVQ(acc, pacc)
	c.MOVQ(arg(c, "outs"), left)
	for _, n := range []int{4, 1} {
		label := func(s string) operand.LabelRef { return operand.LabelRef(name + s + string(rune('0'+n))) }
		c.Label(string(label("outs")))
		c.CMPQ(left, operand.I8(n))
		c.JLT(label("less"))
		sums := make([]reg.VecVirtual, n)
		for i := range sums {
			sums[i] = l.reg()
			c.VMOVAPS(first, sums[i])
		}
		row, q, i, j := c.GP64(), c.GP64(), c.GP64(), c.GP64()
		c.MOVQ(w, next)
		c.MOVQ(px, row)
		c.MOVQ(arg(c, "rows"), i)
		c.Label(string(label("row")))
		c.MOVQ(row, q)
		c.MOVQ(arg(c, "taps"), j)
		c.Label(string(label("tap")))
		tap := l.reg()
		c.VPMOVSXBD(operand.Mem{Base: next}, tap)
		p := c.GP64()
		c.MOVQ(q, p)
		for s := range sums {
			v := l.reg()
			c.VPMOVZXBD(operand.Mem{Base: p}, v)
			if l.wide {
				c.VPDPBUSD(tap, v, sums[s])
			} else {
				c.VPMADDWD(tap, v, v)
				c.VPADDD(v, sums[s], sums[s])
			}
			if s < n-1 {
				c.ADDQ(arg(c, "xPix"), p)
			}
		}
		c.ADDQ(operand.I8(l.n()), next)
		c.ADDQ(arg(c, "xTap"), q)
		c.DECQ(j)
		c.JNE(label("tap"))
		c.ADDQ(arg(c, "xRow"), row)
		c.DECQ(i)
		c.JNE(label("row"))
		for s := range sums {
			l.store(sums[s], operand.Mem{Base: pacc}, t, spare)
			c.ADDQ(arg(c, "accPix"), pacc)
			c.ADDQ(arg(c, "xPix"), px)
		}
		c.SUBQ(operand.I8(n), left)
		c.JMP(label("outs"))
		c.Label(string(label("less")))
	}
	step := c.GP64()
	c.MOVQ(arg(c, "rows"), step)
	c.IMULQ(arg(c, "taps"), step)
	c.IMUL3Q(operand.I32(l.n()), step, step)
	c.ADDQ(step, w)
}
