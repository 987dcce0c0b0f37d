package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// depthwiseGrads writes the kernels of backward weights.
func depthwiseGrads(wide bool) func(c *build.Context) {
	return func(c *build.Context) {
		depthwiseGradForms(lanes{c, wide})
		depthwiseWiden(lanes{c, wide})
	}
}

// depthwiseGradForms writes the kernels of backward weights for each form.
func depthwiseGradForms(l lanes) {
	c := l.c
	zeros, masks := depthwiseData(c)
	for _, f := range depthwiseForms {
		name := fmt.Sprintf("depthwiseGrad%ds%d", f.kw, f.stride)
		c.Function(name)
		c.Pragma("noescape")
		c.Doc(name+" computes a[i, j, c] += Σ dy[t,c]·x[i, t·step+j, c] over t < tiles·cols in rising order, for i < rows and j < "+fmt.Sprint(f.kw)+".",
			"Where a bit of first (of the first tile of cols outputs) or last is 0 the column of x counts as zeros.",
			"Channels are blocks full vectors and, where cols is 1, tail more; steps are in bytes; x begins at xOff.")
		c.SignatureExpr("func(x, dy, a *float32, cols, tiles, blocks, tail, rows, xOff, xRow, xPix, aRow, aBlock, yPix int, first, last uint64)")
		for cols := depthwiseCols; cols >= 1; cols-- {
			if cols > 1 {
				c.CMPQ(arg(c, "cols"), operand.I8(cols))
				c.JNE(operand.LabelRef(fmt.Sprintf("not%d", cols)))
			}
			gradTile(l, f.kw, f.stride, cols, zeros, masks)
			if cols > 1 {
				c.Label(fmt.Sprintf("not%d", cols))
			}
		}
	}
}

// gradTile writes the kernel for one number of outputs, whose gradients stay in registers.
func gradTile(l lanes, kw, stride, cols int, zeros, masks operand.Mem) {
	c := l.c
	w := &walk{l: l, kw: kw, stride: stride, cols: cols, zeros: zeros, masks: masks}
	ptrs := []pointer{{"x", "xPix", cols * stride, ""}, {"dy", "yPix", cols, ""}, {"a", "", 0, "aBlock"}}
	bodies := 0
	w.loop(ptrs, func(cs *columns, p []reg.GPVirtual, t *tail) {
		bodies++
		label := func(s string) string { return fmt.Sprintf("%s%d_%d", s, cols, bodies) }
		dy := make([]reg.VecVirtual, cols)
		cs2 := c.GP64()
		c.MOVQ(p[1], cs2)
		for i := range dy {
			dy[i] = l.reg()
			l.load(operand.Mem{Base: cs2}, dy[i], t)
			c.ADDQ(arg(c, "yPix"), cs2)
		}
		rows, px, pa := c.GP64(), c.GP64(), c.GP64()
		c.MOVQ(arg(c, "rows"), rows)
		c.MOVQ(p[0], px)
		c.MOVQ(p[2], pa)
		c.Label(label("row"))
		acc := make([]reg.VecVirtual, kw)
		for i := range acc {
			acc[i] = l.reg()
			c.VMOVUPS(operand.Mem{Base: pa, Disp: 4 * l.n() * i}, acc[i])
		}
		cs.start(px)
		in := (cols-1)*stride + kw
		for j := range in {
			v := l.reg()
			l.load(cs.at(j, edge(j, in, kw)), v, t)
			for tap := range acc {
				if d := j - tap; d >= 0 && d%stride == 0 && d/stride < cols {
					c.VFMADD231PS(v, dy[d/stride], acc[tap])
				}
			}
		}
		for i := range acc {
			c.VMOVUPS(acc[i], operand.Mem{Base: pa, Disp: 4 * l.n() * i})
		}
		c.ADDQ(arg(c, "xRow"), px)
		c.ADDQ(arg(c, "aRow"), pa)
		c.DECQ(rows)
		c.JNE(operand.LabelRef(label("row")))
	})
}
