package convbn

import (
	"qpipe/ops/grid"
	"qpipe/ops/kernel"
)

// target computes the epilogue of a node that computes with integers and has no
// BN (any more), or computes as if it had none: the bias is on the grid sx·sw, and
// the output is the int8 model's, integer for integer.
func (e *Exec) target(q kernel.Quant) {
	if e.run.grid {
		e.req = grid.Requant(e.unit, e.mul, e.run.z, q, e.node.Act)
	}
}
