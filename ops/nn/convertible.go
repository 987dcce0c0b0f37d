package nn

import (
	"fmt"

	"qpipe/ops/kernel"
	"qpipe/ops/quant"
)

// Convertible lists what keeps the graph from being converted to int8, each with the node's name and the way out.
func (g *Graph) Convertible() []NodeError {
	var errs []NodeError
	if g.form != QAT && g.form != Calibration {
		return []NodeError{{g.nodes[0].Name, fmt.Errorf("a %s model is not converted to int8", g.form), "convert after Float2QAT"}}
	}
	users := g.consumers()
	for i, n := range g.nodes {
		if e := g.unconvertible(i, n, users); e != nil {
			errs = append(errs, *e)
		}
	}
	return errs
}

func (g *Graph) unconvertible(i int, n *node, users [][]int) *NodeError {
	a, c, w := n.Quant.Spec.DType, conv(n), quant.Float32
	if c != nil {
		w = c.Weight.DType
	}
	bad := func(way, format string, args ...any) *NodeError {
		return &NodeError{n.Name, fmt.Errorf(format, args...), way}
	}
	reads := func() bool { return g.real(n.In[0]) }
	switch {
	case a == quant.Int16:
		return bad(`set its activation to dtype = "int8"`, "an int16 activation has no int8 form")
	case len(n.In) == 0 && a == quant.Float32:
		return bad(`set its activation to dtype = "int8"`, "the network's input is not quantized, so nothing after it computes with integers")
	case c != nil && w == quant.Float32 && a == quant.Float32 && g.feedsInt8(i, users) && !reads():
		return bad(`give it an int8 weight and activation, or make everything after it float32`, "a float island between quantized nodes")
	case c != nil && c.Geom.K() > kernel.MaxProducts && !reads():
		return bad("pool or convolve before it", "an output is a sum of %d products, and int32 is sure to hold %d", c.Geom.K(), kernel.MaxProducts)
	case c != nil && w == quant.Float32 && !reads():
		return bad(`set its weight to dtype = "int8"`, "its weight is not quantized, so it has no int8 form")
	case n.HasQuant() && a == quant.Float32 && g.feedsInt8(i, users):
		return bad(`set its activation to dtype = "int8"; only the network's output may be float32`,
			"a float32 output in the middle: %s computes with integers", g.nodes[users[i][0]].Name)
	}
	return nil
}

// real reports whether the node's output is float32 by configuration.
func (g *Graph) real(i int) bool {
	n := g.nodes[i]
	if !n.HasQuant() {
		return g.real(n.In[0])
	}
	return !n.Quant.Spec.Quantized()
}

// feedsInt8 reports whether a node behind i needs integers.
func (g *Graph) feedsInt8(i int, users [][]int) bool {
	for _, u := range users[i] {
		if !g.nodes[u].Kind.Floats || g.feedsInt8(u, users) {
			return true
		}
	}
	return false
}
