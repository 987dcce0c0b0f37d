package convbn

import (
	"qpipe/ops/grid"
	"qpipe/ops/kernel"
)

// target settles the epilogue of a node that computes with integers and has no
// BN (any more): the bias is on the grid sx·sw, and the output is the int8
// model's, integer for integer.
func (e *Exec) target(q kernel.Quant) {
	switch {
	case e.run.grid:
		e.req = grid.Requant(e.unit, e.mul, e.run.z, q, e.n.Act)
	case e.run.steps:
		for o, u := range e.unit {
			e.a[o], e.b[o] = u/q.Scale, e.n.bias(o)/q.Scale
		}
	}
}

// fillSteps writes the codes of a node as on the grid but with its bias as it is:
// everything is counted in steps of the output, so that there is one rounding less.
func (e *Exec) fillSteps(acc []float32, z kernel.Operand, y, mask []uint8) {
	q, act := e.Q, e.n.Act
	if act == kernel.ReLU6 {
		act, q.Max = kernel.ReLU, grid.Six(q)
	}
	q.Scale, z.Scale = 1, z.Scale/e.Q.Scale
	e.m.Set.AffineQuant(acc, z, y, mask, e.a, e.b, act, q)
}
