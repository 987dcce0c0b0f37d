package engine

import (
	"qpipe/ops/grid"
	"qpipe/ops/layer"
)

// The int8 form runs on integers from the quantized input to the last node. Integers do not depend on
// how the work is cut, so it is cut for the workers there are: into one piece for one of them. A float island runs as in an
// evaluation of the QAT form, cut by its shape.

func (e *Net) runIntegers(n int) {
	for _, c := range e.cells {
		if c.root != c.place {
			continue
		}
		at := e.times.now()
		if c.Island {
			c.value = c.run.Forward(n, grid.Step{Quantize: true})
		} else {
			c.cut = e.divide(c, n)
			c.integer.Begin(n)
			e.workers.Run(c.cut.rowTasks*c.cut.chanTasks, c.piece)
		}
		e.times.ranForward(c.place, at)
	}
}

// pieces returns the task that runs a piece of the cell.
func (e *Net) pieces(c *cell) func(i, worker int) {
	return func(i, worker int) {
		k := &c.cut
		r0, r1 := k.rowRange(i / k.chanTasks)
		c0 := i % k.chanTasks * k.chanStep
		c.integer.Run(layer.Piece{R0: r0, R1: r1, C0: c0, C1: min(c0+k.chanStep, k.chans), Worker: worker})
	}
}

// Release lets go of the graph's integer weights, of which an int8 net has its own copy
// in the order of its kernels: for a program that does nothing but run it. The graph
// cannot be saved, converted or compiled any more.
func (e *Net) Release() {
	if !e.integer {
		return
	}
	for _, c := range e.cells {
		c.Node.Release()
	}
}
