package nn

import (
	"qpipe/ops/grid"
	"qpipe/ops/kernel"
	"qpipe/ops/quant"
)

// format returns how the output of node i is quantized to at most 8 bits, with
// codes as bytes hold them. It is false where the output
// is float32, int16, or has not been observed yet.
func (g *Graph) format(i int) (kernel.Quant, bool) {
	n := g.nodes[i]
	if !n.hasQuant() {
		return g.format(n.in[0])
	}
	own, ok := g.ownFormat(n)
	if !ok || n.op != opConcat {
		return own, ok
	}
	first, ok := g.format(n.in[0])
	for _, j := range n.in[1:] {
		f, on := g.format(j)
		ok = ok && on && f == first
	}
	if !ok {
		return own, true
	}
	return joined(own, first), true
}

// joined is the format of a concat whose inputs all have the format in: theirs,
// so that the integers pass through, if the output has the same codes.
func joined(own, in kernel.Quant) kernel.Quant {
	if in.Min == own.Min && in.Max == own.Max && in.HalfUp == own.HalfUp {
		return in
	}
	return own
}

func (g *Graph) ownFormat(n *node) (kernel.Quant, bool) {
	if g.form != Quantized {
		q, _, codes := grid.Format(&n.quant)
		return q, codes
	}
	if !n.quant.Spec.Quantized() || n.quant.Spec.DType == quant.Int16 {
		return kernel.Quant{}, false
	}
	return grid.Stored(n.quant.Spec, n.scale, n.zero), true
}
