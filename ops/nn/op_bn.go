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
	x          *grid.Value
	dx         convbn.Grad
	a, b, k    []float32
	unit, mul  []float32
	bias       []int32
	req        kernel.Requant
	batch      bool
	exact      bool
	sumTask    func(i, worker int)
	gateTask   func(i, worker int)
	centreTask func(i, worker int)
}

func newBNOp(e *Net, c *cell, _ *plan) *bnOp {
	n := c.shape.C
	o := &bnOp{e: e, c: c, norm: convbn.NewNorm(n), bias: make([]int32, n)}
	for _, s := range []*[]float32{&o.a, &o.b, &o.k, &o.unit, &o.mul} {
		*s = make([]float32, n)
	}
	o.out.Init(e.m)
	o.out.Fill, o.out.Target = o.fill, o.target
	o.sumTask, o.gateTask, o.centreTask = o.sumChunk, o.gateChunk, o.centreChunk
	return o
}

func (o *bnOp) bind() { o.out.Out, o.out.Codes, o.out.Mask = o.c.out, o.c.codes, o.c.mask }

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
	w := grid.Valued
	if o.exact {
		o.affine()
		w = grid.Exact
	}
	o.out.Begin(st, &o.c.quant, w)
	return o.out.Forward(st, &o.c.quant)
}

// affine settles the int8 model's expression.
func (o *bnOp) affine() {
	for c := range o.a {
		m, b := affineOf(o.c.bn, c, o.x.Q.Scale)
		o.unit[c], o.bias[c] = o.x.Q.Scale*m, b
	}
}

func (o *bnOp) target(q kernel.Quant) { o.req = grid.Requant(o.unit, o.mul, nil, q, kernel.None) }

// plain returns the input's elements as float32, codes less their zero point.
func (o *bnOp) plain(e0, e1, worker int) []float32 {
	if !o.x.On {
		return o.x.Data[e0:e1]
	}
	s := o.e.m.Block[worker].F32[:e1-e0]
	o.e.set.Values(o.x.Codes[e0:e1], o.x.Q.Zero, 1, s)
	return s
}

func (o *bnOp) sumChunk(i, worker int) {
	e0, e1 := o.out.Elements(i)
	sum, sq := o.e.m.Partial(i, o.c.shape.C)
	lo, hi := o.e.m.Extremes(i, o.c.shape.C)
	o.e.set.ChannelStats(o.plain(e0, e1, worker), sum, sq, lo, hi)
}

func (o *bnOp) fill(i, worker int, codes bool, mask []uint8) {
	e0, e1 := o.out.Elements(i)
	if !o.exact {
		o.e.set.Affine(o.plain(e0, e1, worker), kernel.Operand{}, o.out.Dst[e0:e1], mask, o.a, o.b, kernel.None)
		return
	}
	acc := o.e.m.Block[worker].I32[:e1-e0]
	o.e.set.Widen(o.x.Codes[e0:e1], o.x.Q.Zero, acc)
	if codes {
		o.e.set.Requantize(acc, o.bias, nil, o.out.Codes[e0:e1], mask, o.c.shape.C, &o.req)
	} else {
		o.e.set.Dequantize(acc, o.bias, o.out.Dst[e0:e1], o.c.shape.C, o.unit)
	}
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

func (o *bnOp) gateChunk(i, worker int) {
	e0, e1 := o.out.Elements(i)
	sum, prod := o.e.m.Partial(i, o.c.shape.C)
	o.e.set.GateSums(o.c.grad[e0:e1], o.out.Gate(e0, e1), o.plain(e0, e1, worker), nil, sum, prod)
}

func (o *bnOp) centreChunk(i, worker int) {
	e0, e1 := o.out.Elements(i)
	g := o.c.grad[e0:e1]
	o.e.set.GateAffine(g, o.out.Gate(e0, e1), o.plain(e0, e1, worker), g, o.a, o.k, o.b)
	o.e.set.Gate(g, nil, o.dx.Data[e0:e1], o.dx.Add)
}
