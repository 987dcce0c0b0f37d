package convbn

import (
	"math"

	"qpipe/ops/kernel"
	"qpipe/ops/kernel/ref"
)

// The extremes of a node's values are those of its channels' accumulators, for
// what follows an accumulator is monotone in it, rounding included. Only a second
// operand needs a look at every element.

// start makes extremes that any value widens.
func start(lo, hi []float32) {
	for c := range lo {
		lo[c], hi[c] = float32(math.Inf(1)), float32(math.Inf(-1))
	}
}

// collect notes the extremes of the accumulators of chunk i.
func (e *Exec) collect(i, e0, e1, worker int) {
	c := e.node.Geom.OutC
	lo, hi := e.machine.Extremes(i, c)
	start(lo, hi)
	if !e.run.grid {
		sum, sq := e.machine.Partial(i, c)
		e.machine.Set.ChannelStats(e.run.acc[e0:e1], sum, sq, lo, hi)
		return
	}
	s := e.machine.Block[worker].I32
	low, high := s[:c], s[c:2*c]
	for k := range low {
		low[k], high[k] = math.MaxInt32, math.MinInt32
	}
	e.machine.Set.ChannelRange(e.machine.Acc[e0:e1], low, high)
	for k := range low {
		lo[k], hi[k] = float32(low[k]), float32(high[k])
	}
}

// extremes returns the smallest and the largest value of the output; NaN if there is one.
func (e *Exec) extremes() (lo, hi float32) {
	r := &e.run
	if r.z != nil {
		e.machine.Workers.Run(r.cut.N, e.rangeTask)
		return e.ext.Of(r.cut.N)
	}
	lo, hi = float32(math.Inf(1)), float32(math.Inf(-1))
	var v, w [2]float32
	for o := range e.scale {
		v[0], v[1] = e.machine.Channel(r.cut.N, r.geom.OutC, o)
		a, b := e.scale[o:o+1], e.shift[o:o+1]
		if r.grid {
			a, b = e.unit[o:o+1], e.zero[o:o+1]
		}
		ref.Affine(v[:], kernel.Operand{}, w[:], nil, a, b, e.node.Act)
		lo, hi = min(lo, w[0], w[1]), max(hi, w[0], w[1])
	}
	return lo, hi
}

func (e *Exec) rangeChunk(i, worker int) {
	r := &e.run
	e0, e1 := e.Elements(i)
	x, a, b := r.acc, e.scale, e.shift
	if r.grid {
		x, a, b = e.machine.Block[worker].F32[:e1-e0], e.ones, e.zero
		e.machine.Set.Dequantize(e.machine.Acc[e0:e1], nil, x, r.geom.OutC, e.unit)
	} else {
		x = x[e0:e1]
	}
	lo, hi := e.machine.Set.AffineRange(x, r.z.Operand(e0, e1), a, b, e.node.Act)
	e.ext.Set(i, lo, hi)
}
