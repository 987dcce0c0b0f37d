package nn

import (
	"fmt"

	"qpipe/ops/tensor"
)

// verify checks the graph's shape after a pass. What it finds is a mistake of
// the pass, not of the user.
func (g *Graph) verify() error {
	if len(g.nodes) == 0 || g.nodes[0].op != opInput || g.out < 0 || g.out >= len(g.nodes) {
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
		for _, j := range n.in {
			if j < 0 || j >= i {
				return fmt.Errorf("%s: an operand comes after it", n.name)
			}
		}
		if err := g.verifyNode(n); err != nil {
			return fmt.Errorf("%s: %w", n.name, err)
		}
	}
	return nil
}

func (g *Graph) verifyNode(n *node) error {
	operands := map[string]int{opInput: 0, opAdd: 2}
	want, fixed := operands[n.op]
	switch {
	case fixed:
	case n.op == opConcat:
		want = max(2, len(n.in))
	case n.conv != nil && n.conv.Add:
		want = 2
	default:
		want = 1
	}
	if len(n.in) != want {
		return fmt.Errorf("%d operands where %s has %d", len(n.in), n.op, want)
	}
	if (n.op == opConv || n.op == opLinear) != (n.conv != nil) {
		return fmt.Errorf("a %s with or without a convolution", n.op)
	}
	if err := g.verifyShape(n); err != nil || n.conv == nil {
		return err
	}
	bn := n.conv.BN != nil
	switch {
	case bn && g.form == Quantized:
		return fmt.Errorf("a BN in the int8 form")
	case bn && g.mode == FuseBN && (g.form == QAT || g.form == Calibration):
		return fmt.Errorf("a BN under fuse_bn")
	case bn != (n.bnName != ""):
		return fmt.Errorf("the BN's name and the BN disagree")
	case g.form == Quantized && g.alloced && n.conv.Int8 == nil:
		return fmt.Errorf("no integers in the int8 form")
	}
	return nil
}

// verifyShape checks that the operands' shapes give the node's.
func (g *Graph) verifyShape(n *node) error {
	var in []tensor.Shape
	var channels int
	for _, j := range n.in {
		in = append(in, g.nodes[j].shape)
		channels += g.nodes[j].shape.C
	}
	fits := true
	switch p := n.pool; {
	case n.op == opInput:
	case n.conv != nil:
		c := n.conv.Geom
		fits = in[0].WithN(1).Len() == c.H*c.W*c.C && n.shape == tensor.Shape{H: c.OH, W: c.OW, C: c.OutC}
		fits = fits && (len(in) == 1 || in[1] == n.shape)
	case n.op == opConcat:
		for _, s := range in {
			fits = fits && s.H == n.shape.H && s.W == n.shape.W
		}
		fits = fits && channels == n.shape.C
	case n.op == opFlatten:
		fits = n.shape == tensor.Shape{H: 1, W: 1, C: in[0].WithN(1).Len()}
	case p.KH > 0:
		fits = in[0] == tensor.Shape{H: p.H, W: p.W, C: p.C} && n.shape == tensor.Shape{H: p.OH, W: p.OW, C: p.C}
	default:
		for _, s := range in {
			fits = fits && s == n.shape
		}
	}
	if !fits {
		return fmt.Errorf("%v does not follow from %v", n.shape, in)
	}
	return nil
}
