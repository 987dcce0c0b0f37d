package nn

import (
	"errors"
	"fmt"

	"qpipe/ops/grid"
	"qpipe/ops/tensor"
)

// Convert absorbs what is left of BN and returns the int8 graph; g is unchanged.
func (g *Graph) Convert() (*Graph, error) {
	if errs := g.Convertible(); len(errs) > 0 {
		list := make([]error, len(errs))
		for i, e := range errs {
			list[i] = e
		}
		return nil, errors.Join(list...)
	}
	if names := g.Unobserved(); g.alloced && len(names) > 0 {
		return nil, NodeError{names[0], unobserved(len(names)), "calibrate or train before converting"}
	}
	c := g.Clone()
	for i, n := range c.nodes {
		if err := g.convertNode(i, n); err != nil {
			return nil, err
		}
	}
	c.form = Quantized
	c.version++
	return c, c.verify()
}

// convertNode makes n, the copy of node i, an int8 node.
func (g *Graph) convertNode(i int, n *node) error {
	if !g.alloced {
		n.BecomeInt8(g.island(n) != "")
		return nil
	}
	const way = "look for the step at which training became unsound"
	if n.HasQuant() && n.Quant.Spec.Quantized() {
		f, _ := g.Format(i)
		if !finite(f.Scale) {
			return NodeError{n.Name, fmt.Errorf("its output's scale is %v", f.Scale), way}
		}
		n.Quant.Step, n.Quant.Zero = f.Scale, grid.Plain(n.Quant.Spec, f.Zero)
	}
	scale := float32(0)
	if len(n.In) > 0 {
		in, _ := g.Format(n.In[0])
		scale = in.Scale
	}
	if err := n.Node.Convert(g.island(n) != "", scale); err != nil {
		return NodeError{n.Name, err, way}
	}
	if !n.Island {
		return nil
	}
	for _, s := range n.Slots() {
		if what := s.NotFinite(false, tensor.Finite); what != "" {
			return NodeError{n.Name, fmt.Errorf("its %s is not finite", what), way}
		}
	}
	return nil
}

func finite(v float32) bool { return v-v == 0 }

// unobserved is the error about so many nodes without a range.
func unobserved(n int) error {
	if n == 1 {
		return errors.New("the node has no range: nothing has observed its output")
	}
	return fmt.Errorf("%d nodes have no range, this one first: nothing has observed their outputs", n)
}
