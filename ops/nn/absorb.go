package nn

import (
	"fmt"

	"qpipe/ops/convbn"
)

// Absorbed is a BN that was absorbed in the middle of QAT: what a checkpoint
// must remember to make the same structure again. Frozen tells whether the
// weight's scale stayed as it was (with_bn without recompute).
type Absorbed struct {
	Node      string `json:"node"`
	BN        string `json:"bn"`
	Recompute bool   `json:"recompute,omitempty"`
	Frozen    bool   `json:"frozen,omitempty"`
}

// Absorb moves the BN of the named node (its BN's or its own name) into the convolution. With recompute the weight's
// scale is computed again from the absorbed weight; otherwise it stays as it was. The tensors of the BN are gone after it,
// and the node's Params are new ones; a Net notices by itself.
func (g *Graph) Absorb(name string, recompute bool) error {
	n := g.find(name)
	switch {
	case n == nil:
		return fmt.Errorf("there is no node %q", name)
	case g.form != QAT:
		return NodeError{n.Name, fmt.Errorf("BN is absorbed in the QAT form, and the model's form is %s", g.form), "absorb after Float2QAT"}
	case conv(n) == nil || conv(n).BN == nil:
		return NodeError{n.Name, fmt.Errorf("it has no BN that could be absorbed"), "name a convolution whose BN is still there"}
	}
	a := Absorbed{Node: n.Name, BN: conv(n).BN.Name, Recompute: recompute}
	conv(n).Absorb(recompute)
	a.Frozen = conv(n).Frozen
	g.absorbed = append(g.absorbed, a)
	g.version++
	return g.verify()
}

// Absorbed returns the absorptions so far, in order.
func (g *Graph) Absorbed() []Absorbed { return append([]Absorbed(nil), g.absorbed...) }

// ReplayAbsorbed gives a QAT graph, with or without parameters, the structure of
// one that has absorbed the same BNs, and the same frozen scales' places, so that its tensors can
// be set. What it has absorbed already is left as it is.
func (g *Graph) ReplayAbsorbed(list []Absorbed) error {
	for _, a := range list {
		if n := g.find(a.Node); n != nil && conv(n) != nil && conv(n).BN == nil && g.hasAbsorbed(a.Node) {
			continue
		}
		if err := g.Absorb(a.Node, a.Recompute); err != nil {
			return err
		}
		n := g.find(a.Node)
		conv(n).Frozen = a.Frozen
		g.absorbed[len(g.absorbed)-1].Frozen = a.Frozen
	}
	return nil
}

func (g *Graph) hasAbsorbed(node string) bool {
	for _, a := range g.absorbed {
		if a.Node == node {
			return true
		}
	}
	return false
}

// FreezeBN makes the named BNs use and keep their running statistics in training.
func (g *Graph) FreezeBN(names []string) error {
	for _, name := range names {
		n := g.find(name)
		switch {
		case n == nil:
			return fmt.Errorf("there is no node %q", name)
		case convbn.BNOf(n.Node) == nil:
			return NodeError{n.Name, fmt.Errorf("it has no BN that could be frozen"), "name a node whose BN is still there"}
		}
		convbn.BNOf(n.Node).Frozen = true
	}
	return nil
}

// FrozenBN returns the names of the nodes whose BN is frozen, in order.
func (g *Graph) FrozenBN() []string {
	var names []string
	for _, n := range g.nodes {
		if b := convbn.BNOf(n.Node); b != nil && b.Frozen {
			names = append(names, n.Name)
		}
	}
	return names
}
