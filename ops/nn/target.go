package nn

import (
	"fmt"
	"slices"

	"qpipe/ops/arith"
	"qpipe/ops/kernel"
	"qpipe/ops/layer"
	"qpipe/ops/quant"
)

// Target is the runtime that a model is quantized for. It decides which layers have one quant node together, and which
// outputs have a grid that the runtime prescribes.
type Target string

// The targets.
const (
	Horizon     Target = "horizon" // the default
	TensorRT    Target = "tensorrt"
	ONNXRuntime Target = "onnxruntime"
	TFLite      Target = "tflite"
)

// TargetRules are what a target computes with.
type TargetRules struct {
	Target Target
	// SumsApart: an addition takes two quantized operands and has a quant node of its own, with the activation behind it. Else a
	// convolution adds in its accumulator.
	SumsApart bool
	// Prescribes: the grids of layer.Kind.TFLite apply.
	Prescribes           bool
	Activations, Weights []quant.DType // that it has integers for
	Affine               bool          // activations may have a zero point
	Narrow               bool          // weights do not use the smallest code
	HalfEven             bool          // it rounds halves to even
}

// Targets are all targets with their rules. The sources are in docs/qconfig.md.
func Targets() []TargetRules {
	return []TargetRules{
		{Target: Horizon, Activations: []quant.DType{quant.Int4, quant.Int8, quant.Int16, quant.UInt8}, Weights: []quant.DType{quant.Int4, quant.Int8}, Affine: true},
		{Target: TensorRT, Activations: []quant.DType{quant.Int8}, Weights: []quant.DType{quant.Int8}, HalfEven: true},
		{Target: ONNXRuntime, SumsApart: true, Activations: []quant.DType{quant.Int8, quant.UInt8}, Weights: []quant.DType{quant.Int8}, Affine: true, HalfEven: true},
		{Target: TFLite, SumsApart: true, Prescribes: true, Activations: []quant.DType{quant.Int8}, Weights: []quant.DType{quant.Int4, quant.Int8}, Affine: true, Narrow: true},
	}
}

// Rules are the target's; those of the default for "". The second result is false if there is no such target.
func (t Target) Rules() (TargetRules, bool) {
	if t == "" {
		t = Horizon
	}
	for _, r := range Targets() {
		if r.Target == t {
			return r, true
		}
	}
	return TargetRules{}, false
}

// Target is what the graph is quantized for.
func (g *Graph) Target() Target {
	if g.target == "" {
		return Horizon
	}
	return g.target
}

// SetTarget gives a float graph the nodes that the target has. It comes before SetQConfig; the default is Horizon.
func (g *Graph) SetTarget(t Target) error {
	rules, known := t.Rules()
	switch {
	case !known:
		return fmt.Errorf("there is no target %q", t)
	case rules.Target == g.Target():
		return nil
	case g.form != Float || g.Target() != Horizon:
		return fmt.Errorf("a %s model for %s cannot become one for %s", g.form, g.Target(), t)
	}
	g.target = rules.Target
	g.version++
	if rules.SumsApart {
		g.splitSums()
		g.joinClamps()
	}
	g.prescribe()
	return g.verify()
}

// splitSums makes two nodes of every convolution that adds: the convolution, with its BN, and the addition, with the activation.
func (g *Graph) splitSums() {
	var nodes []*node
	at := make([]int, len(g.nodes))
	for i, n := range g.nodes {
		for k, j := range n.In {
			n.In[k] = at[j]
		}
		nodes = append(nodes, n)
		if c := conv(n); c != nil && c.Add {
			k := 1
			if c.BN != nil {
				k = 2
			}
			sum := &node{Node: &layer.Node{
				Kind: arith.Add{}.Kind(), Name: n.members[k], In: []int{len(nodes) - 1, n.In[1]}, Shape: n.Shape, Origin: n.Origin, Act: n.Act,
				Quant: quant.NewNode(quant.Spec{}, nil),
			}, members: n.members[k:]}
			n.members, n.In, n.Act, c.Act, c.Add = n.members[:k:k], n.In[:1:1], kernel.None, kernel.None, false
			nodes = append(nodes, sum)
		}
		at[i] = len(nodes) - 1
	}
	g.replace(nodes, at)
}

// joinClamps makes one node of an addition that repeats nothing and the activation that alone reads it.
func (g *Graph) joinClamps() {
	users := g.consumers()
	var nodes []*node
	at := make([]int, len(g.nodes))
	for i, n := range g.nodes {
		if n.Kind.Role == layer.Clamp {
			x := g.nodes[n.In[0]]
			if x.Kind.Role == layer.Sum && x.Act == kernel.None && !g.repeats(x) && len(users[n.In[0]]) == 1 && !slices.Contains(g.outs, n.In[0]) {
				x.Act, x.members = n.Act, append(slices.Clip(x.members), n.members...)
				at[i] = at[n.In[0]]
				continue
			}
		}
		at[i], nodes = len(nodes), append(nodes, n)
	}
	for _, n := range nodes {
		for k, j := range n.In {
			n.In[k] = at[j]
		}
	}
	g.replace(nodes, at)
}

// repeats reports whether the node has an operand of another shape than its own.
func (g *Graph) repeats(n *node) bool {
	return slices.ContainsFunc(n.In, func(j int) bool { return g.nodes[j].Shape != n.Shape })
}

// replace gives the graph other nodes; at says where each of the present ones is among them.
func (g *Graph) replace(nodes []*node, at []int) {
	outs := make([]int, len(g.outs))
	for k, i := range g.outs {
		outs[k] = at[i]
	}
	g.nodes, g.outs = nodes, outs
}

// prescribe marks the nodes whose output keeps their operand's grid.
func (g *Graph) prescribe() {
	rules, _ := g.Target().Rules()
	for _, n := range g.nodes {
		n.Keeps = rules.Prescribes && n.Kind.TFLite.Keeps
	}
}

// verifyTarget refuses nodes that no target has made: an addition inside of a convolution where the target has them apart, and
// an activation inside of an addition where it has not.
func (g *Graph) verifyTarget() error {
	rules, known := g.target.Rules()
	if !known || g.target == Horizon {
		return fmt.Errorf("there is no target %q", g.target)
	}
	for _, n := range g.nodes {
		c := conv(n)
		switch {
		case c != nil && c.Add && rules.SumsApart:
			return fmt.Errorf("%s: it adds, which for %s is a node of its own", n.Name, rules.Target)
		case c == nil && n.Act != kernel.None && n.Kind.Role != layer.Clamp && (n.Kind.Role != layer.Sum || !rules.SumsApart || g.repeats(n)):
			return fmt.Errorf("%s: a node of op %s has no activation", n.Name, n.Kind.Name)
		}
	}
	return nil
}

// Prescription is the grid that TFLite prescribes for the outputs of an op.
type Prescription struct {
	Op string
	layer.Prescribed
}

// Prescriptions are all of them.
func Prescriptions() []Prescription {
	var list []Prescription
	for _, k := range Kinds() {
		if k.TFLite != (layer.Prescribed{}) {
			list = append(list, Prescription{k.Name, k.TFLite})
		}
	}
	return list
}
