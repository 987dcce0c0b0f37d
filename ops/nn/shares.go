package nn

import "qpipe/ops/layer"

// Shares finds the softmax that an output is, or its logarithm, whatever only moves its values behind it: the node, and what it reads.
// The first result is NoShares if the output is none.
func (g *Graph) Shares(output string) (is layer.Shares, node, reads string) {
	i := g.Place(output)
	if i < 0 {
		return layer.NoShares, "", ""
	}
	n := g.nodes[i]
	for len(n.In) == 1 && (n.Kind.Output == layer.Passes || n.Kind.Stub == layer.Dequantizes) {
		n = g.nodes[n.In[0]]
	}
	if n.Kind.Shares == layer.NoShares {
		return layer.NoShares, "", ""
	}
	return n.Kind.Shares, n.Name, g.nodes[n.In[0]].Name
}
