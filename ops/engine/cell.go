package engine

import (
	"qpipe/ops/grid"
	"qpipe/ops/kernel"
	"qpipe/ops/layer"
	"qpipe/ops/nn"
)

// cell is a node's place in the plan.
type cell struct {
	*layer.Node
	place, root int     // root: the cell whose buffer this one shares
	last        int     // the last cell that reads it
	readers     []*cell // that read its buffer, once for each operand; not those that are views of it
	room        layer.Room
	bench       layer.Bench
	run         layer.Runner
	integer     layer.Integer // of the int8 form, but for islands
	cut         cut
	piece       func(i, worker int)
	value       grid.Value
	hasGrad     bool
	slots       []layer.Slot // once they are watched
}

// size is the number of the output's elements for n images.
func (c *cell) size(n int) int { return c.Shape.WithN(n).Len() }

// build makes the plan.
func (e *Net) build() {
	e.version, e.faults = e.graph.Version(), nil
	e.machine = &grid.Machine{Set: e.set, Workers: e.workers}
	e.place()
	p := &plan{}
	for _, c := range e.cells {
		if c.root == c.place {
			e.lease(c, p)
		}
	}
	e.share()
	p.allocate()
	for _, c := range e.cells {
		switch {
		case c.root != c.place:
		case c.Int8:
			c.value.Data, c.value.Codes = c.bench.Out, c.bench.Codes
			c.integer, c.piece = c.Kind.Integer(c.Node, &c.bench), e.pieces(c)
		default:
			c.run = c.Kind.Train(c.Node, &c.bench)
		}
	}
	e.result = make([][]float32, len(e.outs))
}

// place makes the cells, and finds out until when each of them is read.
func (e *Net) place() {
	nodes, outs := e.graph.Nodes()
	e.cells, e.outs, e.integer = make([]*cell, 0, len(nodes)), outs, e.graph.Form() == nn.Quantized
	for i, n := range nodes {
		c := &cell{Node: n, place: i, root: i, last: i}
		if e.view(n) {
			c.root = e.cells[n.In[0]].root
		}
		e.cells = append(e.cells, c)
		for _, j := range n.In {
			r := e.root(j)
			r.last = max(r.last, i)
			if !e.view(n) {
				r.readers = append(r.readers, c)
			}
		}
	}
	for _, o := range outs {
		e.root(o).last = len(e.cells)
	}
	inputs := 0
	for _, c := range e.cells {
		e.furnish(c, inputs)
		if len(c.In) == 0 {
			inputs++
		}
	}
}

// view reports whether the node's output is its operand.
func (e *Net) view(n *layer.Node) bool { return n.Kind.View || n.Kind.Rests && !e.training }

// furnish sets up the cell's bench, but for its buffers; input counts the inputs in front of it.
func (e *Net) furnish(c *cell, input int) {
	b := &c.bench
	b.Machine, b.Batch, b.Training, b.Observing = e.machine, e.batch, e.training, e.observing
	b.Coded = e.coded(c)
	b.Plain, b.Remade = e.plain(c), e.remade(c)
	if e.integer {
		b.Format, _ = e.graph.Format(c.place)
		c.value = grid.Value{OnGrid: b.Coded, Format: b.Format}
	}
	for _, j := range c.In {
		x, r := e.cells[j], e.root(j)
		b.In = append(b.In, &layer.Operand{
			Value: &r.value, Shape: x.Shape, Coded: x.bench.Coded, Remade: r.bench.Remade, Shared: len(r.readers) > 1 || r.last == len(e.cells),
		})
	}
	b.Gradient = func(k int) grid.Grad { return e.gradient(c.In[k]) }
	b.Images = func() []float32 { return e.x[input] }
	c.room = c.RoomOf(b)
}

func (e *Net) root(j int) *cell { return e.cells[e.cells[j].root] }

// coded reports whether the cell's output becomes codes: of its own, or its operand's.
func (e *Net) coded(c *cell) bool {
	switch {
	case e.integer:
		_, on := e.graph.Format(c.place)
		return on
	case e.graph.Form() == nn.Float:
		return false
	case c.Passes():
		return e.cells[c.In[0]].bench.Coded
	}
	return grid.Coded(c.Quant.Spec)
}

// plain reports whether the cell's output may be values.
func (e *Net) plain(c *cell) bool {
	switch {
	case e.integer:
		return !c.bench.Coded
	case len(c.In) == 0 && !c.Quant.Spec.Quantized():
		return false // they are the caller's
	}
	return !c.bench.Coded || e.values || e.graph.Form() == nn.Calibration
}

// remade reports whether a float output is dropped after the forward pass and computed
// again from what is kept: it takes as much to read, and its memory is another's
// meanwhile. All that read it in the backward pass must be able to.
func (e *Net) remade(c *cell) bool {
	if !e.training || e.keep || e.graph.Form() != nn.Float || c.Kind.Remakes == nil || !c.Kind.Remakes(c.Node) || c.last >= len(e.cells) {
		return false
	}
	for _, r := range c.readers {
		if r.Kind.Rereads {
			return false
		}
	}
	return true
}

// back is the time of cell i's backward pass; that of its forward pass is i.
func (e *Net) back(i int) int { return 2*len(e.cells) + 1 - i }

// until is the time up to which the output of c is read.
func (e *Net) until(c *cell) int {
	switch {
	case c.bench.Remade:
		return c.last
	case e.training:
		return e.back(c.place)
	case e.keep:
		return len(e.cells)
	}
	return c.last
}

// lease leases the cell's buffers.
func (e *Net) lease(c *cell, p *plan) {
	b, size, until, back := &c.bench, c.size(e.batch), e.until(c), e.back(c.place)
	if e.training {
		p.f32.lease(&b.Kept, c.room.Kept, c.place, back)
		p.f32.lease(&b.Back, c.room.Back, back, back)
	}
	if b.Coded {
		p.u8.lease(&b.Codes, size, c.place, until)
	}
	if b.Plain {
		p.f32.lease(&b.Out, size, c.place, until)
	}
	if !e.training {
		return
	}
	if c.Quant.Spec.Quantized() || c.Keeps || c.Act != kernel.None {
		p.u8.lease(&b.Mask, (size+7)/8, c.place, back)
	}
	if len(c.In) > 0 || e.wantDX {
		p.f32.lease(&b.Grad, size, e.back(c.last), back)
	}
}

// rooms are the sizes of what the nodes share, in elements.
type rooms struct {
	scratch, block                  kernel.Room // of each worker
	values, acc, plain, sums, parts int
}

func (e *Net) rooms() (all rooms) {
	channels, values := 0, false
	for _, c := range e.cells {
		if c.root != c.place && e.integer { // a view
			continue
		}
		r, size := &c.room, c.size(1)
		all.scratch, all.block = all.scratch.Max(r.Scratch), all.block.Max(r.Block)
		all.acc, all.plain, all.parts = max(all.acc, r.Acc), max(all.plain, r.Operand), max(all.parts, r.Parts)
		if c.Int8 {
			continue
		}
		values = true
		all.block = all.block.Max(kernel.Room{F32: grid.NewCut(e.batch*c.Shape.H, size/c.Shape.H).Step * size / c.Shape.H})
		channels = max(channels, c.Shape.C)
		if !c.bench.Plain {
			all.values = max(all.values, e.batch*size)
		}
		if e.graph.Form() != nn.Float && !r.NoAcc {
			all.acc = max(all.acc, e.batch*size)
		}
	}
	if values {
		all.block.I32, all.block.U8 = max(all.block.I32, all.block.F32), max(all.block.U8, 2*all.block.F32)
		all.sums = grid.Chunks() * 2 * channels
	}
	return all
}

// share makes what the nodes share while they run.
func (e *Net) share() {
	r, m := e.rooms(), e.machine
	for range e.workers.Size() {
		m.Scratch, m.Block = append(m.Scratch, r.scratch.Make()), append(m.Block, r.block.Make())
	}
	m.Values, m.Acc, m.Plain = make([]float32, r.values), make([]int32, r.acc), make([]float32, r.plain)
	m.Sums, m.Ends = make([]float64, r.sums), make([]float32, r.sums)
	m.Parts = make([]float32, r.parts)
}
