package nn

import (
	"math"
	"slices"

	"qpipe/ops/kernel"
)

// Bytes is what the graph's own tensors take once it has them, gradients included; of
// a graph without parameters too.
func (g *Graph) Bytes() int64 {
	total := int64(0)
	for _, n := range g.nodes {
		for _, s := range g.slots(n) {
			size := int64(4)
			switch {
			case s.i8 != nil:
				size = 1
			case s.param != nil:
				size = 8 // and its gradient
			}
			total += size * int64(s.len())
		}
	}
	return total
}

// FileBytes is what the graph's tensors take in a file, and trainable of them the
// parameters that an optimizer keeps state for.
func (g *Graph) FileBytes() (all, trainable int64) {
	for _, n := range g.nodes {
		for _, s := range g.slots(n) {
			size := 4 * int64(s.len())
			if s.i8 != nil {
				size /= 4
			}
			all += size
			if s.trainable {
				trainable += size
			}
		}
	}
	return all, trainable
}

// Use is what a compiled net is for, as its memory depends on it.
type Use struct {
	Phase   Phase
	Keep    bool // every node's output is kept
	Set     *kernel.Set
	Workers int
	Bound   bool // of Need: no less than is needed is good enough, as long as it is found fast
}

// planned is the largest batch that Need plans for. All that depends on a larger one
// grows in proportion.
const planned = 1024

// Need is how many bytes Compile and Forward take for batches of that size, beside
// the graph's own. It follows the plan that Compile makes, and makes nothing: the graph
// may be without parameters.
func Need(g *Graph, batch int, u Use) int64 {
	if batch <= planned {
		return need(g, max(batch, 1), u)
	}
	half, whole := need(g, planned/2, u), need(g, planned, u)
	bytes := float64(whole) + float64(whole-half)/(planned/2)*float64(batch-planned)
	return int64(min(bytes, math.MaxInt64/4))
}

func need(g *Graph, batch int, u Use) int64 {
	e := &Net{g: g, set: u.Set, batch: batch, training: u.Phase == Train, keep: u.Keep}
	if g.form == Quantized {
		return e.need8(u)
	}
	e.live()
	p, total := &plan{}, int64(0)
	for _, c := range e.cells {
		c.coded = e.coded(c)
		if c.root == c.i {
			total += e.own(c, p, u.Phase)
			e.leases(c, p)
		}
	}
	r := e.rooms()
	if g.form == Calibration {
		e.untouched(p, &r, u.Phase)
	}
	total += int64(u.Workers) * (r.scratch.Bytes() + r.block.Bytes())
	total += 4*int64(r.values+r.acc+r.plain+r.parts) + 12*int64(r.sums)
	return total + p.bytes(u.Bound) + 4*int64(batch*g.Output().WithN(1).Len())
}

// untouched takes away the buffers of a calibration net that are planned for and not
// written to, so that they take no memory: codes while it observes, and the values that
// codes stand for in an evaluation.
func (e *Net) untouched(p *plan, r *rooms, ph Phase) {
	r.acc = 0
	if ph != Eval {
		p.u8.leases, r.plain = nil, 0
		return
	}
	for _, c := range e.cells {
		if c.coded {
			p.f32.leases = slices.DeleteFunc(p.f32.leases, func(l lease[float32]) bool { return l.dst == &c.out })
		}
	}
}

// own is what a cell's op has of its own. Its buffers that others may share are leased.
func (e *Net) own(c *cell, p *plan, ph Phase) int64 {
	channels := int64(c.shape.C)
	switch {
	case c.conv != nil:
		e.leaseAcc(c, p, new([]float32))
		forward := !c.conv.Weight.Quantized() || e.g.form == Calibration && ph != Eval || c.conv.Geom.K() > kernel.MaxProducts || !e.cells[c.in[0]].coded
		return c.conv.ExecBytes(e.set, e.batch, e.training, forward)
	case c.node.op == opMaxPool:
		e.leaseTmp(c, p, new([]float32))
		return 4 * int64(e.indexSize(c))
	case c.node.op == opAvgPool || c.node.op == opGlobalAvgPool:
		e.leaseTmp(c, p, new([]float32))
		return int64(c.pool.KH*c.pool.KW+1) * (8*channels + requantBytes)
	}
	return 80 * channels // a bn's numbers; the others have less
}

// requantBytes is the size of a kernel.Requant.
const requantBytes = 80

// need8 is need of the int8 form.
func (e *Net) need8(u Use) int64 {
	p, total := &plan{}, int64(0)
	last := e.g.lastReaders()
	var scratch, block kernel.Room
	accs := 0
	for i, n := range e.g.nodes {
		if n.op == opFlatten {
			continue
		}
		c := &cell8{node: n, width: n.shape.W * n.shape.C}
		_, coded := e.g.format(i)
		size, until := e.batch*n.shape.WithN(1).Len(), last[i]
		if e.keep || i == e.g.out {
			until = len(e.g.nodes)
		}
		if coded {
			p.u8.lease(&c.y, size, i, until)
		} else {
			p.f32.lease(&c.f, size, i, until)
		}
		block = block.Max(c.block())
		total += 24 * int64(n.shape.C)
		switch {
		case n.conv != nil:
			g := n.conv.Geom
			g.N = e.batch
			total += int64(e.set.ConvInt8PackSize(&g))
			scratch = scratch.Max(e.set.ConvInt8Room(&g))
		case n.op == opAvgPool || n.op == opGlobalAvgPool:
			accs = max(accs, size)
			total += int64(n.pool.KH*n.pool.KW+1) * requantBytes
		}
	}
	total += int64(u.Workers)*(scratch.Bytes()+block.Bytes()) + 4*int64(accs+e.batch*e.g.Output().WithN(1).Len())
	return total + p.bytes(u.Bound)
}

// bytes is what the plan's buffers take; with bound at most, if none shares its memory.
func (p *plan) bytes(bound bool) int64 {
	if bound {
		return 4*p.f32.sum() + p.u8.sum()
	}
	return 4*int64(p.f32.place()) + int64(p.u8.place())
}

func (a *arena[T]) sum() (total int64) {
	for _, l := range a.leases {
		total += int64(padded(l.size))
	}
	return total
}
