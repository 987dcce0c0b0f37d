// Package nn is the network: a directed acyclic graph of named nodes, the passes
// over it in the field's own words (fuse, set_qconfig, prepare, absorb, convert),
// and its planned execution, forward and backward. It turns a model's structure
// into numbers; it knows no data sets, no optimizers and no files.
package nn

import (
	"slices"

	"qpipe/ops/convbn"
	"qpipe/ops/kernel"
	"qpipe/ops/quant"
	"qpipe/ops/tensor"
)

// Form is the life that a graph is in.
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

// Phase is what a forward pass is for. Train uses batch statistics, updates
// them, observes and then quantizes. Calibrate observes with running statistics
// and does not quantize. Eval changes no bit of any state; in the calibration
// form, too, it quantizes with the ranges that are there.
type Phase uint8

// The phases.
const (
	Eval Phase = iota
	Train
	Calibrate
)

// Quant is how one tensor of a node is quantized. With Spec.DType Float32 it is
// not, and Observer is nil.
type Quant struct {
	Spec     quant.Spec
	Observer quant.Observer
}

// QConfig is a node's quantization configuration.
type QConfig struct{ Activation, Weight Quant }

// The ops' names.
const (
	opInput         = "input"
	opConv          = "conv"
	opLinear        = "linear"
	opBN            = "bn"
	opAdd           = "add"
	opConcat        = "concat"
	opMaxPool       = "max_pool"
	opAvgPool       = "avg_pool"
	opGlobalAvgPool = "global_avg_pool"
	opFlatten       = "flatten"
	opAct           = "act"
)

// Graph is a network's structure and, after Init, its parameters and state.
type Graph struct {
	form       Form
	mode       Mode
	nodes      []*node // in topological order; the first is the input
	out        int
	absorbed   []Absorbed
	alloced    bool
	version    int  // grows where a compiled Net is no longer right
	configured bool // SetQConfig was called
}

// node is one node of the graph.
type node struct {
	op      string
	name    string
	members []string
	bnName  string
	in      []int // operands; of a conv with a fused add the second is what is added
	shape   tensor.Shape
	act     kernel.Act
	pool    kernel.Pool
	conv    *convbn.Node // conv, linear
	bn      *convbn.BN   // a bn of its own
	affine  *affine      // a bn's int8 form
	qcfg    QConfig
	quant   quant.Node // of the output; Spec Float32 where there is none
	scale   float32    // int8 form: of the output
	zero    int32      // likewise, in the codes of its dtype

	observed bool // of a graph without parameters: it will have a range when it has them
}

// affine is the int8 form of a bn of its own: y = (x + Bias)·Mul in units of
// the input's scale.
type affine struct {
	Mul  []float32
	Bias []int32
}

// Module describes a node for selectors, listings and checks: Name is the fused node's (its first
// member's) name, Members are the names of all the parts that it was fused from.
type Module struct {
	Name                string
	Op                  string // "input", "conv", "linear", "add", "concat", "max_pool", "avg_pool", "global_avg_pool", "flatten", "act", "bn"
	Members             []string
	BN                  string // the name of the BN inside, "" when none is (left)
	Inputs              []string
	Out                 tensor.Shape
	HasWeight, HasQuant bool // takes a weight qconfig; has an output quant node of its own (may take an activation dtype)
	QConfig             QConfig
	Params              int
	Act                 kernel.Act
}

// Absorbable reports whether the node has a BN that its convolution can absorb. A BN
// that follows no convolution is a node of its own, in the int8 model too.
func (m Module) Absorbable() bool { return m.HasWeight && m.BN != "" }

// Form returns the life that the graph is in.
func (g *Graph) Form() Form { return g.form }

// Mode returns the qat_mode that the graph was prepared with, "" for a float graph.
func (g *Graph) Mode() Mode { return g.mode }

// Input returns the shape of one input image, N = 0.
func (g *Graph) Input() tensor.Shape { return g.nodes[0].shape }

// Output returns the shape of the output for one image, N = 0.
func (g *Graph) Output() tensor.Shape { return g.nodes[g.out].shape }

// Modules describes the nodes in topological order.
func (g *Graph) Modules() []Module {
	ms := make([]Module, len(g.nodes))
	for i, n := range g.nodes {
		ms[i] = g.module(n)
	}
	return ms
}

func (g *Graph) module(n *node) Module {
	m := Module{
		Name: n.name, Op: n.op, Members: slices.Clone(n.members), BN: n.bnName, Out: n.shape,
		HasWeight: n.conv != nil, HasQuant: n.hasQuant(), QConfig: n.qcfg, Act: n.act,
	}
	for _, i := range n.in {
		m.Inputs = append(m.Inputs, g.nodes[i].name)
	}
	for _, t := range g.slots(n) {
		if t.trainable {
			m.Params += t.len()
		}
	}
	return m
}

// hasQuant reports whether the node has an output quant node of its own; the
// others pass on what they get.
func (n *node) hasQuant() bool {
	switch n.op {
	case opMaxPool, opFlatten, opAct:
		return false
	}
	return true
}

// Clone returns a deep copy, parameters included. Observers, which have no
// state, are shared.
func (g *Graph) Clone() *Graph {
	c := *g
	c.absorbed = slices.Clone(g.absorbed)
	c.nodes = make([]*node, len(g.nodes))
	for i, n := range g.nodes {
		c.nodes[i] = n.clone()
	}
	return &c
}

func (n *node) clone() *node {
	c := *n
	c.members, c.in = slices.Clone(n.members), slices.Clone(n.in)
	c.bn = n.bn.Clone()
	if n.conv != nil {
		c.conv = n.conv.Clone()
	}
	if n.affine != nil {
		c.affine = &affine{slices.Clone(n.affine.Mul), slices.Clone(n.affine.Bias)}
	}
	return &c
}

// bnOf returns the node's BN, nil if there is none (left).
func (n *node) bnOf() *convbn.BN {
	if n.conv != nil {
		return n.conv.BN
	}
	return n.bn
}

// find returns the node that has the name, or a member of it.
func (g *Graph) find(name string) *node {
	for _, n := range g.nodes {
		if n.name == name || slices.Contains(n.members, name) {
			return n
		}
	}
	return nil
}

// consumers returns, for every node, those that read it (once per operand).
func (g *Graph) consumers() [][]int {
	c := make([][]int, len(g.nodes))
	for i, n := range g.nodes {
		for _, j := range n.in {
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
