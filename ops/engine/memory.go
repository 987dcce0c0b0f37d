package engine

import (
	"math"
	"slices"

	"qpipe/ops/grid"
	"qpipe/ops/kernel"
	"qpipe/ops/nn"
)

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
func Need(g *nn.Graph, batch int, u Use) int64 {
	if batch <= planned {
		return need(g, max(batch, 1), u)
	}
	half, whole := need(g, planned/2, u), need(g, planned, u)
	bytes := float64(whole) + float64(whole-half)/(planned/2)*float64(batch-planned)
	return int64(min(bytes, math.MaxInt64/4))
}

func need(g *nn.Graph, batch int, u Use) int64 {
	e := &Net{
		graph: g, set: u.Set, batch: batch, training: u.Phase == Train, keep: u.Keep,
		observing: g.Form() == nn.Calibration && u.Phase != Eval,
	}
	e.machine = &grid.Machine{Set: u.Set}
	e.place()
	p, total := &plan{}, int64(0)
	for _, c := range e.cells {
		if c.root != c.place {
			continue
		}
		e.lease(c, p)
		total += c.room.Bytes
		if c.Int8 {
			total += 24 * int64(c.Shape.C)
		}
	}
	r := e.rooms()
	if g.Form() == nn.Calibration {
		e.untouched(p, &r, u.Phase)
	}
	total += int64(u.Workers) * (r.scratch.Bytes() + r.block.Bytes())
	total += 4*int64(r.values+r.acc+r.plain+r.parts) + 12*int64(r.sums)
	for _, o := range e.outs {
		total += 4 * int64(e.cells[o].size(batch))
	}
	return total + p.bytes(u.Bound)
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
		if c.bench.Coded {
			p.f32.leases = slices.DeleteFunc(p.f32.leases, func(l lease[float32]) bool { return l.dst == &c.bench.Out })
		}
	}
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
