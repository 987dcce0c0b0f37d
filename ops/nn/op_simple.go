package nn

import (
	"qpipe/ops/convbn"
	"qpipe/ops/grid"
	"qpipe/ops/kernel"
)

// inputOp brings the images in.
type inputOp struct {
	e   *Net
	c   *cell
	out grid.Output
}

func newInputOp(e *Net, c *cell) *inputOp {
	o := &inputOp{e: e, c: c}
	o.out.Init(e.m)
	o.out.Fill = o.fill
	return o
}

func (o *inputOp) bind() { o.out.Out, o.out.Mask = o.c.out, o.c.mask }

func (o *inputOp) forward(n int, st grid.Step) grid.Value {
	s := o.c.shape
	if !o.c.quant.Spec.Quantized() {
		return grid.Value{Data: o.e.x}
	}
	return o.out.Forward(n*s.H, s.W*s.C, st, &o.c.quant, false)
}

func (o *inputOp) fill(i, _ int, _ bool, _ []uint8) {
	e0, e1 := o.out.Range(i)
	copy(o.c.out[e0:e1], o.e.x[e0:e1])
}

func (o *inputOp) backward(n int) {
	for i := range o.out.Cut.N {
		e0, e1 := o.out.Range(i)
		o.out.Gate(i, o.c.grad[e0:e1])
	}
}

// maxCode bounds a code less its zero point.
const maxCode = 255

// addOp adds two values where no convolution could take the addition.
type addOp struct {
	e    *Net
	c    *cell
	out  grid.Output
	ep   grid.Epilogue
	a, b *grid.Value
	da   convbn.Grad
	db   convbn.Grad
	back func(i, worker int)
}

func newAddOp(e *Net, c *cell) *addOp {
	o := &addOp{e: e, c: c, ep: grid.NewEpilogue(c.shape.C, kernel.None)}
	o.out.Init(e.m)
	o.out.Fill, o.out.Target, o.back = o.fill, o.ep.Target, o.backChunk
	o.ep.Settle(maxCode)
	return o
}

func (o *addOp) bind() { o.out.Out, o.out.Mask = o.c.out, o.c.mask }

func (o *addOp) forward(n int, st grid.Step) grid.Value {
	s := o.c.shape
	o.a, o.b = &o.e.cells[o.c.in[0]].val, &o.e.cells[o.c.in[1]].val
	for c := range o.ep.Unit {
		o.ep.Unit[c] = o.a.Unit()
	}
	o.ep.UZ = o.b.Unit()
	return o.out.Forward(n*s.H, s.W*s.C, st, &o.c.quant, o.a.On && o.b.On)
}

func (o *addOp) fill(i, _ int, codes bool, mask []uint8) {
	e0, e1 := o.out.Range(i)
	a, b, y := o.a.Data[e0:e1], o.b.Data[e0:e1], o.c.out[e0:e1]
	if !o.a.On && !o.b.On {
		o.e.set.Add(a, b, y, kernel.None)
		return
	}
	grid.Fill(&o.ep, a, b, y, codes, mask)
}

func (o *addOp) backward(int) {
	o.da, o.db = o.e.gradOf(o.c.in[0]), o.e.gradOf(o.c.in[1])
	o.e.pool.Run(o.out.Cut.N, o.back)
}

func (o *addOp) backChunk(i, _ int) {
	e0, e1 := o.out.Range(i)
	g := o.c.grad[e0:e1]
	o.out.Gate(i, g)
	o.e.give(o.da, g, e0, e1)
	o.e.give(o.db, g, e0, e1)
}

// give hands g to elements e0 to e1 of a gradient.
func (e *Net) give(d convbn.Grad, g []float32, e0, e1 int) {
	switch {
	case d.Data == nil:
	case d.Add:
		e.set.AddTo(g, d.Data[e0:e1])
	default:
		copy(d.Data[e0:e1], g)
	}
}

// actOp is an activation of its own. It passes codes on.
type actOp struct {
	e           *Net
	c           *cell
	cut         grid.Cut
	width       int
	x           *grid.Value
	top         float32 // where the linear part ends, in units of the data
	dx          convbn.Grad
	forth, back func(i, worker int)
}

func newActOp(e *Net, c *cell) *actOp {
	o := &actOp{e: e, c: c}
	o.forth, o.back = o.forwardChunk, o.backChunk
	return o
}

func (o *actOp) forward(n int, _ grid.Step) grid.Value {
	s := o.c.shape
	o.width, o.cut = s.W*s.C, grid.NewCut(n*s.H, s.W*s.C)
	o.x = &o.e.cells[o.c.in[0]].val
	o.top = grid.Top(o.x, o.c.act)
	o.e.pool.Run(o.cut.N, o.forth)
	return grid.Value{Data: o.c.out, On: o.x.On, Q: o.x.Q}
}

func (o *actOp) rows(i int) (int, int) {
	r0, r1 := o.cut.Range(i)
	return r0 * o.width, r1 * o.width
}

func (o *actOp) forwardChunk(i, _ int) {
	e0, e1 := o.rows(i)
	grid.Clip(o.x.Data[e0:e1], o.c.out[e0:e1], o.top)
}

func (o *actOp) backward(int) {
	o.dx = o.e.gradOf(o.c.in[0])
	o.e.pool.Run(o.cut.N, o.back)
}

func (o *actOp) backChunk(i, _ int) {
	e0, e1 := o.rows(i)
	g := o.c.grad[e0:e1]
	grid.ClipBackward(o.c.out[e0:e1], g, o.top)
	o.e.give(o.dx, g, e0, e1)
}
