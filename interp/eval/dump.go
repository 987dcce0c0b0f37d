package eval

import (
	"qpipe/interp/artifact"
	"qpipe/interp/checkpoint"
	"qpipe/interp/disk"
	"qpipe/ops/engine"
	"qpipe/ops/quant"
	"qpipe/ops/tensor"
)

// dump writes what a network computes, image by image: its input, its answers, and
// the output of every node as the file format describes it.
type dump struct {
	*artifact.Dump
	net   *engine.Net
	begun bool
	nodes []*dumpNode

	images, labels, logits, predictions int // arrays
}

// dumpNode is a node's array.
type dumpNode struct {
	name  string
	array int
	shape tensor.Shape
	dtype quant.DType  // of its codes
	from  tensor.Shape // of a flattened map, the map's; else shape
}

// newDump begins a dump of a net that has not run.
func newDump(e *evaluation, net *engine.Net) (*dump, error) {
	w, err := artifact.NewDump(disk.Options{}, e.o.Dump)
	if err != nil {
		return nil, err
	}
	d := &dump{Dump: w, net: net}
	d.Index = artifact.DumpIndex{
		Model: e.o.Model, EMA: e.o.EMA, Data: e.address(), Form: string(e.model.Form()), Mode: string(e.model.Mode()), Images: e.images,
	}
	if err := d.begin(e); err != nil {
		d.Discard()
		return nil, err
	}
	net.Keep()
	return d, nil
}

// begin begins the arrays that every dump has, and lists the nodes: their formats are
// known once the net has run.
func (d *dump) begin(e *evaluation) error {
	in, n := e.model.Input(), e.images
	for _, a := range []struct {
		at    *int
		array artifact.DumpArray
	}{
		{&d.images, artifact.DumpArray{File: "images.npy", DType: "float32", Shape: []int{n, in.H, in.W, in.C}}},
		{&d.labels, artifact.DumpArray{File: "labels.npy", DType: "int64", Shape: []int{n}}},
		{&d.logits, artifact.DumpArray{File: "logits.npy", DType: "float32", Shape: []int{n, e.classes}}},
		{&d.predictions, artifact.DumpArray{File: "predictions.npy", DType: "int64", Shape: []int{n}}},
	} {
		var err error
		if *a.at, err = d.Array(a.array); err != nil {
			return err
		}
	}
	nodes := map[string]*dumpNode{}
	for _, m := range e.model.Modules() {
		node := &dumpNode{name: m.Name, shape: m.Out, from: m.Map, dtype: m.QConfig.Activation.Spec.DType}
		if !m.HasQuant {
			node.dtype = nodes[m.Inputs[0]].dtype
		}
		nodes[m.Name], d.nodes = node, append(d.nodes, node)
	}
	return nil
}

// answers writes logits and predictions.
func (d *dump) answers(y []float32) error {
	classes := d.Index.Arrays[d.logits].Shape[1]
	best := make([]int64, len(y)/classes)
	for i := range best {
		best[i] = largest(y[i*classes:][:classes])
	}
	if err := d.Append(d.logits, y); err != nil {
		return err
	}
	return d.Append(d.predictions, best)
}

// largest is the index of the largest value, the first of equal ones; -1 where none is a number.
func largest(y []float32) int64 {
	best := -1
	for i, v := range y {
		if v == v && (best < 0 || v > y[best]) {
			best = i
		}
	}
	return int64(best)
}

// batch writes the images x, their labels, and what every node has made of them.
func (d *dump) batch(x []float32, labels []int32) error {
	if err := d.Append(d.images, x); err != nil {
		return err
	}
	wide := make([]int64, len(labels))
	for i, l := range labels {
		wide[i] = int64(l)
	}
	if err := d.Append(d.labels, wide); err != nil {
		return err
	}
	for _, n := range d.nodes {
		if err := d.node(n); err != nil {
			return err
		}
	}
	d.begun = true
	return nil
}

// node writes a node's output of the last pass.
func (d *dump) node(n *dumpNode) error {
	y := checkpoint.ReadOutput(d.net, n.name)
	if !d.begun {
		a := artifact.DumpArray{
			File: d.NodeFile(n.name), Node: n.name, DType: "float32",
			Shape: []int{d.Index.Images, n.shape.H, n.shape.W, n.shape.C},
		}
		if y.Codes != nil {
			a.DType, a.Codes = "int8", n.dtype.String()
			_, scale, zero, _ := d.net.Output(n.name)
			if n.dtype == quant.UInt8 {
				a.DType, zero = "uint8", zero+unsigned
			}
			step := float64(scale)
			a.Scale, a.ZeroPoint = &step, &zero
		}
		var err error
		if n.array, err = d.Array(a); err != nil {
			return err
		}
	}
	switch {
	case y.Codes == nil:
		return d.Append(n.array, ordered(y.Values, n))
	case n.dtype == quant.UInt8:
		codes := make([]uint8, len(y.Codes))
		for i, c := range y.Codes {
			codes[i] = uint8(int(c) + unsigned)
		}
		return d.Append(n.array, ordered(codes, n))
	default:
		return d.Append(n.array, ordered(y.Codes, n))
	}
}

// unsigned is by how much engine.Net gives codes of uint8 too low.
const unsigned = 128

// ordered brings a flattened map from the memory's order (row, column, channel) into
// that of the files (channel, row, column); what is no flattened map stays as it is.
func ordered[T any](data []T, n *dumpNode) []T {
	if n.from == n.shape {
		return data
	}
	out, pixels, channels := make([]T, len(data)), n.from.H*n.from.W, n.from.C
	for i, v := range data {
		pixel, c := i%n.shape.C/channels, i%channels
		out[i-i%n.shape.C+c*pixels+pixel] = v
	}
	return out
}
