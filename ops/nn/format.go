package nn

import (
	"qpipe/ops/kernel"
	"qpipe/ops/quant"
)

// format returns how the output of node i is quantized to at most 8 bits, with
// codes as int8 holds them (uint8 codes less 128). It is false where the output
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
	if ok && first.Min == own.Min && first.Max == own.Max && first.HalfUp == own.HalfUp {
		return first, true // equal scales: the integers pass through
	}
	return own, true
}

func (g *Graph) ownFormat(n *node) (kernel.Quant, bool) {
	s := n.quant.Spec
	if !s.Quantized() || s.DType == quant.Int16 {
		return kernel.Quant{}, false
	}
	lo, hi := s.Limits()
	q := kernel.Quant{Scale: n.scale, Zero: n.zero, Min: lo, Max: hi, HalfUp: s.Rounding == quant.HalfUp}
	if g.form != Quantized {
		if !n.quant.Ready() {
			return kernel.Quant{}, false
		}
		q.Scale, q.Zero = n.quant.Scale()
		q.Zero -= shift(s)
	}
	q.Min -= shift(s)
	q.Max -= shift(s)
	return q, true
}

// shift is what int8 storage takes from a code.
func shift(s quant.Spec) int32 {
	if s.DType == quant.UInt8 {
		return 128
	}
	return 0
}
