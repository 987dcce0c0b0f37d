package layer

import (
	"qpipe/ops/grid"
	"qpipe/ops/kernel"
)

// Rows writes the output of the int8 form row by row out of accumulators, which stand for
// values by channel: one of them is unit of the channel. It can have several sets of units.
type Rows struct {
	*Bench
	Node     *Node
	Width    int // elements of a row
	Units    [][]float32
	Requants []kernel.Requant
}

// NewRows returns the rows of the node's output, without units.
func NewRows(n *Node, b *Bench) *Rows {
	return &Rows{Bench: b, Node: n, Width: n.Shape.W * n.Shape.C}
}

// Unit adds a set of units, with a second operand y that the epilogue adds; nil without one.
func (r *Rows) Unit(unit []float32, y *grid.Value) {
	r.Units = append(r.Units, unit)
	r.Requants = append(r.Requants, r.Epilogue(unit, y, r.Node.Act))
}

// Begin implements Integer.
func (r *Rows) Begin(int) {}

// Write writes the output from element at on from accumulators in the units of set k.
func (r *Rows) Write(acc, bias []int32, at, k int) {
	end := at + len(acc)
	if r.Coded {
		r.Set.Requantize(acc, bias, nil, r.Codes[at:end], nil, r.Node.Shape.C, &r.Requants[k])
	} else {
		r.Set.Dequantize(acc, bias, r.Out[at:end], r.Node.Shape.C, r.Units[k])
	}
}

// Epilogue is how accumulators of those units become the int8 form's output; of a float32 output
// it has the units alone.
func (b *Bench) Epilogue(unit []float32, y *grid.Value, act kernel.Act) kernel.Requant {
	if !b.Coded {
		return kernel.Requant{M: unit}
	}
	return grid.Requant(unit, make([]float32, len(unit)), y, b.Format, act)
}
