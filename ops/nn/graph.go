// Package nn is the network: a directed acyclic graph of named nodes, and the passes
// over it in the field's own words (fuse, set_qconfig, prepare, absorb, convert). It
// knows what nodes are (package layer) and what becomes of a convolution and its BN
// (convbn); how they are run is the engine's. It knows no data sets, no optimizers and
// no files.
package nn

import (
	"slices"

	"qpipe/ops/arith"
	"qpipe/ops/convbn"
	"qpipe/ops/curve"
	"qpipe/ops/kernel"
	"qpipe/ops/layer"
	"qpipe/ops/move"
	"qpipe/ops/norm"
	"qpipe/ops/op"
	"qpipe/ops/quant"
	"qpipe/ops/tensor"
)

// Form is what a graph computes with.
type Form string

// The forms, in the order of the flow.
const (
	Float       Form = "float"
	Calibration Form = "calibration"
	QAT         Form = "qat"
	Quantized   Form = "quantized"
)

// Mode is the qat_mode: what becomes of BN while training quantized.
type Mode string

// The modes (numerics.md, "Conv + BN + quant node").
const (
	FuseBN      Mode = "fuse_bn"
	WithBN      Mode = "with_bn"
	ReverseFold Mode = "with_bn_reverse_fold"
)

// Quant is how one tensor of a node is quantized. With Spec.DType Float32 it is
// not, and Observer is nil.
type Quant struct {
	Spec     quant.Spec
	Observer quant.Observer
}

// QConfig is a node's quantization configuration.
type QConfig struct{ Activation, Weight Quant }

// Graph is a network's structure and, after Init, its parameters and state.
type Graph struct {
	form       Form
	mode       Mode
	nodes      []*node // in topological order; the first is an input
	outs       []int
	labels     []string // of the outputs; nil: their nodes' names
	absorbed   []Absorbed
	alloced    bool
	version    int  // grows where a compiled net is no longer right
	configured bool // SetQConfig was called
	target     Target
	written    *Graph // before fusion, never changed; nil if unknown
}

// node is a node with what only the passes know of it.
type node struct {
	*layer.Node
	members  []string
	qcfg     QConfig
	observed bool // of a graph without parameters: it will have a range when it has them
}

// Kinds is the table of ops, a row each.
func Kinds() []*layer.Kind {
	return slices.Concat(op.Kinds(), arith.Kinds(), move.Kinds(), curve.Kinds(), norm.Kinds(), convbn.Kinds())
}

// Ops are the names of all ops.
func Ops() []string {
	var names []string
	for _, k := range Kinds() {
		names = append(names, k.Name)
	}
	return names
}

// kindNamed is the row of that name, nil for none.
func kindNamed(name string) *layer.Kind {
	list := Kinds()
	if i := slices.IndexFunc(list, func(k *layer.Kind) bool { return k.Name == name }); i >= 0 {
		return list[i]
	}
	return nil
}

// Module describes a node for selectors, listings and checks: Name is the fused node's (its first
// member's) name, Members are the names of all the parts that it was fused from.
type Module struct {
	Name                string
	Op                  string // the name of its kind: "conv", "max_pool"
	Members             []string
	BN                  string // the name of the BN inside, "" when none is (left)
	Inputs              []string
	Out                 tensor.Shape
	Map                 tensor.Shape // the map whose elements the output has in their order: of a flattened map that map, else Out
	HasWeight, HasQuant bool         // takes a weight qconfig; has an output quant node of its own (may take an activation dtype)
	QConfig             QConfig
	Params              int
	Act                 kernel.Act
	Prescribed          layer.Prescribed // the grid that the target prescribes
	Dequantized         bool             // it is reached through DeQuantStubs only, and no QuantStub: nothing is quantized unless the qconfig names it
}

// Absorbable reports whether the node has a BN that its convolution can absorb. A BN
// that follows no convolution is a node of its own, in the int8 model too.
func (m Module) Absorbable() bool { return m.HasWeight && m.BN != "" }

// Form returns the form that the graph is in.
func (g *Graph) Form() Form { return g.form }

// Mode returns the qat_mode that the graph was prepared with, "" for a float graph.
func (g *Graph) Mode() Mode { return g.mode }

// Input returns the shape of one image of the first input, N = 0.
func (g *Graph) Input() tensor.Shape { return g.nodes[0].Shape }

// Inputs returns the names and the shapes of the inputs, N = 0, in the order in which images are given.
func (g *Graph) Inputs() []Port {
	var list []Port
	for _, n := range g.nodes {
		if len(n.In) == 0 {
			list = append(list, Port{Name: n.Name, Label: n.Name, Shape: n.Shape})
		}
	}
	return list
}

// Output returns the shape of the first output for one image, N = 0.
func (g *Graph) Output() tensor.Shape { return g.nodes[g.outs[0]].Shape }

// Outputs returns the names and the shapes of the outputs, N = 0, in the order in which they are returned.
func (g *Graph) Outputs() []Port {
	var list []Port
	for k, i := range g.outs {
		p := Port{Name: g.nodes[i].Name, Label: g.nodes[i].Name, Shape: g.nodes[i].Shape}
		if g.labels != nil {
			p.Label = g.labels[k]
		}
		list = append(list, p)
	}
	return list
}

// LabelOutputs says what losses and metrics call the outputs, instead of by their nodes' names.
func (g *Graph) LabelOutputs(labels []string) { g.labels = labels }

// Port is an input or an output of a network. Name is its node's.
type Port struct {
	Name, Label string
	Shape       tensor.Shape
}

// Nodes returns the nodes themselves in topological order, and the places of the outputs among
// them: what an engine runs.
func (g *Graph) Nodes() (nodes []*layer.Node, outs []int) {
	for _, n := range g.nodes {
		nodes = append(nodes, n.Node)
	}
	return nodes, g.outs
}

// Version changes when what was compiled of the graph is no longer right.
func (g *Graph) Version() int { return g.version }

// Allocated reports whether the graph has its parameters.
func (g *Graph) Allocated() bool { return g.alloced }

// Place is the place of the node that has the name, or a member of it; -1 for none.
func (g *Graph) Place(name string) int {
	return slices.IndexFunc(g.nodes, func(n *node) bool { return n.Name == name || slices.Contains(n.members, name) })
}

// Modules describes the nodes in topological order.
func (g *Graph) Modules() []Module {
	ms, floats := make([]Module, len(g.nodes)), g.dequantized()
	for i, n := range g.nodes {
		ms[i] = g.module(n)
		ms[i].Dequantized = floats[i]
	}
	return ms
}

func (g *Graph) module(n *node) Module {
	m := Module{
		Name: n.Name, Op: n.Kind.Name, Members: slices.Clone(n.members), Out: n.Shape,
		HasWeight: conv(n) != nil, HasQuant: n.HasQuant(), QConfig: n.qcfg, Act: n.Act,
	}
	if rules, _ := g.target.Rules(); rules.Prescribes {
		m.Prescribed = n.Kind.TFLite
	}
	if bn := convbn.BNOf(n.Node); bn != nil {
		m.BN = bn.Name
	}
	for _, i := range n.In {
		m.Inputs = append(m.Inputs, g.nodes[i].Name)
	}
	first := n
	for first.Kind.Aligned && g.nodes[first.In[0]].Shape.WithN(1).Len() == first.Shape.WithN(1).Len() { // else it repeats its operand
		first = g.nodes[first.In[0]]
	}
	m.Map = first.Shape
	for _, t := range n.Slots() {
		if t.Trainable() {
			m.Params += t.Len()
		}
	}
	return m
}

// MACs are the multiply-accumulates of the network's convolutions and linear
// layers for one image, those with padding included.
func (g *Graph) MACs() int64 {
	var sum int64
	for _, n := range g.nodes {
		sum += n.MACs()
	}
	return sum
}

// Clone returns a deep copy, parameters included. Observers, which have no
// state, are shared.
func (g *Graph) Clone() *Graph {
	c := *g
	c.absorbed = slices.Clone(g.absorbed)
	c.nodes = make([]*node, len(g.nodes))
	for i, n := range g.nodes {
		m := *n
		m.Node, m.members = n.Node.Clone(), slices.Clone(n.members)
		c.nodes[i] = &m
	}
	return &c
}

// conv returns the weights of a convolution or a linear layer, nil of any other node.
func conv(n *node) *convbn.Node { return convbn.Of(n.Node) }

// find returns the node that has the name, or a member of it.
func (g *Graph) find(name string) *node {
	if i := g.Place(name); i >= 0 {
		return g.nodes[i]
	}
	return nil
}

// consumers returns, for every node, those that read it (once per operand).
func (g *Graph) consumers() [][]int {
	c := make([][]int, len(g.nodes))
	for i, n := range g.nodes {
		for _, j := range n.In {
			c[j] = append(c[j], i)
		}
	}
	return c
}

// NodeError is a mistake about one node.
type NodeError struct {
	Node string
	Err  error
	Way  string // what to do about it
}

func (e NodeError) Error() string { return e.Node + ": " + e.Err.Error() }

// Unwrap returns the mistake without its place.
func (e NodeError) Unwrap() error { return e.Err }
