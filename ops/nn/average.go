package nn

import (
	"fmt"
	"math"

	"qpipe/ops/layer"
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
		to, src := n.Slots(), from.nodes[i].Slots()
		if len(to) != len(src) {
			return fmt.Errorf("averaging node %s, which has %d tensors, with %s, which has %d", n.Name, len(to), from.nodes[i].Name, len(src))
		}
		for j := range to {
			if to[j].Name != src[j].Name || to[j].Len() != src[j].Len() {
				return fmt.Errorf("averaging tensor %s with %s", to[j].Name, src[j].Name)
			}
			average(&to[j], &src[j], rate)
		}
	}
	return nil
}

func average(to, from *layer.Slot, rate float32) {
	switch {
	case to.Param != nil:
		approach(to.Param.Data, from.Param.Data, rate)
	case to.F32 != nil && !to.Derived:
		approach(*to.F32, *from.F32, rate)
	case to.Range != nil:
		averageRange(to.Range, from.Range, rate)
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
