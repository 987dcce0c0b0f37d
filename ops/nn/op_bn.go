package nn

import (
	"qpipe/ops/convbn"
	"qpipe/ops/grid"
	"qpipe/ops/kernel"
)

// bnOp is a BN that follows no convolution. With running statistics and an input on
// a grid it computes as the int8 model does.
type bnOp struct {
	e          *Net
	c          *cell
	out        grid.Output
	norm       *convbn.Norm
	ep         grid.Epilogue
	x          *grid.Value
	dx         convbn.Grad
	a, b, k    []float32
	zero       []float32
	tmp        []float32
	batch      bool
	exact      bool
	sumTask    func(i, worker int)
	gateTask   func(i, worker int)
	centreTask func(i, worker int)
}

func newBNOp(e *Net, c *cell, p *plan) *bnOp {
	n := c.shape.C
	o := &bnOp{e: e, c: c, norm: convbn.NewNorm(n), ep: grid.NewEpilogue(n, kernel.None)}
	o.a, o.b, o.k, o.zero = make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n)
	o.out.Init(e.m)
	o.out.Fill, o.out.Target = o.fill, o.ep.Target
	o.sumTask, o.gateTask, o.centreTask = o.sumChunk, o.gateChunk, o.centreChunk
	if e.training {
		p.f32.lease(&o.tmp, e.batch*c.shape.WithN(1).Len(), e.back(c.i), e.back(c.i))
	}
	return o
}

func (o *bnOp) bind() { o.out.Out, o.out.Mask = o.c.out, o.c.mask }

func (o *bnOp) forward(n int, st grid.Step) grid.Value {
	s, bn := o.c.shape, o.c.bn
	o.x = &o.e.cells[o.c.in[0]].val
	o.batch = st.Train && !bn.Frozen
	o.exact = st.Quantize && o.x.On && !o.batch
	o.out.Bind(n*s.H, s.W*s.C)
	if o.batch {
		o.e.pool.Run(o.out.Cut.N, o.sumTask)
	}
	for c := range o.a {
		o.norm.Unit(c, float64(o.x.Unit()))
		if o.batch {
			sum, sq := o.e.m.Total(o.out.Cut.N, s.C, c)
			o.a[c], o.b[c] = o.norm.Batch(c, bn, 0, sum, sq, float64(n*s.H*s.W))
		} else {
			o.a[c], o.b[c] = o.norm.Running(c, bn, 0)
		}
	}
	if o.exact {
		o.affine()
	}
	return o.out.Forward(n*s.H, s.W*s.C, st, &o.c.quant, o.exact)
}

// affine settles the int8 model's expression.
func (o *bnOp) affine() {
	for c := range o.a {
		m, b := affineOf(o.c.bn, c, o.x.Q.Scale)
		o.ep.Unit[c], o.ep.Bias[c] = o.x.Q.Scale*m, float64(b)
	}
	o.ep.Settle(maxCode)
}

func (o *bnOp) sumChunk(i, _ int) {
	e0, e1 := o.out.Range(i)
	sum, sq := o.e.m.Partial(i, o.c.shape.C)
	x := o.x.Data[e0:e1]
	o.e.set.ChannelSums(x, x, sum, sq)
}

func (o *bnOp) fill(i, _ int, codes bool, mask []uint8) {
	e0, e1 := o.out.Range(i)
	x, y := o.x.Data[e0:e1], o.c.out[e0:e1]
	if o.exact {
		grid.Fill(&o.ep, x, nil, y, codes, mask)
		return
	}
	o.e.set.ScaleShift(x, nil, y, o.a, o.b, kernel.None)
}

func (o *bnOp) backward(n int) {
	s := o.c.shape
	o.dx = o.e.gradOf(o.c.in[0])
	o.e.pool.Run(o.out.Cut.N, o.gateTask)
	for c := range o.a {
		g, gx := o.e.m.Total(o.out.Cut.N, s.C, c)
		o.a[c], o.k[c], o.b[c] = o.norm.Backward(c, o.c.bn, o.batch, 0, g, gx, float64(n*s.H*s.W))
	}
	if o.dx.Data != nil {
		o.e.pool.Run(o.out.Cut.N, o.centreTask)
	}
}

func (o *bnOp) gateChunk(i, _ int) {
	e0, e1 := o.out.Range(i)
	g := o.c.grad[e0:e1]
	o.out.Gate(i, g)
	sum, prod := o.e.m.Partial(i, o.c.shape.C)
	o.e.set.ChannelSums(g, o.x.Data[e0:e1], sum, prod)
}

func (o *bnOp) centreChunk(i, _ int) {
	e0, e1 := o.out.Range(i)
	g, t := o.c.grad[e0:e1], o.tmp[e0:e1]
	o.e.set.ScaleShift(o.x.Data[e0:e1], nil, t, o.k, o.b, kernel.None)
	o.e.set.ScaleShift(g, t, g, o.a, o.zero, kernel.None)
	o.e.give(o.dx, g, e0, e1)
}
