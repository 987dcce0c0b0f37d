// Package fold makes a model simpler without changing what it computes: what follows from initializers and shapes alone
// becomes an initializer, and nodes that do nothing disappear. Exporters write shapes as chains of a dozen nodes; behind
// this package a Reshape has a constant shape.
package fold

import (
	"fmt"
	"maps"
	"slices"

	"qpipe/onnx/eval"
	"qpipe/onnx/model"
	"qpipe/onnx/op"
	"qpipe/onnx/value"
)

// Result is a folded model.
type Result struct {
	Model *model.Model
	Types map[string]op.Type // of every value whose shape is known
}

// Fold returns a model that computes the same for inputs of the given shapes. A shape is needed for each input that
// declares none, or one with open dimensions; it becomes part of the model where nodes have computed with it.
//
// Inputs that have a default, as initializers do in old files, are taken to be constants.
//
// QuantizeLinear and DequantizeLinear stay, also on initializers, since they say what is quantized and how. The error is
// an *eval.Unsupported if the model has nodes that cannot be computed.
func Fold(m *model.Model, shapes map[string][]int, o eval.Options) (*Result, error) {
	p, err := eval.New(m)
	if err != nil {
		return nil, err
	}
	inputs, err := typed(m, shapes)
	if err != nil {
		return nil, err
	}
	values, err := p.Infer(inputs, quantizes, o)
	if err != nil {
		return nil, err
	}
	f := folder{values: values, renamed: map[string]string{}, kept: map[string]bool{}, read: map[string]bool{}}
	return f.fold(m), nil
}

func isInitializer(m *model.Model, name string) bool {
	return slices.ContainsFunc(m.Graph.Initializers, func(t *model.Tensor) bool { return t.Name == name })
}

func quantizes(n *model.Node) bool {
	return n.Op == "QuantizeLinear" || n.Op == "DequantizeLinear" || n.Op == "DynamicQuantizeLinear"
}

// typed are the inputs without elements.
func typed(m *model.Model, shapes map[string][]int) (map[string]*value.Value, error) {
	inputs := map[string]*value.Value{}
	for _, in := range m.Graph.Inputs {
		if isInitializer(m, in.Name) {
			continue
		}
		dims, given := shapes[in.Name]
		if !given {
			if !in.Known {
				return nil, fmt.Errorf("the input %q declares no shape: it must be given", in.Name)
			}
			for _, d := range in.Shape {
				if d.Size < 0 {
					return nil, fmt.Errorf("the input %q has the shape %v: the open dimensions must be given", in.Name, in.Shape)
				}
				dims = append(dims, d.Size)
			}
		}
		if in.Type == 0 {
			return nil, fmt.Errorf("the input %q is no tensor", in.Name)
		}
		inputs[in.Name] = &value.Value{Type: in.Type, Dims: dims}
	}
	return inputs, nil
}

// folder builds the folded graph.
type folder struct {
	values  map[string]*value.Value
	renamed map[string]string // a value by the one that it equals
	kept    map[string]bool   // values that kept nodes and the graph's outputs read
	read    map[string]bool   // values that some node reads
}

func (f *folder) fold(m *model.Model) *Result {
	g := *m.Graph
	outputs := map[string]bool{}
	for _, out := range g.Outputs {
		outputs[out.Name] = true
		f.kept[out.Name] = true
	}
	for _, n := range g.Nodes {
		for _, in := range n.Inputs {
			f.read[in] = true
		}
	}
	var nodes []*model.Node
	for _, n := range g.Nodes {
		c := *n
		c.Inputs = slices.Clone(n.Inputs)
		for i, in := range c.Inputs {
			if to, ok := f.renamed[in]; ok {
				c.Inputs[i] = to
			}
		}
		if !f.constant(n) && !f.empty(&c, outputs) {
			nodes = append(nodes, &c)
		}
	}
	g.Nodes = f.alive(nodes)
	g.Inputs = slices.DeleteFunc(slices.Clone(g.Inputs), func(v *model.Value) bool { return isInitializer(m, v.Name) })
	f.tensors(&g)
	result := &Result{Model: new(model.Model), Types: map[string]op.Type{}}
	*result.Model = *m
	result.Model.IRVersion = max(m.IRVersion, 4) // before, initializers had to be inputs too
	result.Model.Graph = &g
	for name, v := range f.values {
		if f.kept[name] {
			result.Types[name] = op.Type{Elem: v.Type, Dims: v.Dims}
		}
	}
	g.Values = f.declared(&g, result.Types)
	return result
}

// constant reports whether all that a node computes is known.
func (f *folder) constant(n *model.Node) bool {
	for _, out := range n.Outputs {
		if v := f.values[out]; out != "" && (v == nil || !v.Known()) {
			return false
		}
	}
	return !quantizes(n)
}

// empty reports whether a node only passes its input on, and gives its readers the input instead. Outputs of the graph
// keep their name, and so the node.
func (f *folder) empty(n *model.Node, outputs map[string]bool) bool {
	if n.Domain != "" || len(n.Inputs) == 0 || !f.passes(n) {
		return false
	}
	for i, out := range n.Outputs {
		if outputs[out] || i > 0 && f.read[out] { // the mask of a Dropout
			return false
		}
	}
	f.renamed[n.Outputs[0]] = n.Inputs[0]
	return true
}

// passes reports whether a node's output is its input.
func (f *folder) passes(n *model.Node) bool {
	if n.Op == "Identity" || n.Op == "Dropout" {
		return true
	}
	in, out := f.values[n.Inputs[0]], f.values[n.Outputs[0]]
	if in == nil || out == nil || in.Type != out.Type || !slices.Equal(in.Dims, out.Dims) {
		return false
	}
	switch n.Op {
	case "Cast", "CastLike", "Reshape", "Flatten", "Expand", "Squeeze", "Unsqueeze":
		return true
	case "Concat":
		return len(n.Inputs) == 1
	case "Slice": // of everything, unless backward
		return len(n.Inputs) < 5 || n.Inputs[4] == "" || f.forward(n.Inputs[4])
	}
	return false
}

func (f *folder) forward(steps string) bool {
	v := f.values[steps]
	return v != nil && v.Known() && !slices.ContainsFunc(v.I, func(s int64) bool { return s < 0 })
}

// alive are the nodes whose outputs are read.
func (f *folder) alive(nodes []*model.Node) []*model.Node {
	var list []*model.Node
	for _, n := range slices.Backward(nodes) {
		if !slices.ContainsFunc(n.Outputs, func(out string) bool { return f.kept[out] }) {
			continue
		}
		for _, in := range n.Inputs {
			f.kept[in] = true
		}
		for _, out := range n.Outputs {
			f.kept[out] = true
		}
		list = append(list, n)
	}
	slices.Reverse(list)
	return list
}

// tensors keeps the initializers that are read, and adds the values that were computed.
func (f *folder) tensors(g *model.Graph) {
	have, made := map[string]bool{}, map[string]bool{}
	var list []*model.Tensor
	for _, t := range g.Initializers {
		if f.kept[t.Name] {
			list = append(list, t)
			have[t.Name] = true
		}
	}
	for _, in := range g.Inputs {
		have[in.Name] = true
	}
	for _, n := range g.Nodes {
		for _, out := range n.Outputs {
			made[out] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f.kept)) {
		if v := f.values[name]; name != "" && !have[name] && !made[name] && v != nil && v.Known() {
			list = append(list, v.Tensor(name))
		}
	}
	g.Initializers = list
}

// declared are the types of the values between inputs and outputs.
func (f *folder) declared(g *model.Graph, types map[string]op.Type) (list []*model.Value) {
	outputs := map[string]bool{}
	for _, out := range g.Outputs {
		outputs[out.Name] = true
	}
	for _, n := range g.Nodes {
		for _, out := range n.Outputs {
			t, ok := types[out]
			if out == "" || outputs[out] || !ok {
				continue
			}
			v := &model.Value{Name: out, Type: t.Elem, Known: true}
			for _, d := range t.Dims {
				v.Shape = append(v.Shape, model.Dim{Size: d})
			}
			list = append(list, v)
		}
	}
	return list
}
