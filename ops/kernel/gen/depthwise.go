package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// depthwiseCols is the largest number of outputs of a row that are computed at once.
const depthwiseCols = 8

// depthwiseForms are the kernels of one row of taps: kw taps at a step of stride
// columns from output to output. The form of one tap takes any step, as xPix.
var depthwiseForms = []struct{ kw, stride int }{{1, 1}, {2, 1}, {3, 1}, {3, 2}, {5, 1}, {5, 2}}

// lanes is the vector that a kernel over channels uses: 512 bits with masks, or 256 bits.
type lanes struct {
	c    *build.Context
	wide bool
}

// n is the number of float32 in a vector.
func (l lanes) n() int {
	if l.wide {
		return 16
	}
	return 8
}

func (l lanes) reg() reg.VecVirtual {
	if l.wide {
		return l.c.ZMM()
	}
	return l.c.YMM()
}

// zero clears v.
func (l lanes) zero(v reg.Register) {
	if l.wide {
		l.c.VPXORD(v, v, v)
	} else {
		l.c.VXORPS(v, v, v)
	}
}

// tail holds what a partial vector needs: a mask register, or where a mask lies in memory.
type tail struct {
	k    reg.OpmaskVirtual
	mask operand.Mem
}

// load reads a vector, or its first lanes where t is not nil and zeros beyond.
func (l lanes) load(m operand.Op, v reg.Register, t *tail) {
	switch {
	case t == nil:
		l.c.VMOVUPS(m, v)
	case l.wide:
		l.c.VMOVUPS_Z(m, t.k, v)
	default:
		l.c.VMOVUPS(t.mask, v)
		l.c.VMASKMOVPS(m, v, v)
	}
}

// store writes a vector, or its first lanes; spare is a register for the mask.
func (l lanes) store(v reg.Register, m operand.Op, t *tail, spare reg.Register) {
	switch {
	case t == nil:
		l.c.VMOVUPS(v, m)
	case l.wide:
		l.c.VMOVUPS(v, t.k, m)
	default:
		l.c.VMOVUPS(t.mask, spare)
		l.c.VMASKMOVPS(v, spare, m)
	}
}

// tail makes the tail for count lanes; it uses tmp for good in the narrow form.
func (l lanes) tail(count operand.Op, masks operand.Mem, tmp reg.GPVirtual) *tail {
	if l.wide {
		k := l.c.K()
		l.c.MOVQ(operand.I32(-1), tmp)
		n := l.c.GP64()
		l.c.MOVQ(count, n)
		l.c.BZHIQ(n, tmp, tmp)
		l.c.KMOVW(tmp.As32(), k)
		return &tail{k: k}
	}
	l.c.LEAQ(masks, tmp)
	n := l.c.GP64()
	l.c.MOVQ(count, n)
	l.c.NEGQ(n)
	l.c.LEAQ(operand.Mem{Base: tmp, Index: n, Scale: 4, Disp: 32}, tmp)
	return &tail{mask: operand.Mem{Base: tmp}}
}

// depthwiseData are a vector of zeros that columns beyond the edge are read from, and the masks.
func depthwiseData(c *build.Context) (zeros, masks operand.Mem) {
	zeros = c.StaticGlobal("depthwiseZeros")
	c.DataAttributes(attr.RODATA | attr.NOPTR)
	for i := range 8 {
		c.AddDatum(8*i, operand.U64(0))
	}
	masks = c.StaticGlobal("depthwiseMasks")
	c.DataAttributes(attr.RODATA | attr.NOPTR)
	for i := range 8 {
		v := operand.U64(0)
		if i < 4 {
			v = ^v
		}
		c.AddDatum(8*i, v)
	}
	return zeros, masks
}

// arg is the memory of an argument.
func arg(c *build.Context, name string) operand.Mem {
	b, err := c.Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return b.Addr
}

// edge tells whether a column may lie beyond the image: of each side one column
// where there is one tap, else two.
func edge(col, cols, kw int) bool {
	n := 2
	if kw == 1 {
		n = 1
	}
	return col < n || col >= cols-n
}

// columns walks over the input columns of a tile and yields where each lies. The
// column j lies at p + j·pix; those beyond the edge (bit j of valid is 0) are read from zeros.
type columns struct {
	c                       *build.Context
	pix, pix3, valid, zeros reg.GPVirtual
	q                       reg.GPVirtual
}

func (w *columns) start(p reg.GPVirtual) {
	w.q = w.c.GP64()
	w.c.MOVQ(p, w.q)
}

func (w *columns) at(j int, edge bool) operand.Mem {
	if j > 0 && j%5 == 0 {
		w.c.LEAQ(operand.Mem{Base: w.q, Index: w.pix, Scale: 4}, w.q)
		w.c.ADDQ(w.pix, w.q)
	}
	m := operand.Mem{Base: w.q}
	switch j % 5 {
	case 1, 2, 4:
		m.Index, m.Scale = w.pix, uint8(j%5)
	case 3:
		m.Index, m.Scale = w.pix3, 1
	}
	if !edge {
		return m
	}
	tmp := w.c.GP64()
	w.c.LEAQ(m, tmp)
	w.c.BTQ(operand.U8(j), w.valid)
	w.c.CMOVQCC(w.zeros, tmp)
	return operand.Mem{Base: tmp}
}

// depthwiseRows writes the forward kernels (and, on gradients, those of backward data).
func depthwiseRows(wide bool) func(c *build.Context) {
	return func(c *build.Context) {
		zeros, masks := depthwiseData(c)
		for _, f := range depthwiseForms {
			name := fmt.Sprintf("depthwiseRow%ds%d", f.kw, f.stride)
			c.Function(name)
			c.Pragma("noescape")
			c.Doc(name+" computes y[t,c] = Σ x[i, t·step+j, c]·w[i, j, c] over i < rows and j < "+fmt.Sprint(f.kw)+", in that order; with add it is added to y.",
				"Tiles of cols outputs lie one behind the other; where a bit of first (of the first tile) or last is 0 the",
				"column of x counts as zeros. Channels are blocks full vectors and, where cols is 1, tail more; steps are in bytes; x begins at xOff.")
			c.SignatureExpr("func(x, w, y *float32, cols, tiles, blocks, tail, rows, xOff, xRow, xPix, wRow, wBlock, yPix int, first, last uint64, add int)")
			for cols := depthwiseCols; cols >= 1; cols-- {
				if cols > 1 {
					c.CMPQ(arg(c, "cols"), operand.I8(cols))
					c.JNE(operand.LabelRef(fmt.Sprintf("not%d", cols)))
				}
				rowTile(lanes{c, wide}, f.kw, f.stride, cols, zeros, masks)
				if cols > 1 {
					c.Label(fmt.Sprintf("not%d", cols))
				}
			}
		}
	}
}

// walk writes the loops over tiles and channels around body, which gets the pointers
// of its block. The arguments named in ptrs are advanced in memory from tile to tile.
type walk struct {
	l            lanes
	kw, stride   int
	cols         int
	zeros, masks operand.Mem
}

// loop writes the loops. step tells by what each pointer advances: from tile to tile (an argument's name and a factor)
// and from block to block in bytes or by an argument.
type pointer struct {
	name    string
	tile    string // argument that is the step of a column, "" for none
	columns int    // of it a tile
	block   string // argument that is the step of a block, "" for a vector
}

func (w *walk) loop(ptrs []pointer, body func(cols *columns, p []reg.GPVirtual, t *tail)) {
	c, l := w.l.c, w.l
	label := func(s string) string { return fmt.Sprintf("%s%d", s, w.cols) }
	pix, pix3, valid, z := c.GP64(), c.GP64(), c.GP64(), c.GP64()
	cs := &columns{c: c, pix: pix, pix3: pix3, valid: valid, zeros: z}
	p := make([]reg.GPVirtual, len(ptrs))
	for i := range p {
		p[i] = c.GP64()
	}
	count := c.AllocLocal(8)
	tmp := c.GP64()
	c.MOVQ(arg(c, "xPix"), pix)
	c.LEAQ(operand.Mem{Base: pix, Index: pix, Scale: 2}, pix3)
	c.LEAQ(w.zeros, z)
	c.MOVQ(arg(c, "xOff"), tmp)
	c.ADDQ(tmp, arg(c, "x"))
	c.Label(label("tile"))
	c.MOVQ(arg(c, "first"), valid)
	c.MOVQ(operand.I32(-1), tmp)
	c.MOVQ(tmp, arg(c, "first"))
	c.CMPQ(arg(c, "tiles"), operand.I8(1))
	c.JNE(operand.LabelRef(label("inner")))
	c.ANDQ(arg(c, "last"), valid)
	c.Label(label("inner"))
	for i := range p {
		c.MOVQ(arg(c, ptrs[i].name), p[i])
	}
	c.MOVQ(arg(c, "blocks"), tmp)
	c.TESTQ(tmp, tmp)
	c.JE(operand.LabelRef(label("rest")))
	c.MOVQ(tmp, count)
	c.Label(label("block"))
	body(cs, p, nil)
	for i, q := range ptrs {
		if q.block == "" {
			c.ADDQ(operand.I32(4*l.n()), p[i])
		} else {
			c.ADDQ(arg(c, q.block), p[i])
		}
	}
	c.DECQ(count)
	c.JNE(operand.LabelRef(label("block")))
	c.Label(label("rest"))
	if w.cols == 1 {
		c.CMPQ(arg(c, "tail"), operand.I8(0))
		c.JE(operand.LabelRef(label("next")))
		body(cs, p, l.tail(arg(c, "tail"), w.masks, c.GP64()))
		c.Label(label("next"))
	}
	for _, q := range ptrs {
		if q.tile != "" {
			step := c.GP64()
			c.MOVQ(arg(c, q.tile), step)
			c.IMUL3Q(operand.I32(q.columns), step, step)
			c.ADDQ(step, arg(c, q.name))
		}
	}
	c.DECQ(arg(c, "tiles"))
	c.JNE(operand.LabelRef(label("tile")))
	c.VZEROUPPER()
	c.RET()
}

// rowTile writes the kernel for one number of outputs.
func rowTile(l lanes, kw, stride, cols int, zeros, masks operand.Mem) {
	c := l.c
	w := &walk{l: l, kw: kw, stride: stride, cols: cols, zeros: zeros, masks: masks}
	ptrs := []pointer{{"x", "xPix", cols * stride, ""}, {"y", "yPix", cols, ""}, {"w", "", 0, "wBlock"}}
	bodies := 0
	w.loop(ptrs, func(cs *columns, p []reg.GPVirtual, t *tail) {
		bodies++
		label := func(s string) string { return fmt.Sprintf("%s%d_%d", s, cols, bodies) }
		x, y := p[0], p[1]
		acc := make([]reg.VecVirtual, cols)
		for i := range acc {
			acc[i] = l.reg()
			l.zero(acc[i])
		}
		rows := c.GP64()
		c.MOVQ(arg(c, "rows"), rows)
		c.TESTQ(rows, rows)
		c.JE(operand.LabelRef(label("done")))
		px, pw := c.GP64(), c.GP64()
		c.MOVQ(x, px)
		c.MOVQ(p[2], pw)
		c.Label(label("row"))
		taps := make([]reg.VecVirtual, kw)
		for i := range taps {
			taps[i] = l.reg()
			c.VMOVUPS(operand.Mem{Base: pw, Disp: 4 * l.n() * i}, taps[i])
		}
		cs.start(px)
		in := (cols-1)*stride + kw
		for j := range in {
			v := l.reg()
			l.load(cs.at(j, edge(j, in, kw)), v, t)
			for tap := range taps {
				if d := j - tap; d >= 0 && d%stride == 0 && d/stride < cols {
					c.VFMADD231PS(v, taps[tap], acc[d/stride])
				}
			}
		}
		c.ADDQ(arg(c, "xRow"), px)
		c.ADDQ(arg(c, "wRow"), pw)
		c.DECQ(rows)
		c.JNE(operand.LabelRef(label("row")))
		c.Label(label("done"))
		out, spare := c.GP64(), l.reg()
		c.CMPQ(arg(c, "add"), operand.I8(0))
		c.JE(operand.LabelRef(label("store")))
		c.MOVQ(y, out)
		for i := range acc {
			l.load(operand.Mem{Base: out}, spare, t)
			c.VADDPS(acc[i], spare, acc[i])
			c.ADDQ(arg(c, "yPix"), out)
		}
		c.Label(label("store"))
		c.MOVQ(y, out)
		for i := range acc {
			l.store(acc[i], operand.Mem{Base: out}, t, spare)
			c.ADDQ(arg(c, "yPix"), out)
		}
	})
}
