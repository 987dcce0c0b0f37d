package nn

import (
	"fmt"

	"qpipe/ops/tensor"
)

// verify checks the graph's shape after a pass. What it finds is a mistake of
// the pass, not of the user.
func (g *Graph) verify() error {
	if len(g.nodes) == 0 || len(g.nodes[0].In) > 0 || len(g.outs) == 0 {
		return fmt.Errorf("the graph has no input or no output")
	}
	seen := map[string]bool{}
	for i, n := range g.nodes {
		for _, m := range n.members {
			if seen[m] {
				return fmt.Errorf("%s: there are two nodes of this name", m)
			}
			seen[m] = true
		}
		for _, j := range n.In {
			if j < 0 || j >= i {
				return fmt.Errorf("%s: an operand comes after it", n.Name)
			}
		}
		if err := g.verifyNode(n); err != nil {
			return fmt.Errorf("%s: %w", n.Name, err)
		}
	}
	return nil
}

func (g *Graph) verifyNode(n *node) error {
	k := n.Kind
	if len(n.In) < k.Least || k.Most >= 0 && len(n.In) > k.Most {
		return fmt.Errorf("%d operands where %s has %d", len(n.In), k.Name, k.Least)
	}
	var in []tensor.Shape
	for _, j := range n.In {
		in = append(in, g.nodes[j].Shape)
	}
	if s, err := k.Shape(n.Node, in); err != nil || s != n.Shape {
		return fmt.Errorf("%v does not follow from %v", n.Shape, in)
	}
	c := conv(n)
	switch {
	case c == nil:
	case c.BN != nil && g.form == Quantized:
		return fmt.Errorf("a BN in the int8 form")
	case c.BN != nil && g.mode == FuseBN && (g.form == QAT || g.form == Calibration):
		return fmt.Errorf("a BN under fuse_bn")
	case g.form == Quantized && !n.Island && g.alloced && c.Int8 == nil:
		return fmt.Errorf("no integers in the int8 form")
	}
	return nil
}
