package eval

import (
	"cmp"

	"qpipe/interp/artifact"
	"qpipe/interp/checkpoint"
	"qpipe/interp/disk"
	"qpipe/interp/feed"
	"qpipe/interp/part"
	"qpipe/ops/engine"
	"qpipe/ops/quant"
	"qpipe/ops/tensor"
)

// dump writes what a network computes into a folder of arrays, in the format of
// artifact.Dump: the inputs, the targets, the network's outputs, and the output of every
// node. The first axis of every array is the sample.
type dump struct {
	*artifact.Dump
	net   *engine.Net
	begun bool // the first batch has been written
	nodes []*dumpNode

	inputs  []int // for each input, the number of its array
	targets []int // for each target, the number of its array
	answers []answered
}

// answered has the arrays of one output of the network.
type answered struct {
	logits      int // number of the array with its values
	predictions int // number of the array with the predicted classes; -1 if the output does not stand for classes
	classes     int // values for each prediction
	size        int // values of each sample
}

// dumpNode has the array of one node.
type dumpNode struct {
	name  string
	array int          // its number
	shape tensor.Shape // of the node's output
	dtype quant.DType  // of the node's codes
	from  tensor.Shape // the map's shape if the node flattens a map, or else shape
}

// newDump begins a dump of a net that has not run yet.
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

// begin creates the arrays of inputs, targets and outputs, and lists the nodes. The nodes'
// arrays are created later, because their formats are known only after the net has run.
func (d *dump) begin(e *evaluation) error {
	spec, outputs := e.feed.Spec, e.model.Outputs()
	var failed error
	array := func(kind, name string, of int, dtype string, shape []int) int {
		at, err := d.Array(artifact.DumpArray{File: d.File(kind, name, of), DType: dtype, Shape: append([]int{e.images}, shape...)})
		failed = cmp.Or(failed, err)
		return at
	}
	for k, p := range e.model.Inputs() {
		d.inputs = append(d.inputs, array("images", spec.Inputs[k].Name, len(spec.Inputs), "float32", []int{p.Shape.H, p.Shape.W, p.Shape.C}))
	}
	for _, t := range spec.Targets {
		kind, dtype := "labels", "int64"
		if t.Numbers {
			kind, dtype = "numbers", "float32"
		}
		d.targets = append(d.targets, array(kind, t.Name, len(spec.Targets), dtype, axes(t.Size(), t.Shape)))
	}
	apart := map[int]int{}
	if len(spec.Targets) == 0 && len(outputs) == 1 {
		apart[0] = outputs[0].Shape.WithN(1).Len()
	}
	for _, m := range part.Matches(outputs, spec.Targets) {
		apart[m.Output] = m.Gives
	}
	for k, out := range outputs {
		a := answered{predictions: -1, classes: apart[k], size: out.Shape.WithN(1).Len()}
		values := []int{a.size}
		if out.Shape.H*out.Shape.W > 1 && a.classes != a.size {
			values = []int{out.Shape.H, out.Shape.W, out.Shape.C}
		}
		a.logits = array("logits", out.Name, len(outputs), "float32", values)
		if a.classes > 0 {
			pixels := tensor.Shape{H: out.Shape.H, W: out.Shape.W, C: 1}
			a.predictions = array("predictions", out.Name, len(outputs), "int64", axes(a.size/a.classes, pixels))
		}
		d.answers = append(d.answers, a)
	}
	if failed != nil {
		return failed
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

// largest returns the index of the largest value, the first one of equals; -1 if all are NaN.
func largest(y []float32) int64 {
	best := -1
	for i, v := range y {
		if v == v && (best < 0 || v > y[best]) {
			best = i
		}
	}
	return int64(best)
}

// batch writes the inputs and targets of a batch, the network's outputs y, and the output of every node.
func (d *dump) batch(b *feed.Batch, y [][]float32) error {
	n := len(b.Index)
	for k, x := range b.Inputs() {
		if err := d.Append(d.inputs[k], x); err != nil {
			return err
		}
	}
	for k, t := range b.Targets() {
		var data any = t.Numbers
		if t.Numbers == nil {
			data = wide(t.Labels)
		}
		if err := d.Append(d.targets[k], data); err != nil {
			return err
		}
	}
	for k, a := range d.answers {
		if err := d.answer(a, y[k][:n*a.size]); err != nil {
			return err
		}
	}
	for _, n := range d.nodes {
		if err := d.node(n); err != nil {
			return err
		}
	}
	d.begun = true
	return nil
}

// axes returns the axes of an array after the first one, given the number n of elements of a sample and their shape.
func axes(n int, s tensor.Shape) []int {
	switch {
	case n == 1:
		return nil
	case s.H*s.W == 1:
		return []int{n}
	case s.C == 1:
		return []int{s.H, s.W}
	}
	return []int{s.H, s.W, s.C}
}

// answer writes the values of one output of the network, and the classes that it predicts.
func (d *dump) answer(a answered, y []float32) error {
	if err := d.Append(a.logits, y); err != nil || a.predictions < 0 {
		return err
	}
	best := make([]int64, len(y)/a.classes)
	for i := range best {
		best[i] = largest(y[i*a.classes:][:a.classes])
	}
	return d.Append(a.predictions, best)
}

// wide converts labels to int64.
func wide(labels []int32) []int64 {
	out := make([]int64, len(labels))
	for i, l := range labels {
		out[i] = int64(l)
	}
	return out
}

// node writes a node's output in the last forward pass: integers if it is quantized, float32 otherwise.
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

// unsigned is what must be added to the codes of engine.Net if the node's dtype is uint8: in memory they are int8.
const unsigned = 128

// ordered rearranges a flattened map from memory order (row, column, channel) to file order
// (channel, row, column). It returns all other data as it is.
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
