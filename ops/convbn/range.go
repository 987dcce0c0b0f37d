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
	c := e.n.Geom.OutC
	lo, hi := e.m.Extremes(i, c)
	start(lo, hi)
	if !e.run.grid {
		sum, sq := e.m.Partial(i, c)
		e.m.Set.ChannelStats(e.run.acc[e0:e1], sum, sq, lo, hi)
		return
	}
	s := e.m.Block[worker].I32
	low, high := s[:c], s[c:2*c]
	for k := range low {
		low[k], high[k] = math.MaxInt32, math.MinInt32
	}
	e.m.Set.ChannelRange(e.m.Acc[e0:e1], low, high)
	for k := range low {
		lo[k], hi[k] = float32(low[k]), float32(high[k])
	}
}

// extremes returns the smallest and the largest value of the output; NaN if there is one.
func (e *Exec) extremes() (lo, hi float32) {
	r := &e.run
	if r.z != nil {
		e.m.Workers.Run(r.cut.N, e.rangeTask)
		return e.ext.Of(r.cut.N)
	}
	lo, hi = float32(math.Inf(1)), float32(math.Inf(-1))
	var v, w [2]float32
	for o := range e.a {
		v[0], v[1] = e.m.Channel(r.cut.N, r.p.OutC, o)
		a, b := e.a[o:o+1], e.b[o:o+1]
		if r.grid {
			a, b = e.unit[o:o+1], e.zero[o:o+1]
		}
		ref.Affine(v[:], kernel.Operand{}, w[:], nil, a, b, e.n.Act)
		lo, hi = min(lo, w[0], w[1]), max(hi, w[0], w[1])
	}
	return lo, hi
}

func (e *Exec) rangeChunk(i, worker int) {
	r := &e.run
	e0, e1 := e.Elements(i)
	x, a, b := r.acc, e.a, e.b
	if r.grid {
		x, a, b = e.m.Block[worker].F32[:e1-e0], e.ones, e.zero
		e.m.Set.Dequantize(e.m.Acc[e0:e1], nil, x, r.p.OutC, e.unit)
	} else {
		x = x[e0:e1]
	}
	lo, hi := e.m.Set.AffineRange(x, r.z.Operand(e0, e1), a, b, e.n.Act)
	e.ext.Set(i, lo, hi)
}
