package nn

import (
	"fmt"
	"slices"

	"qpipe/ops/convbn"
	"qpipe/ops/kernel"
	"qpipe/ops/layer"
)

// Island is a node that has float32 values in the int8 form.
type Island struct {
	Node string
	Why  string // "its weight is float32"
	// Stubbed tells that it lies where DeQuantStubs say that nothing is quantized, or is a stub.
	Stubbed bool
}

// Islands lists the nodes that have float32 values in the int8 form, in topological order. The end of a network whose
// float32 output is computed with integers, the usual case, is not among them.
func (g *Graph) Islands() []Island {
	var list []Island
	into, dequantized := g.intoIslands(), g.dequantized()
	for i, n := range g.nodes {
		why, stubbed := g.island(n), dequantized[i] || n.Kind.Stub != layer.NoStub
		switch {
		case why != "":
			list = append(list, Island{n.Name, why, stubbed})
		case !into[i] || !g.real(n):
		case n.Kind.Floats && g.real(g.nodes[n.In[0]]):
			list = append(list, Island{n.Name, g.floatOperand(n), stubbed})
		default:
			list = append(list, Island{n.Name, "its output is float32", stubbed})
		}
	}
	return list
}

// WithoutInt8 says of the nodes that the int8 form will have in float32 whatever the configuration why that is, by their names.
func (g *Graph) WithoutInt8() map[string]string {
	list := map[string]string{}
	for _, n := range g.nodes {
		if why := withoutInt8(n); why != "" {
			list[n.Name] = why
		}
	}
	return list
}

// withoutInt8 is why a node has no int8 form, "" if it has one.
func withoutInt8(n *node) string {
	c := conv(n)
	switch {
	case n.Kind.View || n.Kind.Rests:
		return ""
	case n.Kind.Integer == nil:
		return fmt.Sprintf("%s has no int8 form", n.Kind.Name)
	case c != nil && tooWide(c):
		return fmt.Sprintf("an output is a sum of %d products, and int32 is sure to hold %d", c.Geom.K(), kernel.MaxProducts)
	}
	return ""
}

// FloatMACs are the multiply-accumulates of float32 values that the int8 form has for an image. Of an island whose products are of
// integers there are none.
func (g *Graph) FloatMACs() (sum int64) {
	for _, n := range g.nodes {
		c := conv(n)
		integers := c != nil && c.Weight.Quantized() && !tooWide(c) && !g.real(g.nodes[n.In[0]])
		if g.island(n) != "" && !integers {
			sum += n.MACs()
		}
	}
	return sum
}

// tooWide reports whether an output is a sum of more products than int32 is sure to hold.
func tooWide(c *convbn.Node) bool { return c.Geom.K() > kernel.MaxProducts }

// TooWide reports whether a node is an island because its outputs are sums of too many products.
func (g *Graph) TooWide(node string) bool {
	i := g.Place(node)
	if i < 0 {
		return false
	}
	c := conv(g.nodes[i])
	return c != nil && c.Weight.Quantized() && tooWide(c)
}

// dequantized tells of every node whether values reach it through DeQuantStubs only, and no QuantStub; a DeQuantStub itself counts.
func (g *Graph) dequantized() []bool {
	floats := make([]bool, len(g.nodes))
	for i, n := range g.nodes {
		switch n.Kind.Stub {
		case layer.Dequantizes:
			floats[i] = true
		case layer.Quantizes:
		default:
			floats[i] = len(n.In) > 0 && !slices.ContainsFunc(n.In, func(j int) bool { return !floats[j] })
		}
	}
	return floats
}

// intoIslands tells of every node whether an island reads its values.
func (g *Graph) intoIslands() []bool {
	into := make([]bool, len(g.nodes))
	for i := len(g.nodes) - 1; i >= 0; i-- {
		n := g.nodes[i]
		reads := g.island(n) != "" || n.Kind.Floats && into[i]
		for _, j := range n.In {
			into[j] = into[j] || reads
		}
	}
	return into
}

// island is why the int8 form computes the node in float32, "" if it does not. It follows from types alone, so that a structure
// says which nodes are islands.
func (g *Graph) island(n *node) string {
	c, why := conv(n), withoutInt8(n)
	switch {
	case n.Kind.View || n.Kind.Rests:
		return ""
	case c != nil && !c.Weight.Quantized():
		return "its weight is float32"
	case why != "" || n.Kind.Floats:
		return why
	}
	return g.floatOperand(n)
}

// floatOperand names the node's first operand that is float32, "" for none.
func (g *Graph) floatOperand(n *node) string {
	for _, j := range n.In {
		if x := g.nodes[j]; g.real(x) {
			return fmt.Sprintf("its operand %s is float32", x.Name)
		}
	}
	return ""
}

// integers reports whether the int8 form computes the node's output out of integers.
func (g *Graph) integers(n *node) bool {
	return len(n.In) > 0 && g.island(n) == "" && g.floatOperand(n) == ""
}

// real reports whether the node's output is float32 by configuration.
func (g *Graph) real(n *node) bool {
	if n.Passes() {
		return g.real(g.nodes[n.In[0]])
	}
	return !n.Quant.Spec.Quantized()
}
