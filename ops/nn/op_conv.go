package nn

import (
	"qpipe/ops/convbn"
	"qpipe/ops/grid"
)

// convOp runs a fused conv node.
type convOp struct {
	e    *Net
	c    *cell
	exec *convbn.Exec
	acc  []float32
}

func newConvOp(e *Net, c *cell, p *plan) *convOp {
	o := &convOp{e: e, c: c, exec: convbn.NewExec(c.conv, e.m, e.batch, e.training)}
	e.leaseAcc(c, p, &o.acc)
	o.exec.Remakes = e.remade(c)
	return o
}

// leaseAcc leases room for the accumulators that BN's backward pass reads.
func (e *Net) leaseAcc(c *cell, p *plan, dst *[]float32) {
	if e.training && c.conv.BN != nil {
		p.f32.lease(dst, e.batch*c.shape.WithN(1).Len(), c.i, e.back(c.i))
	}
}

// readers lists the cells that read c's buffer.
func (e *Net) readers(c *cell) []int {
	var r []int
	for i, n := range e.g.nodes {
		for _, j := range n.in {
			if e.g.nodes[i].op != opFlatten && e.rootOf(j) == c.i {
				r = append(r, i)
			}
		}
	}
	return r
}

// rootOf is root while cells are still being made.
func (e *Net) rootOf(j int) int {
	for e.g.nodes[j].op == opFlatten {
		j = e.g.nodes[j].in[0]
	}
	return j
}

func (o *convOp) bind() {
	o.exec.Out, o.exec.Codes, o.exec.Mask, o.exec.Acc = o.c.out, o.c.codes, o.c.mask, o.acc
}

func (o *convOp) forward(n int, st grid.Step) grid.Value {
	var z *grid.Value
	if len(o.c.in) > 1 {
		z = &o.e.cells[o.c.in[1]].val
	}
	return o.exec.Forward(n, st, &o.e.cells[o.c.in[0]].val, z, &o.c.quant)
}

func (o *convOp) backward(n int) {
	var dz convbn.Grad
	if len(o.c.in) > 1 {
		dz = o.e.gradOf(o.c.in[1])
	}
	dx := o.e.gradOf(o.c.in[0])
	o.exec.Backward(o.c.grad[:n*o.c.shape.WithN(1).Len()], dx, dz)
}
