// Package nn is the network: a directed acyclic graph of named nodes, the passes
// over it in the field's own words (fuse, set_qconfig, prepare, absorb, convert),
// and its planned execution, forward and backward. It turns a model's structure
// into numbers; it knows no data sets, no optimizers and no files.
package nn

import (
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
// and does not quantize. Eval changes no bit of any state.
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
type QConfig struct {
	Activation, Weight Quant
}

// ConvAttrs are the constructor's arguments of a convolution.
type ConvAttrs struct {
	OutC     int
	Kernel   [2]int
	Stride   [2]int // zero means 1
	Padding  [2]int // on both sides
	Dilation [2]int // zero means 1
	Groups   int    // zero means 1
	Bias     bool
}

// PoolAttrs are the constructor's arguments of a pooling node.
type PoolAttrs struct {
	Kernel, Stride, Padding [2]int
	CountIncludePad         bool
}

// Builder makes a graph node by node. Its methods record the first mistake and
// go on; Graph returns it, as a *ShapeError that names the node.
type Builder struct{ _ int }

// Value is a handle to a node's output while building.
type Value struct{ _ int }

// Shape returns the value's shape with N = 0.
func (v Value) Shape() tensor.Shape { panic("not built yet") }

// NewBuilder starts a graph whose input has the shape in (N is ignored). The
// input node is named "input"; it has an output quant node of its own.
func NewBuilder(in tensor.Shape) *Builder                       { panic("not built yet") }
func (b *Builder) Input() Value                                 { panic("not built yet") }
func (b *Builder) Conv(name string, x Value, a ConvAttrs) Value { panic("not built yet") }

// Linear is a fully connected layer over all features of x; it flattens by itself.
func (b *Builder) Linear(name string, x Value, out int, bias bool) Value { panic("not built yet") }

// BatchNorm: eps and momentum as in PyTorch (1e-5 and 0.1 if zero).
func (b *Builder) BatchNorm(name string, x Value, eps, momentum float64) Value {
	panic("not built yet")
}
func (b *Builder) Act(name string, x Value, a kernel.Act) Value    { panic("not built yet") }
func (b *Builder) Add(name string, x, y Value) Value               { panic("not built yet") }
func (b *Builder) Concat(name string, xs ...Value) Value           { panic("not built yet") }
func (b *Builder) MaxPool(name string, x Value, a PoolAttrs) Value { panic("not built yet") }
func (b *Builder) AvgPool(name string, x Value, a PoolAttrs) Value { panic("not built yet") }
func (b *Builder) GlobalAvgPool(name string, x Value) Value        { panic("not built yet") }
func (b *Builder) Flatten(name string, x Value) Value              { panic("not built yet") }

// Graph ends the building: out is the network's output (logits). The graph is in form Float,
// structurally fused (conv [+bn] [+add] [+act] is one node that keeps its members' names), without parameters.
func (b *Builder) Graph(out Value) (*Graph, error) { panic("not built yet") }

// Graph is a network's structure and, after Init, its parameters and state.
type Graph struct{ _ int }

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

func (g *Graph) Form() Form           { panic("not built yet") }
func (g *Graph) Mode() Mode           { panic("not built yet") }
func (g *Graph) Input() tensor.Shape  { panic("not built yet") }
func (g *Graph) Output() tensor.Shape { panic("not built yet") }
func (g *Graph) Modules() []Module    { panic("not built yet") } // in topological order
func (g *Graph) Clone() *Graph        { panic("not built yet") } // deep, with parameters

// Init allocates the parameters and fills them: Kaiming normal (fan in) for convolutions, normal with
// variance 1/in for linear layers, zero biases; a function of (seed, name) alone.
func (g *Graph) Init(seed int64) { panic("not built yet") }

// SetQConfig asks for every node's quantization configuration. Before Prepare.
func (g *Graph) SetQConfig(of func(m Module) QConfig) { panic("not built yet") }

// Prepare turns a float graph into its calibration or QAT form, or a calibration graph into its QAT form. Under
// FuseBN it folds every BN that follows a convolution. A graph without parameters may be prepared too (validation does).
func (g *Graph) Prepare(f Form, m Mode) error { panic("not built yet") }

// Convertible lists what keeps the graph from being converted to int8, each with the node's name and the way out.
func (g *Graph) Convertible() []NodeError { panic("not built yet") }

// Convert absorbs what is left of BN and returns the int8 graph; g is unchanged.
func (g *Graph) Convert() (*Graph, error) { panic("not built yet") }

// Absorb moves the BN of the named node (its BN's or its own name) into the convolution. With recompute the weight's
// scale is taken anew from the absorbed weight; otherwise it stays as it was. The tensors of the BN are gone after it.
func (g *Graph) Absorb(name string, recompute bool) error { panic("not built yet") }

// FreezeBN makes the named BNs use and keep their running statistics in training.
func (g *Graph) FreezeBN(names []string) error { panic("not built yet") }

// NodeError is a mistake about one node.
type NodeError struct {
	Node string
	Err  error
	Way  string // what to do about it
}

func (e NodeError) Error() string { return e.Node + ": " + e.Err.Error() }

// Param is a trainable tensor. Data and Grad are in memory order and keep their identity until the node is absorbed.
type Param struct {
	Name       string
	Data, Grad []float32
}

// Params returns the trainable tensors in a fixed order.
func (g *Graph) Params() []*Param { panic("not built yet") }

// Tensor is a tensor as files hold it: OIHW convolution weights, (out, in) linear weights with in in CHW order.
// Data is []float32, []int8 or []int32. Trainable tells parameters from state (running statistics, ranges, scales).
type Tensor struct {
	Name      string
	Shape     []int
	Data      any
	Trainable bool
}

// Tensors returns all parameters and state, sorted by name, in file order. Names are PyTorch's: X.weight, X.bias,
// BN.weight, BN.bias, BN.running_mean, BN.running_var, and X.act_quant.min_max, X.weight_quant.scale (QAT and calibration),
// X.weight_scale, X.act_scale, … (int8).
func (g *Graph) Tensors() []Tensor { panic("not built yet") }

// SetTensor copies t's data into the graph's tensor of that name; the error names shapes and types that differ.
func (g *Graph) SetTensor(t Tensor) error { panic("not built yet") }

// Layout converts a parameter-shaped slice (a momentum slot, say) of the named parameter between memory and file order.
func (g *Graph) ToFile(param string, data []float32) (shape []int, out []float32) {
	panic("not built yet")
}
func (g *Graph) FromFile(param string, data []float32) []float32 { panic("not built yet") }

// Structure is the graph without its numbers as JSON, enough for Restore to make it again (a checkpoint or an int8 model carries it).
func (g *Graph) Structure() []byte             { panic("not built yet") }
func Restore(structure []byte) (*Graph, error) { panic("not built yet") }

// Pool runs work on a fixed number of goroutines.
type Pool struct{ _ int }

// NewPool returns a pool of n workers; n = 1 runs in the caller.
func NewPool(n int) *Pool { panic("not built yet") }
func (p *Pool) Close()    { panic("not built yet") }

// Net is an executable graph: a plan with its buffers, for batches of up to a given size.
type Net struct{ _ int }

// Compile plans the graph for batches of up to batch images. Training needs backward buffers, so it is said here.
func Compile(g *Graph, batch int, training bool, set *kernel.Set, pool *Pool) (*Net, error) {
	panic("not built yet")
}

// Forward runs n images (NHWC, float32) and returns the output, n×classes, valid until the next call.
// In form Quantized the output is the float32 dequantized accumulator of the last node.
func (e *Net) Forward(x []float32, n int, ph Phase) []float32 { panic("not built yet") }

// Backward takes the gradient of the loss to the last Forward's output and fills every Param's Grad.
func (e *Net) Backward(dy []float32) { panic("not built yet") }

// Output returns a node's output values of the last Forward and, where it has a quant node, its scale and zero point.
// (A Net compiled for evaluation keeps them only if Keep was called before.)
func (e *Net) Output(node string) (values []float32, scale float32, zero int32, ok bool) {
	panic("not built yet")
}

// Codes returns the output's integers, where the node is quantized: of the int8 model, or of a QAT graph.
func (e *Net) Codes(node string) ([]int8, bool) { panic("not built yet") }
func (e *Net) Keep()                            { panic("not built yet") }

// NotFinite names the first node (in order) with a parameter, gradient or scale that is not finite, and what it is.
func (e *Net) NotFinite() (node, what string, bad bool) { panic("not built yet") }
