package nn

import (
	"strings"

	"qpipe/ops/layer"
)

// RangeOf returns the node whose range the tensor of that name holds.
func RangeOf(tensor string) (node string, ok bool) {
	return strings.CutSuffix(tensor, layer.RangeSuffix)
}

// Unobserved lists the nodes that have no range to be quantized with: no batch has
// been observed, no range was loaded, and none is fixed. An int8 model cannot be made
// of such a graph, and its evaluation computes these nodes in float32.
func (g *Graph) Unobserved() []string {
	var names []string
	for _, n := range g.nodes {
		if n.HasQuant() && n.Quant.Spec.Quantized() && !n.Quant.Ready() && !n.observed {
			names = append(names, n.Name)
		}
	}
	return names
}

// Observed tells a graph without parameters that a node will have a range once there
// are some: validation follows ranges without numbers.
func (g *Graph) Observed(node string) {
	if n := g.find(node); n != nil && n.Name == node {
		n.observed = true
	}
}
