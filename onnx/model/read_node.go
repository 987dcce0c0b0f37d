package model

import (
	"fmt"

	"qpipe/onnx/wire"
)

// names are the values that a graph has, as far as it was read, and the graph around it.
type names struct {
	outer *names
	all   map[string]bool
}

func (s *names) has(name string) bool {
	for ; s != nil; s = s.outer {
		if s.all[name] {
			return true
		}
	}
	return false
}

// define gives a value its name.
func (r *reader) define(s *names, name, what string) {
	switch {
	case name == "":
		r.fail("%s has no name", what)
		return
	case s.all[name]:
		r.fail("%s is named %q, as another value is", what, name)
	}
	s.all[name] = true
}

// nodes reads the nodes of a graph and brings them into an order in which they can be computed.
func (r *reader) nodes(g *Graph, w *wire.Graph, scope *names) {
	nodes := make([]*Node, len(w.Nodes))
	made := make(map[string]int, len(nodes)) // by which node a value is computed
	for i := range w.Nodes {
		n := r.node(&w.Nodes[i], i)
		nodes[i] = n
		for k, out := range n.Outputs {
			if out != "" {
				r.define(scope, out, fmt.Sprintf("output %d of node %d, %v,", k, i, n))
				made[out] = i
			}
		}
	}
	for i, n := range nodes {
		for k, in := range n.Inputs {
			if in != "" && !scope.has(in) {
				r.fail("input %d of node %d, %v, is %q, which nothing computes", k, i, n, in)
			}
		}
	}
	order, circle := sorted(nodes, made)
	if circle != nil {
		r.fail("the nodes %v are a circle: each waits for the one before it", circle)
		return
	}
	g.Nodes = order
	r.inner(w, nodes, scope)
}

// inner reads the graphs in attributes, which may use all values of the graph around them.
func (r *reader) inner(w *wire.Graph, nodes []*Node, scope *names) {
	for i := range w.Nodes {
		for k := range w.Nodes[i].Attributes {
			a, to := &w.Nodes[i].Attributes[k], &nodes[i].Attributes[k]
			switch a.Kind {
			case wire.KindGraph:
				if a.G != nil {
					to.Value = r.graph(a.G, scope)
				}
			case wire.KindGraphs:
				list := make([]*Graph, len(a.Graphs))
				for j := range list {
					list[j] = r.graph(&a.Graphs[j], scope)
				}
				to.Value = list
			}
		}
	}
}

// mostAttributes of a node: no op has twenty, and each is looked for among the others.
const mostAttributes = 100

func (r *reader) node(w *wire.Node, i int) *Node {
	n := &Node{
		Name: w.Name, Op: w.Op, Domain: domain(w.Domain), Overload: w.Overload, Inputs: w.Inputs, Outputs: w.Outputs,
		Doc: w.Doc, Metadata: w.Metadata, Attributes: make([]Attribute, len(w.Attributes)),
	}
	if n.Op == "" {
		r.fail("node %d, %q, does not say which op it is", i, n.Name)
	}
	if len(w.Attributes) > mostAttributes {
		r.fail("node %d, %v, has %d attributes; %d are allowed", i, n, len(w.Attributes), mostAttributes)
		return n
	}
	for k := range w.Attributes {
		a := &w.Attributes[k]
		if a.Name == "" || n.Attr(a.Name) != nil {
			r.fail("node %d, %v, has two attributes %q, or one without a name", i, n, a.Name)
		}
		v, err := r.attribute(a)
		if err != nil {
			r.fail("the attribute %q of node %d, %v: %w", a.Name, i, n, err)
		}
		n.Attributes[k] = Attribute{Name: a.Name, Value: v}
	}
	return n
}

// attribute returns the value of an attribute, without graphs, whose scope is not complete yet.
func (r *reader) attribute(w *wire.Attribute) (any, error) {
	kind := w.Kind
	if kind == 0 {
		kind = guess(w)
	}
	switch kind {
	case wire.KindFloat:
		return deref(w.F), nil
	case wire.KindInt:
		return deref(w.I), nil
	case wire.KindString:
		return string(w.S), nil
	case wire.KindFloats:
		return w.Floats, nil
	case wire.KindInts:
		return w.Ints, nil
	case wire.KindStrings:
		list := make([]string, len(w.Strings))
		for i, s := range w.Strings {
			list[i] = string(s)
		}
		return list, nil
	case wire.KindTensor:
		if w.T == nil {
			return nil, fmt.Errorf("the tensor is missing")
		}
		return r.tensor(w.T)
	case wire.KindTensors:
		list := make([]*Tensor, len(w.Tensors))
		for i := range list {
			t, err := r.tensor(&w.Tensors[i])
			if err != nil {
				return nil, err
			}
			list[i] = t
		}
		return list, nil
	case wire.KindGraph:
		if w.G == nil {
			return nil, fmt.Errorf("the graph is missing")
		}
		return nil, nil
	case wire.KindGraphs:
		return nil, nil
	}
	if w.Ref != "" {
		return nil, fmt.Errorf("it refers to the attribute %q of a function, and is in none", w.Ref)
	}
	return nil, fmt.Errorf("attributes of the kind %d are not supported", w.Kind)
}

// guess is the kind of an attribute that does not say it, as files of the first years have them.
func guess(w *wire.Attribute) int32 {
	switch {
	case w.F != nil:
		return wire.KindFloat
	case w.I != nil:
		return wire.KindInt
	case w.S != nil:
		return wire.KindString
	case w.T != nil:
		return wire.KindTensor
	case w.Floats != nil:
		return wire.KindFloats
	case w.Strings != nil:
		return wire.KindStrings
	}
	return wire.KindInts
}

func deref[T any](p *T) T {
	if p == nil {
		return *new(T)
	}
	return *p
}
