package nn

import "qpipe/ops/quant"

// Written returns the network as the model has written it, before fusion: every layer is a node of its own, whatever the graph has
// become since. It is nil if the graph was not built, but restored from a structure, which does not say.
func (g *Graph) Written() *Graph {
	if g.written == nil {
		return nil
	}
	w := g.written.Clone()
	w.labels = g.labels
	return w
}

// apart makes a node of every layer. The layers are the graph's: fused nodes are copies.
func (f *fuser) apart() *Graph {
	g := &Graph{form: Float, outs: f.outs}
	for _, n := range f.nodes {
		n.Quant = quant.NewNode(quant.Spec{}, nil)
		g.nodes = append(g.nodes, &node{Node: n, members: []string{n.Name}})
	}
	return g
}
