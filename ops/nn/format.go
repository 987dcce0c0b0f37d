package nn

import (
	"qpipe/ops/grid"
	"qpipe/ops/kernel"
	"qpipe/ops/layer"
)

// Format returns how the output of node i is quantized to at most 8 bits, with
// codes as bytes hold them. It is false where the output
// is float32, int16, or has not been observed yet.
func (g *Graph) Format(i int) (kernel.Quant, bool) {
	n := g.nodes[i]
	if n.Passes() {
		return g.Format(n.In[0])
	}
	own, _, ok := grid.Format(&n.Quant)
	if !ok || n.Kind.Output != layer.Joins {
		return own, ok
	}
	first, ok := g.Format(n.In[0])
	for _, j := range n.In[1:] {
		f, on := g.Format(j)
		ok = ok && on && f == first
	}
	if !ok {
		return own, true
	}
	return layer.Joined(own, first), true
}
