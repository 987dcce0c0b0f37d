package model

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"qpipe/onnx/wire"
)

// Write writes the model as one file, with all weights. Equal models give equal bytes.
func (m *Model) Write(w io.Writer) error {
	b, err := m.Bytes()
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	return err
}

// Bytes is what Write writes.
func (m *Model) Bytes() ([]byte, error) {
	out := wire.Model{
		IRVersion: m.IRVersion, Producer: m.Producer, ProducerVersion: m.ProducerVersion, Domain: m.Domain,
		ModelVersion: m.Version, Doc: m.Doc, Metadata: m.Metadata, Training: m.training, Functions: m.functions,
	}
	for _, d := range slices.Sorted(maps.Keys(m.Opsets)) {
		out.Opsets = append(out.Opsets, wire.Opset{Domain: d, Version: m.Opsets[d]})
	}
	g, err := m.Graph.message()
	if err != nil {
		return nil, err
	}
	out.Graph = g
	return wire.Append(nil, &out)
}

// Bytes is a tensor as a file of its own.
func (t *Tensor) Bytes() ([]byte, error) {
	if err := t.Check(); err != nil {
		return nil, err
	}
	w := t.message()
	return wire.Append(nil, &w)
}

func (g *Graph) message() (*wire.Graph, error) {
	w := &wire.Graph{
		Name: g.Name, Doc: g.Doc, Metadata: g.Metadata, Quantization: g.quantization, Sparse: g.sparse,
		Inputs: messages(g.Inputs), Outputs: messages(g.Outputs), Values: messages(g.Values),
		Nodes: make([]wire.Node, len(g.Nodes)), Initializers: make([]wire.Tensor, len(g.Initializers)),
	}
	for i, t := range g.Initializers {
		if err := t.Check(); err != nil {
			return nil, fmt.Errorf("the initializer %q: %w", t.Name, err)
		}
		w.Initializers[i] = t.message()
	}
	for i, n := range g.Nodes {
		w.Nodes[i] = wire.Node{
			Name: n.Name, Op: n.Op, Domain: n.Domain, Overload: n.Overload, Inputs: n.Inputs, Outputs: n.Outputs,
			Doc: n.Doc, Metadata: n.Metadata, Attributes: make([]wire.Attribute, len(n.Attributes)),
		}
		for k, a := range n.Attributes {
			m, err := a.message()
			if err != nil {
				return nil, fmt.Errorf("the attribute %q of %v: %w", a.Name, n, err)
			}
			w.Nodes[i].Attributes[k] = m
		}
	}
	return w, nil
}

func (t *Tensor) message() wire.Tensor {
	w := wire.Tensor{Name: t.Name, Type: int32(t.Type), Raw: t.Data, Doc: t.Doc, Dims: make([]int64, len(t.Dims))}
	if w.Raw == nil {
		w.Raw = []byte{}
	}
	for i, d := range t.Dims {
		w.Dims[i] = int64(d)
	}
	return w
}

func messages(values []*Value) []wire.Value {
	list := make([]wire.Value, len(values))
	for i, v := range values {
		list[i] = wire.Value{Name: v.Name, Doc: v.Doc, Metadata: v.extra, Type: v.other}
		if v.Type == 0 {
			continue
		}
		t := &wire.TensorType{Elem: int32(v.Type)}
		if v.Known {
			t.Shape = &wire.Shape{Dims: make([]wire.Dim, len(v.Shape))}
			for k, d := range v.Shape {
				t.Shape.Dims[k] = wire.Dim{Param: d.Name}
				if d.Size >= 0 {
					size := int64(d.Size)
					t.Shape.Dims[k] = wire.Dim{Size: &size}
				}
			}
		}
		list[i].Type = &wire.Type{Tensor: t}
	}
	return list
}

func (a Attribute) message() (wire.Attribute, error) {
	w := wire.Attribute{Name: a.Name}
	switch v := a.Value.(type) {
	case float32:
		w.Kind, w.F = wire.KindFloat, &v
	case int64:
		w.Kind, w.I = wire.KindInt, &v
	case string:
		w.Kind, w.S = wire.KindString, []byte(v)
	case []float32:
		w.Kind, w.Floats = wire.KindFloats, v
	case []int64:
		w.Kind, w.Ints = wire.KindInts, v
	case []string:
		w.Kind = wire.KindStrings
		for _, s := range v {
			w.Strings = append(w.Strings, []byte(s))
		}
	case *Tensor:
		if err := v.Check(); err != nil {
			return w, err
		}
		t := v.message()
		w.Kind, w.T = wire.KindTensor, &t
	case *Graph:
		g, err := v.message()
		w.Kind, w.G = wire.KindGraph, g
		return w, err
	case []*Tensor:
		w.Kind = wire.KindTensors
		for _, t := range v {
			if err := t.Check(); err != nil {
				return w, err
			}
			w.Tensors = append(w.Tensors, t.message())
		}
	case []*Graph:
		w.Kind = wire.KindGraphs
		for _, g := range v {
			m, err := g.message()
			if err != nil {
				return w, err
			}
			w.Graphs = append(w.Graphs, *m)
		}
	default:
		return w, fmt.Errorf("a value of the type %T", v)
	}
	return w, nil
}
