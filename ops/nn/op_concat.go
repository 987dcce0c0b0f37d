package nn

import (
	"qpipe/ops/convbn"
	"qpipe/ops/grid"
	"qpipe/ops/kernel"
	"qpipe/ops/quant"
)

// concatOp joins values along the channels.
type concatOp struct {
	e    *Net
	c    *cell
	out  grid.Output
	eps  []grid.Epilogue
	dx   []convbn.Grad
	back func(i, worker int)
}

func newConcatOp(e *Net, c *cell) *concatOp {
	o := &concatOp{e: e, c: c, dx: make([]convbn.Grad, len(c.in))}
	for _, j := range c.in {
		ep := grid.NewEpilogue(e.g.nodes[j].shape.C, kernel.None)
		ep.Settle(maxCode)
		o.eps = append(o.eps, ep)
	}
	o.out.Init(e.m)
	o.out.Fill, o.out.Target, o.out.Format, o.back = o.fill, o.target, o.format, o.backChunk
	return o
}

func (o *concatOp) bind() { o.out.Out, o.out.Mask = o.c.out, o.c.mask }

func (o *concatOp) forward(n int, st grid.Step) grid.Value {
	s, exact := o.c.shape, true
	for k, j := range o.c.in {
		v := &o.e.cells[j].val
		exact = exact && v.On
		for c := range o.eps[k].Unit {
			o.eps[k].Unit[c] = v.Unit()
		}
	}
	return o.out.Forward(n*s.H, s.W*s.C, st, &o.c.quant, exact)
}

// format is the node's own, or that of all inputs where it is one.
func (o *concatOp) format(q *quant.Node) (f kernel.Quant, on, codes bool) {
	own, on, codes := grid.Format(q)
	if !on || !codes {
		return own, on, codes
	}
	first := o.e.cells[o.c.in[0]].val
	for _, j := range o.c.in {
		if v := &o.e.cells[j].val; !v.On || v.Q != first.Q {
			return own, true, true
		}
	}
	return joined(own, first.Q), true, true
}

func (o *concatOp) target(q kernel.Quant) {
	for k := range o.eps {
		o.eps[k].Target(q)
	}
}

func (o *concatOp) fill(i, _ int, codes bool, mask []uint8) {
	e0, e1 := o.out.Range(i)
	c := o.c.shape.C
	at := 0
	for k, j := range o.c.in {
		x, w := o.e.cells[j].val.Data, len(o.eps[k].Unit)
		for p := e0 / c; p < e1/c; p++ {
			y := o.c.out[p*c+at : p*c+at+w]
			var m []uint8
			if mask != nil {
				m = mask[p*c+at-e0 : p*c+at+w-e0]
			}
			grid.Fill(&o.eps[k], x[p*w:(p+1)*w], nil, y, codes, m)
		}
		at += w
	}
}

func (o *concatOp) backward(int) {
	for k, j := range o.c.in {
		o.dx[k] = o.e.gradOf(j)
	}
	o.e.pool.Run(o.out.Cut.N, o.back)
}

func (o *concatOp) backChunk(i, _ int) {
	e0, e1 := o.out.Range(i)
	c := o.c.shape.C
	o.out.Gate(i, o.c.grad[e0:e1])
	at := 0
	for k := range o.c.in {
		w := len(o.eps[k].Unit)
		for p := e0 / c; p < e1/c; p++ {
			o.e.give(o.dx[k], o.c.grad[p*c+at:p*c+at+w], p*w, (p+1)*w)
		}
		at += w
	}
}
