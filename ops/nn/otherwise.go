package nn

import (
	"fmt"
	"slices"
	"strings"

	"qpipe/ops/quant"
)

// Difference is an attribute of a node's quantization in which two models differ,
// with the words of pipelines: Attr is "activation.dtype", "weight.rounding", …,
// or "target" and "qat_mode", which are no node's: Node is "" then.
type Difference struct {
	Node, Attr string
	Was, Is    string
}

// QuantizedOtherwise lists in what g, node by node, is quantized otherwise than
// the model was: all that changes an integer of the evaluation forward. Observers
// count where they fix a range without data; ranges that were
// learned are numbers and come with a checkpoint. Nodes that only one of the two
// has are passed over.
func (g *Graph) QuantizedOtherwise(was *Graph) []Difference {
	var list []Difference
	if g.Target() != was.Target() {
		list = append(list, Difference{"", "target", string(was.Target()), string(g.Target())})
	}
	if g.mode != was.mode && was.HasBN() {
		list = append(list, Difference{"", "qat_mode", string(was.mode), string(g.mode)})
	}
	add := func(node, attr string, a, b fmt.Stringer) {
		if a.String() != b.String() {
			list = append(list, Difference{node, attr, a.String(), b.String()})
		}
	}
	for _, n := range g.nodes {
		o := was.find(n.Name)
		if o == nil || o.Name != n.Name {
			continue
		}
		each(n.Name, "activation", o.Quant.Spec, n.Quant.Spec, add)
		if was, is, other := fixedOtherwise(&o.Quant, &n.Quant); other {
			list = append(list, Difference{n.Name, "activation.range", was, is})
		}
		if conv(n) != nil && conv(o) != nil {
			each(n.Name, "weight", conv(o).Weight, conv(n).Weight, add)
		}
	}
	return list
}

// each compares two specs attribute by attribute. Where one of them does not
// quantize, or has another type, the type says it all.
func each(node, part string, was, is quant.Spec, add func(node, attr string, a, b fmt.Stringer)) {
	add(node, part+".dtype", was.DType, is.DType)
	if was.DType != is.DType || !is.Quantized() {
		return
	}
	add(node, part+".scheme", was.Scheme, is.Scheme)
	if was.Scheme == quant.Symmetric && is.Scheme == quant.Symmetric {
		add(node, part+".scale_rule", was.Rule, is.Rule)
	}
	add(node, part+".rounding", was.Rounding, is.Rounding)
	add(node, part+".per_channel", boolean(was.PerChannel), boolean(is.PerChannel))
}

// fixedOtherwise compares a range that is fixed without data with the one that the
// model had, as far as that is known.
func fixedOtherwise(was, is *quant.Node) (a, b string, other bool) {
	if was.Spec.DType != is.Spec.DType || is.Observer == nil || !is.Observer.Fixed() {
		return "", "", false
	}
	b = fmt.Sprintf("fixed %g…%g", is.Min, is.Max)
	switch {
	case was.Ready():
		return fmt.Sprintf("%g…%g", was.Min, was.Max), b, was.Min != is.Min || was.Max != is.Max
	case was.Observer != nil:
		return "observed", b, true
	}
	return "", "", false
}

// SetRange sets the range that the output of a node is quantized with.
func (g *Graph) SetRange(node string, lo, hi float32) {
	if n := g.find(node); n != nil {
		n.Quant.Min, n.Quant.Max = lo, hi
	}
}

// HasBN reports whether a BN is left in a convolution.
func (g *Graph) HasBN() bool {
	return slices.ContainsFunc(g.nodes, func(n *node) bool { return conv(n) != nil && conv(n).BN != nil })
}

// SameNetwork says in what o is another network than g: nodes, shapes and windows
// count; forms, BNs and numbers do not.
func (g *Graph) SameNetwork(o *Graph) error {
	for i, n := range g.nodes {
		if i >= len(o.nodes) {
			return fmt.Errorf("it has no node %s", n.Name)
		}
		want, got := g.outline(n), o.outline(o.nodes[i])
		for k := range want {
			if want[k] != got[k] {
				return fmt.Errorf("%s: %s, where this one has %s", n.Name, got[k], want[k])
			}
		}
	}
	if len(o.nodes) > len(g.nodes) {
		return fmt.Errorf("it has the node %s more", o.nodes[len(g.nodes)].Name)
	}
	return nil
}

// outline is what the same node has in any form of a network.
func (g *Graph) outline(n *node) [6]string {
	var inputs []string
	for _, i := range n.In {
		inputs = append(inputs, g.nodes[i].Name)
	}
	return [...]string{
		"the name " + n.Name, "the op " + n.Kind.Name, "the output " + n.Shape.String(), "the activation " + n.Act.String(), n.Window(),
		"the operands " + strings.Join(inputs, ", "),
	}
}

type boolean bool

func (b boolean) String() string { return fmt.Sprint(bool(b)) }
