package nn

import (
	"fmt"

	"qpipe/ops/convbn"
	"qpipe/ops/grid"
	"qpipe/ops/kernel"
)

// Net is an executable graph: a plan with its buffers, for batches of up to a
// given size. It reads the graph's parameters where they are. After Prepare,
// Absorb or anything else that changes the graph's structure the next Forward
// plans anew by itself; what is not replanned allocates nothing.
type Net struct {
	g        *Graph
	set      *kernel.Set
	pool     *Pool
	batch    int
	training bool
	keep     bool
	values   bool // outputs that are codes otherwise are kept as values too
	wantDX   bool // tests: the gradient to the input
	version  int
	cells    []*cell
	m        *grid.Machine
	q        *net8 // int8 form
	n        int   // images of the last Forward
	x        []float32
	result   []float32
	trained  bool // the last Forward was a training step
	times    *profile

	faults    []string // by node, what is not finite
	faultTask func(i, worker int)
}

// cell is a node's place in the plan.
type cell struct {
	*node
	i, root int // root: the cell whose buffer this one shares
	last    int // the last cell that reads it
	op      op
	coded   bool // the output is held as codes once its range is known
	val     grid.Value
	out     []float32
	codes   []uint8
	mask    []uint8
	grad    []float32
	hasGrad bool
}

// op runs a node. It reads its operands' cells and sets its own value;
// backward reads its own gradient and adds to its operands'.
type op interface {
	forward(n int, st grid.Step) grid.Value
	backward(n int)
}

// Compile plans the graph for batches of up to batch images. Training needs backward buffers, so it is said here.
func Compile(g *Graph, batch int, training bool, set *kernel.Set, pool *Pool) (*Net, error) {
	switch {
	case batch < 1:
		return nil, fmt.Errorf("a batch of %d images", batch)
	case !g.alloced:
		return nil, fmt.Errorf("the model has no parameters: initialize or load it first")
	case training && g.form == Quantized:
		return nil, fmt.Errorf("an int8 model is not trained; train its QAT form")
	}
	e := &Net{g: g, set: set, pool: pool, batch: batch, training: training}
	e.build()
	return e, nil
}

// build makes the plan.
func (e *Net) build() {
	e.version = e.g.version
	e.q, e.cells = nil, nil
	e.m = &grid.Machine{Set: e.set, Pool: e.pool}
	if e.g.form == Quantized {
		e.q = newNet8(e)
		return
	}
	e.live()
	p := &plan{}
	for _, c := range e.cells {
		e.lay(c, p)
	}
	e.scratch()
	p.allocate()
	for _, c := range e.cells {
		e.bind(c)
	}
}

// live makes the cells, and finds out until when each of them is read.
func (e *Net) live() {
	for i, n := range e.g.nodes {
		c := &cell{node: n, i: i, root: i, last: i}
		if n.op == opFlatten {
			c.root = e.cells[n.in[0]].root
		}
		e.cells = append(e.cells, c)
		for _, j := range n.in {
			r := e.root(j)
			r.last = max(r.last, i)
		}
	}
	e.root(e.g.out).last = len(e.cells)
}

func (e *Net) root(j int) *cell { return e.cells[e.cells[j].root] }

// times of cell i: its forward pass, and its backward pass.
func (e *Net) back(i int) int { return 2*len(e.cells) + 1 - i }

// until is the time up to which the output of c is read.
func (e *Net) until(c *cell) int {
	switch {
	case e.remade(c):
		return c.last
	case e.training:
		return e.back(c.i)
	case e.keep:
		return len(e.cells)
	}
	return c.last
}

// lay makes the cell's op and leases its buffers.
func (e *Net) lay(c *cell, p *plan) {
	c.coded = e.coded(c)
	if c.root != c.i {
		return
	}
	switch {
	case c.op == nil && c.node.op == opInput:
		c.op = newInputOp(e, c)
	case c.conv != nil:
		c.op = newConvOp(e, c, p)
	case c.bn != nil:
		c.op = newBNOp(e, c, p)
	case c.node.op == opAdd:
		c.op = newAddOp(e, c)
	case c.node.op == opConcat:
		c.op = newConcatOp(e, c)
	case c.node.op == opAct:
		c.op = newActOp(e, c)
	case c.node.op == opMaxPool:
		c.op = newMaxPoolOp(e, c, p)
	default:
		c.op = newAvgPoolOp(e, c, p)
	}
	e.leases(c, p)
}

// leases leases the cell's buffers, besides those that its op has of its own.
func (e *Net) leases(c *cell, p *plan) {
	size, until := e.batch*c.shape.WithN(1).Len(), e.until(c)
	if c.coded {
		p.u8.lease(&c.codes, size, c.i, until)
	}
	if e.plain(c) {
		p.f32.lease(&c.out, size, c.i, until)
	}
	if !e.training {
		return
	}
	if c.quant.Spec.Quantized() || c.act != kernel.None {
		p.u8.lease(&c.mask, (size+7)/8, c.i, e.back(c.i))
	}
	if c.i > 0 || e.wantDX {
		p.f32.lease(&c.grad, size, e.back(c.last), e.back(c.i))
	}
}

// coded reports whether the cell's output becomes codes: of its own, or its operand's.
func (e *Net) coded(c *cell) bool {
	if e.g.form == Float {
		return false
	}
	if !c.hasQuant() {
		return e.cells[c.in[0]].coded
	}
	return grid.Coded(c.quant.Spec)
}

// plain reports whether the cell's output may be values.
func (e *Net) plain(c *cell) bool {
	if c.node.op == opInput && !c.quant.Spec.Quantized() {
		return false // they are the caller's
	}
	return !c.coded || e.values || e.g.form == Calibration
}

// remade reports whether a float output is dropped after the forward pass and made
// again from the accumulator: it takes as much to read, and its memory is another's
// meanwhile. What reads it on the way back must be a convolution.
func (e *Net) remade(c *cell) bool {
	if !e.training || e.keep || e.g.form != Float || c.conv == nil || c.conv.BN == nil || c.conv.Add || c.last >= len(e.cells) {
		return false
	}
	for _, i := range e.readers(c) {
		if e.g.nodes[i].op == opBN {
			return false
		}
	}
	return true
}

// binder is an op that wants to know its buffers once they are there.
type binder interface{ bind() }

func (e *Net) bind(c *cell) {
	if b, ok := c.op.(binder); ok {
		b.bind()
	}
}

// scratch makes what the nodes share while they run.
func (e *Net) scratch() {
	r := e.rooms()
	for range e.pool.Size() {
		e.m.Scratch, e.m.Block = append(e.m.Scratch, r.scratch.Make()), append(e.m.Block, r.block.Make())
	}
	e.m.Values, e.m.Acc, e.m.Plain = make([]float32, r.values), make([]int32, r.acc), make([]float32, r.plain)
	e.m.Sums, e.m.Ends = make([]float64, r.sums), make([]float32, r.sums)
	e.m.Parts = make([]float32, r.parts)
}

// rooms are the sizes of what the nodes share, in elements.
type rooms struct {
	scratch, block                  kernel.Room // of each worker
	values, acc, plain, sums, parts int
}

func (e *Net) rooms() rooms {
	var scratch, block kernel.Room
	var parts, channels, largest, acc, operand int
	for _, c := range e.cells {
		size := c.shape.WithN(1).Len()
		block = block.Max(kernel.Room{F32: grid.NewCut(e.batch*c.shape.H, size/c.shape.H).Step * size / c.shape.H})
		channels = max(channels, c.shape.C)
		if !e.plain(c) {
			largest = max(largest, e.batch*size)
		}
		if c.conv != nil {
			s, b := c.conv.Rooms(e.set, e.batch, e.training)
			scratch, block, parts = scratch.Max(s), block.Max(b), max(parts, c.conv.PartsSize(e.batch))
		}
		if e.accumulates(c) {
			acc = max(acc, e.batch*size)
		}
		if c.conv != nil {
			operand = max(operand, e.plainImages(c)*e.g.nodes[c.in[0]].shape.WithN(1).Len())
		}
	}
	block.I32, block.U8 = max(block.I32, block.F32), max(block.U8, 2*block.F32)
	if !e.training {
		parts = 0
	}
	return rooms{scratch, block, largest, acc, operand, grid.Chunks() * 2 * channels, parts}
}

// accumulates reports whether the node may need room for its integer accumulators: it
// does unless a kernel makes codes of them right away, as in every evaluation of a node
// with BN (while it is trained, its accumulators are float32) whose output has a format.
func (e *Net) accumulates(c *cell) bool {
	direct := c.conv != nil && c.conv.BN != nil && c.coded && !e.values && e.g.form != Calibration
	return e.g.form != Float && !direct
}

// plainImages is how many images of a convolution's operand are brought to float32
// as a whole: codes that meet a float32 weight, or too many of them for int32, or what
// is made again for the way back.
func (e *Net) plainImages(c *cell) int {
	switch {
	case !(c.conv.Weight.Quantized() && c.conv.Geom.K() <= kernel.MaxProducts) && e.cells[c.in[0]].coded:
		return e.batch
	case e.remade(e.root(c.in[0])):
		return c.conv.WholeOperand(e.batch)
	}
	return 0
}

// Forward runs n images (NHWC, float32) and returns the output, n×classes, valid until the next call. In training x
// must stay as it is until Backward.
// In form Quantized the output is the float32 dequantized accumulator of the last node.
func (e *Net) Forward(x []float32, n int, ph Phase) []float32 {
	if e.version != e.g.version {
		e.build()
	}
	if n < 1 || n > e.batch || len(x) < n*e.g.Input().WithN(1).Len() || ph == Train && !e.training {
		panic(fmt.Sprintf("nn: Forward of %d images (%d values, phase %d) on a net for %d (training: %t)", n, len(x), ph, e.batch, e.training))
	}
	e.n, e.x, e.trained = n, x, ph == Train
	if e.q != nil {
		return e.q.forward(x, n)
	}
	st := e.step(ph)
	if !e.values && e.unready(st) {
		e.values = true
		e.build()
	}
	for _, c := range e.cells {
		c.hasGrad = false
		if c.root == c.i {
			at := e.times.now()
			c.val = c.op.forward(n, st)
			e.times.ranForward(c.node, at)
		} else {
			c.val = e.cells[c.root].val
		}
	}
	return e.logits(n)
}

// step says what the phase means in the graph's form.
func (e *Net) step(ph Phase) grid.Step {
	switch e.g.form {
	case Float:
		return grid.Step{Train: ph == Train}
	case Calibration:
		return grid.Step{Observe: ph != Eval, Quantize: ph == Eval}
	}
	return grid.Step{Train: ph == Train, Observe: ph != Eval, Quantize: ph != Calibrate}
}

// unready reports whether a node that is planned to have codes cannot have them in
// this step, for it has seen nothing yet.
func (e *Net) unready(st grid.Step) bool {
	if e.g.form == Float || e.g.form == Calibration || st.Observe && st.Quantize {
		return false
	}
	for _, c := range e.cells {
		if c.coded && c.hasQuant() && !(st.Quantize && c.quant.Ready()) {
			return true
		}
	}
	return false
}

// logits returns the output's values.
func (e *Net) logits(n int) []float32 {
	c := e.cells[e.g.out]
	size := n * c.shape.WithN(1).Len()
	if !c.val.On {
		return c.val.Data[:size]
	}
	if e.result == nil {
		e.result = make([]float32, e.batch*c.shape.WithN(1).Len())
	}
	e.set.Values(c.val.Codes[:size], c.val.Q.Zero, c.val.Q.Scale, e.result[:size])
	return e.result[:size]
}

// Backward takes the gradient of the loss to the last Forward's output and fills every Param's Grad.
func (e *Net) Backward(dy []float32) {
	if !e.trained {
		panic("nn: Backward without a Forward in the training phase")
	}
	out := e.root(e.g.out)
	copy(e.gradOf(out.i).Data, dy)
	for i := len(e.cells) - 1; i >= 0; i-- {
		if c := e.cells[i]; c.root == c.i && c.grad != nil {
			at := e.times.now()
			c.op.backward(e.n)
			e.times.ranBackward(c.node, at)
		}
	}
	e.trained = false
}

// gradOf returns where the gradient to operand j goes, and counts it as given.
func (e *Net) gradOf(j int) convbn.Grad {
	c := e.root(j)
	if c.grad == nil {
		return convbn.Grad{}
	}
	g := convbn.Grad{Data: c.grad[:e.n*c.shape.WithN(1).Len()], Add: c.hasGrad}
	c.hasGrad = true
	return g
}

// Keep makes the next Forward keep every node's output.
func (e *Net) Keep() {
	if !e.keep {
		e.keep, e.version = true, -1
	}
}

// Output returns a node's output values of the last Forward and, where it has a quant node, its scale and zero point.
// (A Net compiled for evaluation keeps them only if Keep was called before.)
func (e *Net) Output(node string) (values []float32, scale float32, zero int32, ok bool) {
	n := e.g.find(node)
	if n == nil || e.n == 0 {
		return nil, 0, 0, false
	}
	if e.q != nil {
		return e.q.output(n, e.n)
	}
	for _, c := range e.cells {
		if c.node == n {
			values = make([]float32, e.n*c.shape.WithN(1).Len())
			switch {
			case c.val.Remake != nil:
				c.val.Remake(0, len(values), values)
				return values, 0, 0, true
			case !c.val.On:
				copy(values, c.val.Data)
				return values, c.val.Q.Scale, c.val.Q.Zero, true
			}
			e.set.Values(c.val.Codes[:len(values)], c.val.Q.Zero, c.val.Q.Scale, values)
			return values, c.val.Q.Scale, c.val.Q.Zero - grid.Offset, true
		}
	}
	return nil, 0, 0, false
}

// Codes returns the output's integers, where the node is quantized: of the int8 model, or of a QAT graph.
func (e *Net) Codes(node string) ([]int8, bool) {
	n := e.g.find(node)
	if n == nil || e.n == 0 {
		return nil, false
	}
	if e.q != nil {
		return e.q.codes(n, e.n)
	}
	for _, c := range e.cells {
		if c.node == n && c.val.On {
			return signed(c.val.Codes[:e.n*c.shape.WithN(1).Len()]), true
		}
	}
	return nil, false
}

// signed returns codes as files and people read them: signed, uint8 codes less 128.
func signed(codes []uint8) []int8 {
	out := make([]int8, len(codes))
	for i, c := range codes {
		out[i] = int8(int(c) - grid.Offset)
	}
	return out
}
