package nn

import (
	"fmt"
	"math"

	"qpipe/ops/convbn"
	"qpipe/ops/quant"
)

// Average moves g's parameters, running statistics and ranges towards those of
// from, a graph of the same structure: y += rate·(x - y). A range that has seen
// nothing yet is infinite; the first finite value then takes its place. A
// weight's scale follows from its weight, or is frozen, and is left alone.
func (g *Graph) Average(from *Graph, rate float32) error {
	if len(g.nodes) != len(from.nodes) {
		return fmt.Errorf("averaging graphs of %d and %d nodes", len(g.nodes), len(from.nodes))
	}
	for i, n := range g.nodes {
		to, src := g.slots(n), from.slots(from.nodes[i])
		if len(to) != len(src) {
			return fmt.Errorf("averaging node %s, which has %d tensors, with %s, which has %d", n.name, len(to), from.nodes[i].name, len(src))
		}
		for j := range to {
			if to[j].name != src[j].name || to[j].len() != src[j].len() {
				return fmt.Errorf("averaging tensor %s with %s", to[j].name, src[j].name)
			}
			to[j].average(&src[j], n.conv, rate)
		}
	}
	return nil
}

func (s *slot) average(x *slot, c *convbn.Node, rate float32) {
	switch {
	case s.param != nil:
		approach(s.param.Data, x.param.Data, rate)
	case s.f32 != nil && (c == nil || s.f32 != &c.WScale):
		approach(*s.f32, *x.f32, rate)
	case s.rng != nil:
		averageRange(s.rng, x.rng, rate)
	}
}

func averageRange(to, from *quant.Node, rate float32) {
	if to.Observer != nil && to.Observer.Fixed() {
		return
	}
	r := [2]float32{to.Min, to.Max}
	approach(r[:], []float32{from.Min, from.Max}, rate)
	to.Min, to.Max = r[0], r[1]
}

func approach(y, x []float32, rate float32) {
	for i, v := range x {
		if d := v - y[i]; math.IsInf(float64(d), 0) || d != d {
			y[i] = v
		} else {
			y[i] += float32(rate * d)
		}
	}
}
