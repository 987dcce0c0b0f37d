package nn

import (
	"slices"

	"qpipe/ops/grid"
	"qpipe/ops/kernel"
)

// net8 runs the int8 form: integers from the quantized input to the last node.
// Every convolution requantizes in its own epilogue, so that no accumulator is
// ever written. Integers do not depend on how the work is cut, so it is cut for
// the workers there are: into one piece for one of them.
type net8 struct {
	e       *Net
	cells   []*cell8
	order   []*cell8 // those that compute
	acc     []int32
	scratch []*kernel.Scratch
	block   []*kernel.Scratch
	result  []float32
	x       []float32
	n       int
}

// cell8 is a node of the int8 form. Its output is y, codes of the format q, or f
// where it is float32.
type cell8 struct {
	*node
	net   *net8
	root  *cell8
	in    []*cell8
	on    bool
	q     kernel.Quant
	y     []uint8
	f     []float32
	width int // elements of an output row
	cut   cut8
	run   func(r0, r1, worker int) // for output rows
	task  func(i, worker int)

	conv   kernel.Conv
	packed []int8
	out    kernel.Int8Out
	pool   kernel.Pool
	req    []kernel.Requant // one; of a concat one per input, of a pool by count
	unit   [][]float32      // what 1 in the accumulator is worth per channel, likewise
	bias   []int32
	zero   []float32
	one    []float32
	whole  bool // every window of the pool divides by the same number
}

func newNet8(e *Net) *net8 {
	q := &net8{e: e}
	p := &plan{}
	last := e.g.lastReaders()
	var scratch, block kernel.Room
	accs := 0
	for i, n := range e.g.nodes {
		c := &cell8{node: n, net: q}
		q.cells = append(q.cells, c)
		c.root = c
		for _, j := range n.in {
			c.in = append(c.in, q.cells[j].root)
		}
		if n.op == opFlatten {
			c.root = c.in[0]
			continue
		}
		q.order = append(q.order, c)
		c.q, c.on = e.g.format(i)
		size, until := e.batch*n.shape.WithN(1).Len(), last[i]
		if e.keep || i == e.g.out {
			until = len(e.g.nodes)
		}
		if c.on {
			p.u8.lease(&c.y, size, i, until)
		} else {
			p.f32.lease(&c.f, size, i, until)
		}
		s, b, acc := c.prepare(e)
		scratch, block, accs = scratch.Max(s), block.Max(b), max(accs, acc)
	}
	p.allocate()
	q.acc, q.result = make([]int32, accs), make([]float32, e.batch*e.g.Output().WithN(1).Len())
	for range e.pool.Size() {
		q.scratch, q.block = append(q.scratch, scratch.Make()), append(q.block, block.Make())
	}
	return q
}

// Release lets go of the graph's integer weights, of which an int8 net has its own copy
// in the order of its kernels: for a program that does nothing but run it. The graph
// cannot be saved, converted or compiled any more.
func (e *Net) Release() {
	if e.q == nil {
		return
	}
	for _, n := range e.g.nodes {
		if n.conv != nil {
			n.conv.Int8.W = nil
		}
	}
}

// lastReaders returns, for every node, the last one that reads its buffer.
func (g *Graph) lastReaders() []int {
	last := make([]int, len(g.nodes))
	for i := len(g.nodes) - 1; i >= 0; i-- {
		last[i] = max(last[i], i)
		for _, j := range g.nodes[i].in {
			last[j] = max(last[j], i)
			if g.nodes[i].op == opFlatten {
				last[j] = max(last[j], last[i])
			}
		}
	}
	return last
}

// prepare settles the node's numbers and returns the scratch and the room for a
// block of a row that a worker needs, and the accumulators that the node needs.
func (c *cell8) prepare(e *Net) (scratch, block kernel.Room, acc int) {
	c.width = c.shape.W * c.shape.C
	c.task = c.rowTask
	switch {
	case c.node.op == opInput:
		c.run = c.input
	case c.node.conv != nil:
		scratch = c.prepareConv(e)
	case c.node.bn != nil:
		c.run, c.bias = c.norm, c.affine.Bias
		c.unit = [][]float32{scaled(c.affine.Mul, c.in[0].q.Scale)}
	case c.node.op == opAdd:
		c.run, c.unit = c.sum, [][]float32{constant(c.shape.C, c.in[0].q.Scale)}
	case c.node.op == opConcat:
		c.run = c.concat
		for _, x := range c.in {
			c.unit = append(c.unit, constant(x.shape.C, x.q.Scale))
		}
	case c.node.op == opAct:
		c.run = c.clip
	case c.node.op == opMaxPool:
		c.pool, c.run = c.node.pool, c.maxPool
	default:
		c.pool, c.run = c.node.pool, c.avgPool
		acc = e.batch * c.shape.WithN(1).Len()
		c.prepareAvg()
	}
	for _, u := range c.unit {
		c.req = append(c.req, c.requant(u))
	}
	if c.node.conv != nil {
		c.out.Q = &c.req[0]
	}
	if !c.on {
		c.one, c.zero = constant(c.shape.C, 1), make([]float32, c.shape.C)
	}
	return scratch, c.block(), acc
}

// block is the room for a row.
func (c *cell8) block() kernel.Room { return kernel.Room{F32: c.width, I32: c.width, U8: c.width} }

func (c *cell8) prepareConv(e *Net) kernel.Room {
	q, x := c.node.conv.Int8, c.in[0]
	c.conv, c.task = c.node.conv.Geom, c.convTask
	c.conv.N = e.batch
	sums := make([]int32, c.conv.OutC)
	c.packed = make([]int8, e.set.ConvInt8PackSize(&c.conv))
	e.set.ConvInt8Pack(&c.conv, q.W, c.packed, sums, 0, c.conv.OutC)
	c.bias = make([]int32, c.conv.OutC)
	copy(c.bias, q.Bias)
	for o, s := range sums {
		c.bias[o] -= x.q.Zero * s
	}
	c.unit = [][]float32{scaled(q.WScale, x.q.Scale)}
	return e.set.ConvInt8Room(&c.conv)
}

func (c *cell8) prepareAvg() {
	c.unit = make([][]float32, c.pool.KH*c.pool.KW+1)
	list := counts(&c.pool)
	for _, k := range list {
		c.unit[k] = constant(c.shape.C, c.in[0].q.Scale/float32(k))
	}
	c.whole = len(list) == 1
}

func scaled(x []float32, s float32) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = s * v
	}
	return y
}

func constant(n int, v float32) []float32 { return slices.Repeat([]float32{v}, n) }

// requant is the epilogue for an accumulator of the given units. Of a float32
// output it has the units alone.
func (c *cell8) requant(unit []float32) kernel.Requant {
	if !c.on {
		return kernel.Requant{M: unit}
	}
	var z *grid.Value
	if len(c.in) == 2 && c.node.op != opConcat {
		z = &grid.Value{Q: c.in[1].q}
	}
	return grid.Requant(unit, make([]float32, len(unit)), z, c.q, c.act)
}

func (q *net8) forward(x []float32, n int) []float32 {
	q.x, q.n = x, n
	for _, c := range q.order {
		at := q.e.times.now()
		c.conv.N, c.pool.N = n, n
		c.cut = c.share(n, q.e.pool.Size())
		if c.node.conv != nil {
			c.bindConv()
		}
		q.e.pool.Run(c.cut.rowTasks*c.cut.chanTasks, c.task)
		q.e.times.ranForward(c.node, at)
	}
	out := q.cells[q.e.g.out].root
	size := n * q.e.g.Output().WithN(1).Len()
	if !out.on {
		return out.f[:size]
	}
	out.values(q.result[:size])
	return q.result[:size]
}

func (c *cell8) values(dst []float32) {
	c.net.e.set.Values(c.y[:len(dst)], c.q.Zero, c.q.Scale, dst)
}

func (c *cell8) rowTask(i, worker int) {
	r0, r1 := c.cut.rowRange(i)
	c.run(r0, r1, worker)
}

func (c *cell8) input(r0, r1, _ int) {
	e0, e1 := r0*c.width, r1*c.width
	if c.on {
		c.net.e.set.Quantize(c.net.x[e0:e1], c.y[e0:e1], nil, c.q, kernel.None)
	} else {
		copy(c.f[e0:e1], c.net.x[e0:e1])
	}
}

// bindConv says where the epilogue writes.
func (c *cell8) bindConv() {
	if !c.on {
		c.out.F = c.f
		return
	}
	c.out.Y = c.y
	if len(c.in) == 2 {
		c.out.Z = c.in[1].y
	}
}

func (c *cell8) convTask(i, worker int) {
	r0, r1 := c.cut.rowRange(i / c.cut.chanTasks)
	o0 := i % c.cut.chanTasks * c.cut.chanStep
	o1 := min(o0+c.cut.chanStep, c.cut.chans)
	x := c.in[0]
	c.net.e.set.ConvInt8(&c.conv, x.y, uint8(x.q.Zero), c.packed, c.bias, &c.out, c.net.scratch[worker], r0, r1, o0, o1)
	if !c.on && (len(c.in) == 2 || c.act != kernel.None) {
		c.finish(r0, r1, o0, o1)
	}
}

// finish adds the second operand to a float32 output and activates it.
func (c *cell8) finish(r0, r1, o0, o1 int) {
	var z grid.Value
	operand := kernel.Operand{}
	for at := r0 * c.width; at < r1*c.width; at += c.shape.C {
		if len(c.in) == 2 {
			z = c.in[1].value()
			operand = z.Operand(at+o0, at+o1)
		}
		f := c.f[at+o0 : at+o1]
		c.net.e.set.Affine(f, operand, f, nil, c.one[o0:o1], c.zero[o0:o1], c.act)
	}
}

// value is the cell's output as nodes read it.
func (c *cell8) value() grid.Value { return grid.Value{Data: c.f, Codes: c.y, On: c.on, Q: c.q} }

// sum and norm work on a row's codes, less the zero point.
func (c *cell8) sum(r0, r1, worker int) {
	x, z := c.in[0], c.in[1].value()
	acc := c.net.block[worker].I32[:c.width]
	for at := r0 * c.width; at < r1*c.width; at += c.width {
		end := at + c.width
		c.net.e.set.Widen(x.y[at:end], x.q.Zero, acc)
		if c.on {
			c.net.e.set.Requantize(acc, nil, z.Codes[at:end], c.y[at:end], nil, c.shape.C, &c.req[0])
			continue
		}
		c.net.e.set.Dequantize(acc, nil, c.f[at:end], c.shape.C, c.unit[0])
		c.net.e.set.Affine(c.f[at:end], z.Operand(at, end), c.f[at:end], nil, c.one, c.zero, c.act)
	}
}

func (c *cell8) norm(r0, r1, worker int) {
	x := c.in[0]
	acc := c.net.block[worker].I32[:c.width]
	for at := r0 * c.width; at < r1*c.width; at += c.width {
		end := at + c.width
		c.net.e.set.Widen(x.y[at:end], x.q.Zero, acc)
		c.divide(acc, c.bias, at, 0)
	}
}

// divide writes the output from element at on from accumulators, with the units of its kind k.
func (c *cell8) divide(acc, bias []int32, at, k int) {
	set, end := c.net.e.set, at+len(acc)
	if c.on {
		set.Requantize(acc, bias, nil, c.y[at:end], nil, c.shape.C, &c.req[k])
	} else {
		set.Dequantize(acc, bias, c.f[at:end], c.shape.C, c.unit[k])
	}
}

func (c *cell8) concat(r0, r1, worker int) {
	b, step := c.net.block[worker], c.shape.C
	for r := r0; r < r1; r++ {
		at := r * c.width
		for k, x := range c.in {
			size := c.shape.W * x.shape.C
			if c.on && x.q == c.q { // the integers pass through
				spread(x.y[r*size:(r+1)*size], c.y[at:], x.shape.C, step)
				at += x.shape.C
				continue
			}
			acc := b.I32[:size]
			c.net.e.set.Widen(x.y[r*size:(r+1)*size], x.q.Zero, acc)
			if c.on {
				c.net.e.set.Requantize(acc, nil, nil, b.U8[:size], nil, x.shape.C, &c.req[k])
				spread(b.U8[:size], c.y[at:], x.shape.C, step)
			} else {
				c.net.e.set.Dequantize(acc, nil, b.F32[:size], x.shape.C, c.unit[k])
				spread(b.F32[:size], c.f[at:], x.shape.C, step)
			}
			at += x.shape.C
		}
	}
}

func (c *cell8) clip(r0, r1, _ int) {
	x, e0, e1 := c.in[0], r0*c.width, r1*c.width
	if !c.on {
		c.net.e.set.Affine(x.f[e0:e1], kernel.Operand{}, c.f[e0:e1], nil, c.one, c.zero, c.act)
		return
	}
	lo, hi := clipLimits(x.q, c.act)
	clip(x.y[e0:e1], c.y[e0:e1], lo, hi)
}

func (c *cell8) maxPool(r0, r1, _ int) {
	c.net.e.set.MaxPoolInt8(&c.pool, c.in[0].y, c.y, nil, r0, r1)
}

func (c *cell8) avgPool(r0, r1, _ int) {
	x, acc := c.in[0], c.net.acc
	c.net.e.set.SumPoolInt8(&c.pool, x.y, x.q.Zero, acc, r0, r1)
	if c.whole {
		c.divide(acc[r0*c.width:r1*c.width], nil, r0*c.width, max(c.pool.Count(0, 0), 1))
		return
	}
	for r := r0; r < r1; r++ {
		for ow := range c.pool.OW {
			at := r*c.width + ow*c.pool.C
			c.divide(acc[at:at+c.pool.C], nil, at, max(c.pool.Count(r%c.pool.OH, ow), 1))
		}
	}
}

// cell finds a node's cell.
func (q *net8) cell(n *node) *cell8 {
	for _, c := range q.cells {
		if c.node == n {
			return c.root
		}
	}
	return nil
}

func (q *net8) output(n *node, images int) (values []float32, scale float32, zero int32, ok bool) {
	c := q.cell(n)
	values = make([]float32, images*n.shape.WithN(1).Len())
	if !c.on {
		copy(values, c.f)
		return values, 0, 0, true
	}
	c.values(values)
	return values, c.q.Scale, c.q.Zero - grid.Offset, true
}

func (q *net8) codes(n *node, images int) ([]int8, bool) {
	c := q.cell(n)
	if !c.on {
		return nil, false
	}
	return signed(c.y[:images*n.shape.WithN(1).Len()]), true
}
