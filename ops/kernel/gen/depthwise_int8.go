package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// What becomes of the accumulators of depthwiseInt8: codes, codes with an added operand, themselves, or floats.
const (
	depthwiseCodes = iota
	depthwiseAdded
	depthwiseAcc
	depthwiseFloat
)

// vectors are the registers Z0 to Z31, named by the number of bytes that are used of them.
func vectors(bytes int) (v [32]reg.Register) {
	for i, z := range []reg.VecPhysical{
		reg.Z0, reg.Z1, reg.Z2, reg.Z3, reg.Z4, reg.Z5, reg.Z6, reg.Z7, reg.Z8, reg.Z9, reg.Z10, reg.Z11, reg.Z12, reg.Z13, reg.Z14, reg.Z15,
		reg.Z16, reg.Z17, reg.Z18, reg.Z19, reg.Z20, reg.Z21, reg.Z22, reg.Z23, reg.Z24, reg.Z25, reg.Z26, reg.Z27, reg.Z28, reg.Z29, reg.Z30, reg.Z31,
	} {
		switch bytes {
		case 64:
			v[i] = z
		case 32:
			v[i] = z.AsY()
		case 16:
			v[i] = z.AsX()
		}
	}
	return v
}

// depthwiseInt8 writes the integer kernels for 3x3 and 5x5 taps. Each dword of a register holds the first four rows of one
// column and channel, or all three; the fifth row has dwords of its own. Unpacking bytes works within lanes of 16, so that vector i holds of lane l the channels 16·l+4·i to 16·l+4·i+3;
// weights, bias and multipliers come in this order, and packing the codes restores the natural one.
func depthwiseInt8(c *build.Context) {
	for _, taps := range []int{3, 5} {
		for _, bytes := range []int{64, 32, 16} {
			for stride := 1; stride <= 2; stride++ {
				k := &int8Row{c: c, taps: taps, bytes: bytes, stride: stride, v: vectors(bytes)}
				k.write("")
			}
		}
		for stride := 1; stride <= 2; stride++ {
			k := &int8Row{c: c, taps: taps, bytes: 16, stride: stride, v: vectors(16), partial: true}
			k.write("part")
		}
	}
}

// int8Row writes one kernel. Registers for 3x3 taps: 0 to 11 weights, 12 to 23 three sets of accumulators; for 5x5 taps, whose
// weights stay in memory: 0 to 19 five sets of accumulators, 20 to 23 the column's fifth row. Then 24 to 27 the column, 28 to
// 31 at hand.
type int8Row struct {
	c             *build.Context
	taps          int // of a row, and of a column
	bytes, stride int
	v             [32]reg.Register
	w             reg.GPVirtual
	col, off, out reg.GPVirtual
	x             []reg.GPVirtual
	partial       bool // of the channels only those in the mask K1
	labels        int
	pads          []string
	number        map[string]operand.Mem // arguments that are broadcast, where they lie in the frame
}

func (k *int8Row) label(s string) string {
	k.labels++
	return fmt.Sprintf("%s%d", s, k.labels)
}

func (k *int8Row) write(suffix string) {
	c := k.c
	name := fmt.Sprintf("depthwiseInt8k%dx%ds%d%s", k.taps, k.bytes, k.stride, suffix)
	c.Function(name)
	c.Pragma("noescape")
	c.Doc(fmt.Sprintf("%s computes acc[t,c] = bias[c] + Σ xi[t·%d-left+j, c]·w[i, j, c] over %d x %d taps for t < outs, where", name, k.stride, k.taps, k.taps),
		fmt.Sprintf("columns that are not in 0..cols-1 count as pad, for blocks of %d channels%s.", k.bytes, map[bool]string{true: ", of which only the first ones in mask"}[k.partial]),
		"By mode the result is a code (0), a code with z added (1), acc (2) or float32(acc)·m (3).",
		"pad, lo and hi are repeated in four bytes, zero in two words.")
	c.SignatureExpr("func(x0, x1, x2, x3, x4 *uint8, w *int8, bias *int32, m *float32, z, y *uint8, acc *int32, f *float32, blocks, outs, cols, left, xPix, mode int, mask uint64, pad, zero, lo, hi, zzero uint32, mz float32)")
	k.col, k.off, k.out = c.GP64(), c.GP64(), c.GP64()
	for i := range k.taps {
		k.x = append(k.x, c.GP64())
		c.MOVQ(arg(c, fmt.Sprintf("x%d", i)), k.x[i])
	}
	if k.partial {
		c.KMOVQ(arg(c, "mask"), reg.K1)
	}
	k.number = map[string]operand.Mem{}
	for _, name := range []string{"pad", "zero", "lo", "hi", "zzero"} {
		v := c.GP32()
		k.number[name] = c.AllocLocal(8)
		c.MOVL(arg(c, name), v)
		c.MOVL(v, k.number[name])
	}
	c.Label("block")
	k.w = c.GP64()
	c.MOVQ(arg(c, "w"), k.w)
	if k.taps == 3 {
		for i := range 12 {
			k.move(k.weight(i), k.v[i])
		}
	}
	c.XORQ(k.out, k.out)
	c.MOVQ(arg(c, "left"), k.col)
	c.NEGQ(k.col)
	c.MOVQ(arg(c, "xPix"), k.off)
	c.IMULQ(k.col, k.off)
	k.outs()
	c.Label("next")
	for i := range k.x {
		c.ADDQ(operand.I32(k.bytes), k.x[i])
	}
	for _, s := range []struct {
		name string
		step int
	}{{"w", 4 * k.taps * k.dwords() * k.bytes}, {"bias", 4 * k.bytes}, {"m", 4 * k.bytes}, {"z", k.bytes}, {"y", k.bytes}, {"acc", 4 * k.bytes}, {"f", 4 * k.bytes}} {
		c.ADDQ(operand.I32(s.step), arg(c, s.name))
	}
	c.DECQ(arg(c, "blocks"))
	c.JNE(operand.LabelRef("block"))
	c.VZEROUPPER()
	c.RET()
	for i, l := range k.pads {
		c.Label(l)
		for j := range 4 {
			c.VPBROADCASTD(k.number["pad"], k.v[24+j])
			if k.taps == 5 {
				c.VPBROADCASTD(k.number["pad"], k.v[20+j])
			}
		}
		c.JMP(operand.LabelRef(fmt.Sprintf("column%d", i)))
	}
}

// move is an unmasked load or store.
func (k *int8Row) move(from, to operand.Op) { k.c.VMOVDQU32(from, to) }

// read reads codes.
func (k *int8Row) read(from operand.Op, to reg.Register) {
	if k.partial {
		k.c.VMOVDQU8_Z(from, reg.K1, to)
	} else {
		k.move(from, to)
	}
}

// dwords is the number of dwords that hold a column of a channel.
func (k *int8Row) dwords() int { return (k.taps + 3) / 4 }

// weight is vector i of a block's weights: those of the first four rows, four vectors a tap, then those of the fifth.
func (k *int8Row) weight(i int) operand.Mem { return operand.Mem{Base: k.w, Disp: k.bytes * i} }

// outs computes a row: a column serves the outputs that it has a tap of.
func (k *int8Row) outs() {
	c, n, step := k.c, k.taps, k.stride
	sets := (n + step - 1) / step
	// take adds the next column, which is that of tap t of a set and of tap t-step of the next one.
	take := func(set, t int) {
		if t%step == 0 {
			k.bias((set + t/step) % sets)
		}
		k.column()
		for ; t >= 0; t -= step {
			k.dot(set%sets, t)
			set++
		}
	}
	for t := range n - step {
		take(0, t)
	}
	c.Label("outs")
	for set := range sets {
		for t := n - step; t < n; t++ {
			take(set, t)
		}
		k.finish(set)
		c.INCQ(k.out)
		c.CMPQ(k.out, arg(c, "outs"))
		c.JE(operand.LabelRef("next"))
	}
	c.JMP(operand.LabelRef("outs"))
}

// set is accumulator i of a set.
func (k *int8Row) set(set, i int) reg.Register {
	if k.taps == 5 {
		return k.v[4*set+i]
	}
	return k.v[12+4*set+i]
}

// bias starts a set.
func (k *int8Row) bias(set int) {
	b := k.c.GP64()
	k.c.MOVQ(arg(k.c, "bias"), b)
	for i := range 4 {
		k.move(operand.Mem{Base: b, Disp: i * k.bytes}, k.set(set, i))
	}
}

// dot adds the products of the column and the taps kw.
func (k *int8Row) dot(set, kw int) {
	for i := range 4 {
		if k.taps == 3 {
			k.c.VPDPBUSD(k.v[4*kw+i], k.v[24+i], k.set(set, i))
			continue
		}
		k.c.VPDPBUSD(k.weight(4*kw+i), k.v[24+i], k.set(set, i))
	}
	if k.taps == 5 {
		for i := range 4 {
			k.c.VPDPBUSD(k.weight(20+4*kw+i), k.v[20+i], k.set(set, i))
		}
	}
}

// column reads the next column of the rows and unpacks it. Bytes of a dword that have no row have no weight.
func (k *int8Row) column() {
	c, n := k.c, len(k.pads)
	k.pads = append(k.pads, fmt.Sprintf("pad%d", n))
	c.CMPQ(k.col, arg(c, "cols"))
	c.JCC(operand.LabelRef(k.pads[n]))
	col, tmp := k.v[24:28], k.v[28:32]
	for i := range min(k.taps, 4) {
		k.read(operand.Mem{Base: k.x[i], Index: k.off, Scale: 1}, col[i])
	}
	fourth := col[min(k.taps, 4)-1]
	c.VPUNPCKLBW(col[1], col[0], tmp[0])
	c.VPUNPCKHBW(col[1], col[0], tmp[1])
	c.VPUNPCKLBW(fourth, col[2], tmp[2])
	c.VPUNPCKHBW(fourth, col[2], tmp[3])
	c.VPUNPCKLWD(tmp[2], tmp[0], col[0])
	c.VPUNPCKHWD(tmp[2], tmp[0], col[1])
	c.VPUNPCKLWD(tmp[3], tmp[1], col[2])
	c.VPUNPCKHWD(tmp[3], tmp[1], col[3])
	if k.taps == 5 {
		fifth := k.v[20:24]
		k.read(operand.Mem{Base: k.x[4], Index: k.off, Scale: 1}, fifth[0])
		c.VPUNPCKLBW(fifth[0], fifth[0], tmp[0])
		c.VPUNPCKHBW(fifth[0], fifth[0], tmp[1])
		c.VPUNPCKLWD(tmp[0], tmp[0], fifth[0])
		c.VPUNPCKHWD(tmp[0], tmp[0], fifth[1])
		c.VPUNPCKLWD(tmp[1], tmp[1], fifth[2])
		c.VPUNPCKHWD(tmp[1], tmp[1], fifth[3])
	}
	c.Label(fmt.Sprintf("column%d", n))
	c.INCQ(k.col)
	c.ADDQ(arg(c, "xPix"), k.off)
}

// finish makes the result of a set.
func (k *int8Row) finish(set int) {
	c := k.c
	added, floats, done := k.label("codes"), k.label("floats"), k.label("done")
	wide := k.label("wide")
	m, at := c.GP64(), c.GP64()
	c.CMPQ(arg(c, "mode"), operand.I8(depthwiseAcc))
	c.JEQ(operand.LabelRef(wide))
	c.MOVQ(arg(c, "m"), m)
	for i := range 4 {
		c.VCVTDQ2PS(k.set(set, i), k.set(set, i))
		c.VMULPS(operand.Mem{Base: m, Disp: i * k.bytes}, k.set(set, i), k.set(set, i))
	}
	c.MOVQ(arg(c, "xPix"), at)
	c.IMULQ(k.out, at)
	c.CMPQ(arg(c, "mode"), operand.I8(depthwiseAdded))
	c.JCS(operand.LabelRef(added))
	c.JNE(operand.LabelRef(floats))
	k.add(set, at)
	c.Label(added)
	for i := range 4 {
		c.VCVTPS2DQ(k.set(set, i), k.set(set, i))
	}
	low, high, t := k.set(set, 0), k.set(set, 2), k.v[28]
	c.VPACKSSDW(k.set(set, 1), low, low)
	c.VPACKSSDW(k.set(set, 3), high, high)
	c.VPBROADCASTD(k.number["zero"], t)
	c.VPADDSW(t, low, low)
	c.VPADDSW(t, high, high)
	c.VPACKUSWB(high, low, low)
	c.VPBROADCASTD(k.number["lo"], t)
	c.VPMAXUB(t, low, low)
	c.VPBROADCASTD(k.number["hi"], t)
	c.VPMINUB(t, low, low)
	c.ADDQ(arg(c, "y"), at)
	if k.partial {
		c.VMOVDQU8(low, reg.K1, operand.Mem{Base: at})
	} else {
		k.move(low, operand.Mem{Base: at})
	}
	c.JMP(operand.LabelRef(done))
	c.Label(wide)
	k.storeWide(set, "acc")
	c.JMP(operand.LabelRef(done))
	c.Label(floats)
	k.storeWide(set, "f")
	c.Label(done)
}

// add adds float32(z - zzero)·mz.
func (k *int8Row) add(set int, at reg.GPVirtual) {
	c, z, tmp := k.c, k.v[24:28], k.v[28:32]
	p := c.GP64()
	c.MOVQ(arg(c, "z"), p)
	k.read(operand.Mem{Base: p, Index: at, Scale: 1}, tmp[0])
	c.VPXORD(tmp[1], tmp[1], tmp[1])
	c.VPUNPCKLBW(tmp[1], tmp[0], tmp[2])
	c.VPUNPCKHBW(tmp[1], tmp[0], tmp[3])
	c.VPUNPCKLWD(tmp[1], tmp[2], z[0])
	c.VPUNPCKHWD(tmp[1], tmp[2], z[1])
	c.VPUNPCKLWD(tmp[1], tmp[3], z[2])
	c.VPUNPCKHWD(tmp[1], tmp[3], z[3])
	for i := range z {
		c.VPSUBD_BCST(k.number["zzero"], z[i], z[i])
		c.VCVTDQ2PS(z[i], z[i])
		c.VMULPS_BCST(arg(c, "mz"), z[i], z[i])
		c.VADDPS(z[i], k.set(set, i), k.set(set, i))
	}
}

// storeWide stores the 32-bit numbers of a set in their natural order, which is the transpose of its lanes.
func (k *int8Row) storeWide(set int, to string) {
	c, t := k.c, k.v[24:32]
	s := []reg.Register{k.set(set, 0), k.set(set, 1), k.set(set, 2), k.set(set, 3)}
	p := c.GP64()
	c.MOVQ(arg(c, "xPix"), p)
	c.IMULQ(k.out, p)
	c.SHLQ(operand.U8(2), p)
	c.ADDQ(arg(c, to), p)
	switch k.bytes {
	case 64:
		c.VSHUFI32X4(operand.U8(0x44), s[1], s[0], t[0])
		c.VSHUFI32X4(operand.U8(0xee), s[1], s[0], t[1])
		c.VSHUFI32X4(operand.U8(0x44), s[3], s[2], t[2])
		c.VSHUFI32X4(operand.U8(0xee), s[3], s[2], t[3])
		c.VSHUFI32X4(operand.U8(0x88), t[2], t[0], s[0])
		c.VSHUFI32X4(operand.U8(0xdd), t[2], t[0], s[1])
		c.VSHUFI32X4(operand.U8(0x88), t[3], t[1], s[2])
		c.VSHUFI32X4(operand.U8(0xdd), t[3], t[1], s[3])
	case 32:
		c.VSHUFI32X4(operand.U8(0), s[1], s[0], t[0])
		c.VSHUFI32X4(operand.U8(0), s[3], s[2], t[1])
		c.VSHUFI32X4(operand.U8(3), s[1], s[0], t[2])
		c.VSHUFI32X4(operand.U8(3), s[3], s[2], t[3])
		s = t
	}
	for i := range 4 {
		if !k.partial {
			k.move(s[i], operand.Mem{Base: p, Disp: i * k.bytes})
			continue
		}
		c.KSHIFTRQ(operand.U8(i*k.bytes/4), reg.K1, reg.K2)
		c.VMOVDQU32(s[i], reg.K2, operand.Mem{Base: p, Disp: i * k.bytes})
	}
}
