package layer

import (
	"slices"

	"qpipe/ops/grid"
	"qpipe/ops/kernel"
	"qpipe/ops/quant"
	"qpipe/ops/tensor"
)

// Runner runs a node forward and backward, for batches of up to the bench's size. It allocates nothing
// while it runs.
type Runner interface {
	// Forward computes the output for n images out of the operands' values.
	Forward(n int, st grid.Step) grid.Value
	// Backward reads the gradient of the output, bench.Grad, gives the gradients of the operands and sets those of the
	// parameters. It may write to bench.Grad.
	Backward(n int)
}

// Integer runs a node of the int8 form.
type Integer interface {
	// Begin comes before the pieces of a batch of n images.
	Begin(n int)
	// Run computes a piece of the output.
	Run(p Piece)
}

// Piece is what a worker computes at a time: the output rows R0 to R1 (of all images, N·H in number), and of
// them the channels C0 to C1, which are all of them unless Cost has weights.
type Piece struct{ R0, R1, C0, C1, Worker int }

// Cost is what computing an element of an int8 output takes: Work products, of which a vector unit does Per in
// about a nanosecond, and the number of weights that all rows share.
type Cost struct{ Work, Per, Weights int }

// Bench is where a node runs: what it computes with, its operands and its buffers. Fields are set before
// Forward or Begin, where not said otherwise.
type Bench struct {
	*grid.Machine
	Batch    int  // images at most
	Training bool // a backward pass follows

	In     []*Operand
	Coded  bool         // the output becomes codes; known when the runner is made
	Plain  bool         // the output may be values; likewise
	Format kernel.Quant // of the codes in the int8 form; likewise

	Out   []float32 // the output's values, nil where only codes are kept
	Codes []uint8   // the output's codes, nil where it never has any
	Mask  []uint8   // where the gradient passes; nil where no backward pass follows
	Grad  []float32 // the gradient of the output

	Remade bool      // the float output is not kept for the backward pass: Forward returns a value that can remake it
	Kept   []float32 // Room.Kept
	Back   []float32 // Room.Back

	// Observing is set while memory is planned for a pass that observes and quantizes nothing.
	Observing bool
	// Images are the network's input, of input nodes.
	Images func() []float32
	// Gradient tells where the gradient of operand k goes. A backward pass asks once for each operand, and
	// gives what it asked for.
	Gradient func(k int) grid.Grad
}

// Operand is what a node reads: a value, and what is known of it when the runner is made.
type Operand struct {
	*grid.Value
	Shape  tensor.Shape
	Coded  bool // it becomes codes
	Remade bool // its values must be remade in the backward pass
	Shared bool // others read it, too, or it is an output: its gradient may have a part already
}

// Floats is the elements e0 to e1 of an operand as float32: values, or codes less their zero point, of which one is
// the operand's Unit. Those of codes lie in the worker's block.
func (b *Bench) Floats(x *Operand, e0, e1, worker int) []float32 {
	if !x.OnGrid {
		return x.Data[e0:e1]
	}
	d := b.Block[worker].F32[:e1-e0]
	b.Set.Values(x.Codes[e0:e1], x.Format.Zero, 1, d)
	return d
}

// Room is what running a node needs besides its output, in elements for a whole batch.
type Room struct {
	Kept, Back     int         // float32 from the forward to the backward pass, and during the latter
	Scratch, Block kernel.Room // of each worker: the kernels', and the node's own
	Parts          int         // float32 for partial gradients of weights
	Operand        int         // float32 for an operand's codes as values
	Acc            int         // int32 accumulators of the int8 form
	NoAcc          bool        // of the other forms: it needs no room for integer accumulators
	Bytes          int64       // what the runner has of its own
}

// RoomOf is what the node needs on the bench.
func (n *Node) RoomOf(b *Bench) Room {
	if n.Kind.Room == nil {
		return n.PlainRoom()
	}
	return n.Kind.Room(n, b)
}

// PlainRoom is that of a node that works row by row.
func (n *Node) PlainRoom() Room {
	r := Room{Bytes: 80 * int64(n.Shape.C)} // coefficients by channel
	if n.Int8 {
		r = Room{Block: n.RowRoom()}
	}
	return r
}

// RowRoom is the room for a row of the output.
func (n *Node) RowRoom() kernel.Room {
	w := n.Shape.W * n.Shape.C
	return kernel.Room{F32: w, I32: w, U8: w}
}

// CostOf is what an element of the int8 form's output takes.
func (n *Node) CostOf() Cost {
	if n.Kind.Cost == nil {
		return Cost{Work: 1, Per: 16}
	}
	return n.Kind.Cost(n)
}

// Bind gives the output its buffers and the cut of rows × width elements.
func (b *Bench) Bind(o *grid.Output, rows, width int) {
	o.Out, o.Codes, o.Mask = b.Out, b.Codes, b.Mask
	o.Bind(rows, width)
}

// Complete runs the end of a forward pass: fill, observe, quantize.
func (b *Bench) Complete(o *grid.Output, st grid.Step, q *quant.Node, w grid.Writer) grid.Value {
	o.Begin(st, q, w)
	return o.Forward(st, q)
}

// JoinedFormat is how an output that Joins is quantized: by the node's own format, or that of all operands where it is one.
func (b *Bench) JoinedFormat(q *quant.Node) (f kernel.Quant, on, codes bool) {
	own, on, codes := grid.Format(q)
	if !on || !codes {
		return own, on, codes
	}
	first := b.In[0]
	for _, x := range b.In {
		if !x.OnGrid || x.Format != first.Format {
			return own, true, true
		}
	}
	return Joined(own, first.Format), true, true
}

// Keep gives the output the grid of the operand, if the node keeps it.
func (b *Bench) Keep(n *Node, o *grid.Output) {
	if x := b.In[0]; n.Keeps {
		o.Format = func(*quant.Node) (kernel.Quant, bool, bool) { return x.Format, x.OnGrid, x.OnGrid }
	}
}

// Gate masks chunk i of the gradient of the output, and returns it.
func (b *Bench) Gate(o *grid.Output, i int) []float32 {
	e0, e1 := o.Elements(i)
	g := b.Grad[e0:e1]
	if mask := o.Gate(e0, e1); mask != nil {
		b.Set.Gate(g, mask, g, false)
	}
	return g
}

// Give gives g to elements e0 to e1 of a gradient.
func (b *Bench) Give(d grid.Grad, g []float32, e0, e1 int) {
	if d.Data != nil {
		b.Set.Gate(g, nil, d.Data[e0:e1], d.Add)
	}
}

// Constant returns n equal values.
func Constant(n int, v float32) []float32 {
	return slices.Repeat([]float32{v}, n)
}
