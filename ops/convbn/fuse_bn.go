package convbn

import "qpipe/ops/grid"

// fused settles the epilogue of a node that computes with integers and has no
// BN (any more): the bias is on the grid sx·sw, and the output is the int8
// model's, integer for integer. With FloatBias the bias is not rounded to the grid.
func (e *Exec) fused(sx float32) {
	for o := range e.ep.Unit {
		e.ep.Unit[o] = sx * e.c.Scale[o]
		switch {
		case !e.n.Bias:
			e.ep.Bias[o] = 0
		case e.n.FloatBias:
			e.ep.Bias[o] = float64(e.n.B.Data[o]) / float64(e.ep.Unit[o])
		default:
			e.ep.Bias[o] = float64(e.c.Bias[o])
		}
	}
	if z := e.run.z; z != nil {
		e.ep.UZ = z.Unit()
	}
	e.ep.Settle(e.bound() * e.run.x.MaxCode())
}

// fillFused writes output elements e0 to e1: codes (with the gradient's mask in
// training), or the values that they will be made from.
func (e *Exec) fillFused(e0, e1 int, codes bool, mask []uint8) {
	z, out := e.operand(e0, e1), e.Out[e0:e1]
	if e.run.wide {
		grid.Fill(&e.ep, e.m.Acc[e0:e1], z, out, codes, mask)
	} else {
		grid.Fill(&e.ep, e.Acc[e0:e1], z, out, codes, mask)
	}
}
