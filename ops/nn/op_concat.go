package nn

import (
	"qpipe/ops/convbn"
	"qpipe/ops/grid"
	"qpipe/ops/kernel"
	"qpipe/ops/quant"
)

// concatOp joins values along the channels.
type concatOp struct {
	e     *Net
	c     *cell
	out   grid.Output
	parts []joint
	back  func(i, worker int)
}

// joint is one input of a concat.
type joint struct {
	x         *grid.Value
	width     int
	unit, mul []float32
	req       kernel.Requant
	dx        convbn.Grad
}

func newConcatOp(e *Net, c *cell) *concatOp {
	o := &concatOp{e: e, c: c}
	for _, j := range c.in {
		w := e.g.nodes[j].shape.C
		o.parts = append(o.parts, joint{width: w, unit: make([]float32, w), mul: make([]float32, w)})
	}
	o.out.Init(e.m)
	o.out.Fill, o.out.Target, o.out.Format, o.back = o.fill, o.target, o.format, o.backChunk
	return o
}

func (o *concatOp) bind() { o.out.Out, o.out.Codes, o.out.Mask = o.c.out, o.c.codes, o.c.mask }

func (o *concatOp) forward(n int, st grid.Step) grid.Value {
	s, w := o.c.shape, grid.Exact
	for k, j := range o.c.in {
		p := &o.parts[k]
		p.x = &o.e.cells[j].val
		if !p.x.On {
			w = grid.Valued
		}
		for c := range p.unit {
			p.unit[c] = p.x.Unit()
		}
	}
	o.out.Bind(n*s.H, s.W*s.C)
	o.out.Begin(st, &o.c.quant, w)
	return o.out.Forward(st, &o.c.quant)
}

// format is the node's own, or that of all inputs where it is one.
func (o *concatOp) format(q *quant.Node) (f kernel.Quant, on, codes bool) {
	own, on, codes := grid.Format(q)
	if !on || !codes {
		return own, on, codes
	}
	first := o.parts[0].x
	for _, p := range o.parts {
		if !p.x.On || p.x.Q != first.Q {
			return own, true, true
		}
	}
	return joined(own, first.Q), true, true
}

func (o *concatOp) target(q kernel.Quant) {
	for k := range o.parts {
		p := &o.parts[k]
		p.req = grid.Requant(p.unit, p.mul, nil, q, kernel.None)
	}
}

func (o *concatOp) fill(i, worker int, codes bool, mask []uint8) {
	e0, e1 := o.out.Elements(i)
	c, at := o.c.shape.C, 0
	clear(mask)
	for k := range o.parts {
		p := &o.parts[k]
		p0, p1 := e0/c*p.width, e1/c*p.width
		b := o.e.m.Block[worker]
		if codes {
			y, bits := b.U8[:p1-p0], []uint8(nil)
			if mask != nil {
				bits = b.U8[p1-p0:][:(p1-p0+7)/8]
			}
			o.e.set.Widen(p.x.Codes[p0:p1], p.x.Q.Zero, b.I32[:p1-p0])
			o.e.set.Requantize(b.I32[:p1-p0], nil, nil, y, bits, p.width, &p.req)
			spread(y, o.out.Codes[e0+at:e1], p.width, c)
			interleave(bits, mask, p.width, c, at, p1-p0)
		} else {
			x := b.F32[:p1-p0]
			if p.x.On {
				o.e.set.Values(p.x.Codes[p0:p1], p.x.Q.Zero, p.x.Q.Scale, x)
			} else {
				x = p.x.Data[p0:p1]
			}
			spread(x, o.out.Dst[e0+at:e1], p.width, c)
		}
		at += p.width
	}
}

// spread writes rows of width elements to where they lie step apart in y.
func spread[T any](x, y []T, width, step int) {
	for i := 0; i < len(x); i += width {
		copy(y[i/width*step:], x[i:i+width])
	}
}

// interleave sets the bits of rows of width elements in the mask of rows of step elements, from at on.
func interleave(bits, mask []uint8, width, step, at, n int) {
	if mask == nil {
		return
	}
	for i := range n {
		k := i/width*step + at + i%width
		mask[k/8] |= bits[i/8] >> (i % 8) & 1 << (k % 8)
	}
}

func (o *concatOp) backward(int) {
	for k, j := range o.c.in {
		o.parts[k].dx = o.e.gradOf(j)
	}
	o.e.pool.Run(o.out.Cut.N, o.back)
}

func (o *concatOp) backChunk(i, _ int) {
	e0, e1 := o.out.Elements(i)
	c, at := o.c.shape.C, 0
	g := o.c.grad[e0:e1]
	if mask := o.out.Gate(e0, e1); mask != nil {
		o.e.set.Gate(g, mask, g, false)
	}
	for k := range o.parts {
		p := &o.parts[k]
		for j := e0 / c; j < e1/c; j++ {
			o.e.give(p.dx, o.c.grad[j*c+at:j*c+at+p.width], j*p.width, (j+1)*p.width)
		}
		at += p.width
	}
}
