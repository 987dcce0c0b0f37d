// Package exporter writes a network as an ONNX model: with float weights, or as the int8 model in one of the two ways that ONNX has
// for it. Of the integers of an int8 model it promises what docs/onnx.md says; how that is so is explained at the function integer.
package exporter

import (
	"fmt"
	"slices"

	"qpipe/onnx/model"
	"qpipe/ops/kernel"
	"qpipe/ops/layer"
	"qpipe/ops/nn"
	"qpipe/ops/quant"
)

// Format is how numbers are written.
type Format string

// The formats.
const (
	// QDQ has float ops between QuantizeLinear and DequantizeLinear. Runtimes recognize the groups that they have integer kernels for.
	QDQ Format = "qdq"
	// QOperator has ops on integers: QLinearConv, and for other ops of the network those that compute the same integers.
	QOperator Format = "qoperator"
	// Float has float ops and no quantization.
	Float Format = "float"
)

// The operator sets of ONNX that can be written.
const (
	FirstOpset = 13 // the first with a scale for each channel
	LastOpset  = 24
	UsualOpset = 17
)

// Options say how a network is written.
type Options struct {
	Format Format
	Opset  int // 0 is UsualOpset
	Batch  int // how many images an inference has; 0 leaves it open
	// Activations is model.Int8 or model.Uint8, the type of the integers between ops; 0 is int8 unless the network has outputs in uint8.
	// The integers of the other type are 128 larger or smaller, and so are their zero points.
	Activations model.Type
	Glue        bool // what has no op of its own in ONNX is written with several float ops that compute the same integers
	Version     string
	Metadata    []model.Entry
}

// Output is where the output of a node of the network is found.
type Output struct {
	Node  string
	Value string
	Codes bool // it has integers: codes as bytes (nn.Graph.Format) plus Shift
	Shift int
	Flat  bool // it has one dimension besides the batch; else it has channels, rows and columns
}

// Model is the network's ONNX model, and where the outputs of its nodes are. A network that is not quantized can be written as Float
// only, an int8 network not as that. If nodes cannot be written the error joins a *nn.NodeError for each (see Check).
func Model(net *nn.Graph, o Options) (*model.Model, []Output, error) {
	if o.Opset == 0 {
		o.Opset = UsualOpset
	}
	if err := Check(net, o); err != nil {
		return nil, nil, err
	}
	b, err := newBuild(net, o)
	if err != nil {
		return nil, nil, err
	}
	b.inputs()
	for i := range b.nodes {
		b.values = append(b.values, b.node(i))
	}
	b.outputs()
	b.prune()
	return b.model(), b.places(), nil
}

// value is the output of a node of the network.
type value struct {
	name        string
	codes       array        // of an output on a grid
	q           kernel.Quant // the grid, of codes as bytes
	coded       bool
	real        array  // the float32 values; of codes, once something has read them
	scale, zero string // the constants of the grid
}

// build is a model while it is written.
type build struct {
	*graph
	o       Options
	net     *nn.Graph
	nodes   []*layer.Node
	outs    []int
	values  []*value
	tensors map[string]nn.Tensor
	elem    model.Type // of codes
	low     int        // the type's smallest integer, which is that of the byte 0
}

func newBuild(net *nn.Graph, o Options) (*build, error) {
	b := &build{graph: newGraph(o), o: o, net: net, tensors: map[string]nn.Tensor{}, elem: o.Activations}
	b.nodes, b.outs = net.Nodes()
	for _, t := range net.Tensors() {
		b.tensors[t.Name] = t
	}
	if b.elem == 0 {
		b.elem = model.Int8
		for _, n := range b.nodes {
			if n.HasQuant() && n.Quant.Spec.DType == quant.UInt8 {
				b.elem = model.Uint8
			}
		}
	}
	switch b.elem {
	case model.Int8:
		b.low = -128
	case model.Uint8:
	default:
		return nil, fmt.Errorf("outputs cannot be written in %s", b.elem)
	}
	return b, nil
}

// inputs declares the network's inputs, which have the names of its input nodes.
func (b *build) inputs() {
	for _, p := range b.net.Inputs() {
		t := array{b.unused(portName(p)), model.Float, []int{p.Shape.C, p.Shape.H, p.Shape.W}}
		b.Inputs = append(b.Inputs, b.declared(t))
	}
}

func portName(p nn.Port) string {
	if p.Label != "" {
		return p.Label
	}
	return p.Name
}

// outputs makes float32 values of the network's outputs, and declares them under the outputs' names.
func (b *build) outputs() {
	var ends []array
	for k, i := range b.outs {
		b.prefix = b.net.Outputs()[k].Name
		t := b.real(b.values[i])
		if b.is(b.Inputs, t.name) || slices.ContainsFunc(ends, func(e array) bool { return e.name == t.name }) {
			t = b.call(b.like("Identity", t, nil), b.prefix) // a value is one of inputs and outputs once
		}
		ends = append(ends, t)
	}
	for k, p := range b.net.Outputs() {
		b.rename(&ends[k], portName(p), ends)
		b.Outputs = append(b.Outputs, b.declared(ends[k]))
	}
}

func (b *build) is(list []*model.Value, name string) bool {
	return slices.ContainsFunc(list, func(v *model.Value) bool { return v.Name == name })
}

// rename gives an output its name. Another value that has it gets a new one, but for inputs: those keep theirs.
func (b *build) rename(t *array, name string, ends []array) {
	if t.name == name || b.is(b.Inputs, name) {
		return
	}
	if b.taken[name] {
		other := b.unused(name + "_value")
		b.replace(name, other)
		for i := range ends {
			if ends[i].name == name {
				ends[i].name = other
			}
		}
	}
	b.taken[name] = true
	b.replace(t.name, name)
	t.name = name
}

// replace gives a value another name, everywhere.
func (b *build) replace(was, name string) {
	for _, n := range b.Nodes {
		for _, names := range [][]string{n.Inputs, n.Outputs} {
			for i := range names {
				if names[i] == was {
					names[i] = name
				}
			}
		}
	}
	for _, list := range [][]*model.Value{b.Values, b.Outputs} {
		for _, v := range list {
			if v.Name == was {
				v.Name = name
			}
		}
	}
	for _, t := range b.Initializers {
		if t.Name == was {
			t.Name = name
		}
	}
	for _, v := range b.values {
		for _, at := range []*string{&v.codes.name, &v.real.name, &v.scale, &v.zero} {
			if *at == was {
				*at = name
			}
		}
	}
}

// prune leaves out constants that nothing reads.
func (b *build) prune() {
	read := map[string]bool{}
	for _, n := range b.Nodes {
		for _, in := range n.Inputs {
			read[in] = true
		}
	}
	b.Initializers = slices.DeleteFunc(b.Initializers, func(t *model.Tensor) bool { return !read[t.Name] })
}

// model is the finished model.
func (b *build) model() *model.Model {
	ir := int64(8)
	switch {
	case b.opset >= 23:
		ir = 11
	case b.opset >= 21:
		ir = 10
	case b.opset >= 19:
		ir = 9
	}
	m := &model.Model{
		IRVersion: ir, Producer: "qpipe", ProducerVersion: b.o.Version, Opsets: map[string]int64{"": int64(b.opset)},
		Metadata: b.o.Metadata, Graph: b.Graph,
	}
	if b.extra {
		m.Opsets["com.microsoft"] = 1
	}
	return m
}

// places says where the outputs of the nodes are.
func (b *build) places() []Output {
	var list []Output
	for i, n := range b.nodes {
		o, t := Output{Node: n.Name}, b.values[i].real
		if b.values[i].coded {
			o.Codes, o.Shift, t = true, b.low, b.values[i].codes
		}
		o.Value, o.Flat = t.name, t.flat()
		list = append(list, o)
	}
	return list
}
