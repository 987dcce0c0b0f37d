// Package layer is what a network knows of an op: one row of a table, a [Kind], and what runs it in all
// its forms: float, calibration and QAT (a [Runner], forward and backward) and int8 (an [Integer]). The passes of
// package nn and the engine walk rows; they never ask which op a node is. The ops themselves are in
// package op, and in convbn where weights and BN are trained quantized.
package layer

import (
	"encoding/json"

	"qpipe/ops/kernel"
	"qpipe/ops/quant"
	"qpipe/ops/tensor"
)

// Kind is what the network knows of an op.
type Kind struct {
	Name        string // as structures and listings have it: "max_pool"
	Least, Most int    // operands
	Output      Output // how the output is quantized
	Role        Role   // its part in fusion

	Flat    bool // takes a flattened map
	Aligned bool // the output's elements are in the order of the first operand's, one for one
	View    bool // its output is its operand, as it lies in memory
	Rests   bool // outside of training it is a view
	Floats  bool // in the int8 form it takes float32 values, too
	Rereads bool // its backward pass reads its operands' values again

	Shares Shares     // what its output is of scores
	Stub   Stub       // what it says of the nodes behind it
	TFLite Prescribed // the grid of its output in TFLite; zero for any

	// Shape returns the shape of the output (N = 0) for operands of the given shapes, or
	// that they do not fit. It is what builders, checkpoints and passes are checked with.
	Shape func(n *Node, in []tensor.Shape) (tensor.Shape, error)
	// Restore makes the body out of the attributes that the node's Attrs has written, and
	// refuses what no builder would have made. Nil where nodes have no body.
	Restore func(n *Node, f Fields) (Body, error)
	// Train makes what runs the float, the calibration and the QAT form.
	Train func(n *Node, b *Bench) Runner
	// Integer makes what runs the int8 form; its codes equal those of a QAT evaluation. Nil of a view, and where the op has no
	// int8 form: its nodes are float islands there.
	Integer func(n *Node, b *Bench) Integer
	// Room says what running the node needs besides its output; Train and Integer find it in the
	// bench. Nil for nothing but a block of a row for each worker.
	Room func(n *Node, b *Bench) Room
	// Cost is what an element of the int8 form's output takes; nil for a few instructions.
	Cost func(n *Node) Cost
	// Remakes reports whether the float output can be computed again from what is kept for the
	// backward pass, so that it need not be kept itself. Nil for no.
	Remakes func(n *Node) bool
	// MACs are the multiply-accumulates of its products for one image, forward. Nil for none.
	MACs func(n *Node) int64
	// Label is the op's name with what tells nodes of it apart; nil for the name.
	Label func(n *Node) string
}

// Output says how a node's output is quantized.
type Output uint8

// The rules.
const (
	Own    Output = iota // by a quant node of its own
	Passes               // not at all: codes are passed on as the first operand has them
	Joins                // by its own, unless all operands have one format, which is then kept
	Values               // never: it is float32
)

// Shares says what a node's output is of the scores that it reads.
type Shares uint8

// What losses for labels compute of scores by themselves.
const (
	NoShares  Shares = iota
	OfScores         // their softmax
	LogShares        // its logarithm
)

// Stub says how the nodes behind a node are quantized where nothing else is said of them.
type Stub uint8

// The stubs, as PyTorch has them.
const (
	NoStub      Stub = iota // as its operands
	Quantizes               // as all nodes are
	Dequantizes             // not at all
)

// Prescribed is the grid that a runtime prescribes for the output of an op: its operand's, or a fixed one of int8 codes.
type Prescribed struct {
	Keeps bool
	Scale float64 // 0 where no grid is fixed
	Zero  int
}

// Joined is the format of an output that Joins operands of one format, in: theirs,
// so that the integers pass through, if the output has the same codes.
func Joined(own, in kernel.Quant) kernel.Quant {
	if in.Min == own.Min && in.Max == own.Max && in.HalfUp == own.HalfUp {
		return in
	}
	return own
}

// Role is a node's part in fusion: a Head takes the others that follow it, each once and in the order
// Norm, Sum, Clamp, and becomes one node with them.
type Role uint8

// The roles.
const (
	Alone Role = iota
	Head
	Norm
	Sum
	Clamp
)

// Node is a node of a network.
type Node struct {
	Kind  *Kind
	Name  string
	In    []int        // its operands, as places in the network; of a node with a fused addition the second is added
	Shape tensor.Shape // of the output for one image, N = 0
	Act   kernel.Act   // the clamp at its end
	Body  Body         // what it has besides; nil for nothing
	Quant quant.Node   // of the output; Spec Float32 where there is none
	Keeps bool         // it computes, but its output has its operand's grid (Prescribed)
	Int8  bool         // it is in the int8 form, and computes with integers
	// Island tells that it is in the int8 form and computes float32 values, by its Runner, as an evaluation of the QAT form does.
	Island bool

	// Origin is, while a network is built, the map that a flattened output was; else Shape.
	Origin tensor.Shape
}

// Body is what a node has besides operands and output: a window, weights.
type Body interface {
	Clone() Body
	// Attrs are its attributes as structures hold them, in order; Kind.Restore reads them.
	Attrs() []Attr
	// Window describes how the node lies on its operand, in words; two nodes with the same words
	// compute alike.
	Window() string
}

// Params is a body with tensors.
type Params interface {
	Body
	// Slots lists the tensors, parameters first; name is the node's.
	Slots(name string) []Slot
	// Alloc makes the tensors: parameters that change nothing, or zero.
	Alloc()
	// Init fills the parameters with draws from a normal distribution of variance 1.
	Init(normal func() float64)
	// Update computes what follows from the parameters: scales of weights.
	Update()
	// BecomeInt8 gives the body the int8 form, without its tensors.
	BecomeInt8()
	// Convert gives it the int8 form for an operand of that scale, with tensors.
	Convert(scale float32) error
	// Release lets go of what an int8 net has its own copy of.
	Release()
}

// Islander is a body whose tensors are others in a float island than in training. Of other bodies they stay as they are.
type Islander interface {
	// BecomeIsland gives the body the form of an island, without its tensors.
	BecomeIsland()
	// ConvertIsland gives it the form of an island, with tensors.
	ConvertIsland() error
}

// Attr is an attribute of a node in a structure: Value becomes JSON.
type Attr struct {
	Key   string
	Value any
}

// Fields are the attributes of a node in a structure as they were read, by key.
type Fields map[string]json.RawMessage

// params returns the body's tensors, nil where it has none.
func (n *Node) params() Params {
	p, _ := n.Body.(Params)
	return p
}

// Clone returns a deep copy. Observers, which have no state, are shared.
func (n *Node) Clone() *Node {
	c := *n
	c.In = append([]int(nil), n.In...)
	if n.Body != nil {
		c.Body = n.Body.Clone()
	}
	return &c
}

// HasQuant reports whether the node has a quant node of its own at its output.
func (n *Node) HasQuant() bool { return !n.Passes() && n.Kind.Output != Values }

// Passes reports whether the output has its first operand's grid, or is float32 as that is.
func (n *Node) Passes() bool { return n.Kind.Output == Passes || n.Keeps }

// MACs are the multiply-accumulates of the node's products for one image, forward.
func (n *Node) MACs() int64 {
	if n.Kind.MACs == nil {
		return 0
	}
	return n.Kind.MACs(n)
}

// Label is the op with what tells nodes of it apart: "conv 3×3", "depthwise 3×3 /2".
func (n *Node) Label() string {
	if n.Kind.Label == nil {
		return n.Kind.Name
	}
	return n.Kind.Label(n)
}

// Window says how the node lies on its operand.
func (n *Node) Window() string {
	if n.Body == nil {
		return "no window"
	}
	return n.Body.Window()
}

// Update computes what follows from the node's parameters.
func (n *Node) Update() {
	if p := n.params(); p != nil {
		p.Update()
	}
}

// Init fills the node's parameters.
func (n *Node) Init(normal func() float64) {
	if p := n.params(); p != nil {
		p.Init(normal)
	}
}

// Alloc makes the node's tensors.
func (n *Node) Alloc() {
	if p := n.params(); p != nil {
		p.Alloc()
	}
}

// BecomeInt8 gives the node the int8 form, as an island or computing with integers, without its tensors.
func (n *Node) BecomeInt8(island bool) {
	n.hold(island)
	if island {
		if b, ok := n.Body.(Islander); ok {
			b.BecomeIsland()
		}
	} else if p := n.params(); p != nil {
		p.BecomeInt8()
	}
}

// Convert gives the node the int8 form, as an island or for integers of that scale as its first operand.
func (n *Node) Convert(island bool, scale float32) error {
	n.hold(island)
	if island {
		if b, ok := n.Body.(Islander); ok {
			return b.ConvertIsland()
		}
	} else if p := n.params(); p != nil {
		return p.Convert(scale)
	}
	return nil
}

// hold gives the output a scale in the place of its range.
func (n *Node) hold(island bool) {
	n.Int8, n.Island, n.Quant.Held = !island, island, n.Quant.Spec.Quantized()
}

// Release lets go of what an int8 net has its own copy of.
func (n *Node) Release() {
	if p := n.params(); p != nil && n.Int8 {
		p.Release()
	}
}
