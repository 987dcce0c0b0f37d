package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// depthwiseWiden writes the kernel that turns codes into float32 numbers, pixel by pixel.
func depthwiseWiden(l lanes) {
	c := l.c
	c.Function("depthwiseWiden")
	c.Pragma("noescape")
	c.Doc("depthwiseWiden computes y[i,c] = float32(x[i,c] - zero) for i < pixels. Channels are blocks full vectors",
		"and tail more; steps are in bytes.")
	c.SignatureExpr("func(x *uint8, y *float32, pixels, blocks, tail, xPix, yPix, zero int)")
	x, y, px, py, n, z := c.GP64(), c.GP64(), c.GP64(), c.GP64(), c.GP64(), c.GP64()
	zero := l.reg()
	c.MOVQ(arg(c, "zero"), z)
	c.VMOVD(z.As32(), zero.AsX())
	c.VPBROADCASTD(zero.AsX(), zero)
	c.MOVQ(arg(c, "x"), x)
	c.MOVQ(arg(c, "y"), y)
	var mask reg.OpmaskVirtual
	if l.wide {
		mask = l.tail(arg(c, "tail"), operand.Mem{}, c.GP64()).k
	}
	c.CMPQ(arg(c, "pixels"), operand.I8(0))
	c.JE(operand.LabelRef("done"))
	c.Label("pixel")
	c.MOVQ(x, px)
	c.MOVQ(y, py)
	c.MOVQ(arg(c, "blocks"), n)
	c.TESTQ(n, n)
	c.JE(operand.LabelRef("rest"))
	c.Label("block")
	v := l.reg()
	c.VPMOVZXBD(operand.Mem{Base: px}, v)
	c.VPSUBD(zero, v, v)
	c.VCVTDQ2PS(v, v)
	c.VMOVUPS(v, operand.Mem{Base: py})
	c.ADDQ(operand.I8(l.n()), px)
	c.ADDQ(operand.I32(4*l.n()), py)
	c.DECQ(n)
	c.JNE(operand.LabelRef("block"))
	c.Label("rest")
	c.MOVQ(arg(c, "tail"), n)
	c.TESTQ(n, n)
	c.JE(operand.LabelRef("next"))
	if l.wide {
		v := l.reg()
		c.VPMOVZXBD_Z(operand.Mem{Base: px}, mask, v)
		c.VPSUBD(zero, v, v)
		c.VCVTDQ2PS(v, v)
		c.VMOVUPS(v, mask, operand.Mem{Base: py})
	} else {
		v, code := c.XMM(), c.GP64()
		c.Label("single")
		c.MOVBLZX(operand.Mem{Base: px}, code.As32())
		c.SUBL(z.As32(), code.As32())
		c.VXORPS(v, v, v)
		c.VCVTSI2SSL(code.As32(), v, v)
		c.VMOVSS(v, operand.Mem{Base: py})
		c.INCQ(px)
		c.ADDQ(operand.I8(4), py)
		c.DECQ(n)
		c.JNE(operand.LabelRef("single"))
	}
	c.Label("next")
	c.ADDQ(arg(c, "xPix"), x)
	c.ADDQ(arg(c, "yPix"), y)
	c.DECQ(arg(c, "pixels"))
	c.JNE(operand.LabelRef("pixel"))
	c.Label("done")
	c.VZEROUPPER()
	c.RET()
}
