package model

import "slices"

// Ending is the model with other outputs: values by their names, or what nodes of such a name compute first. Nodes that they do not
// need are left out. The second result are names of neither.
func (m *Model) Ending(names []string) (*Model, []string) {
	var unknown []string
	g := *m.Graph
	g.Outputs = nil
	for _, name := range names {
		v := m.Graph.output(name)
		if v == nil {
			unknown = append(unknown, name)
			continue
		}
		g.Outputs = append(g.Outputs, v)
	}
	needed := map[string]bool{}
	for _, v := range g.Outputs {
		needed[v.Name] = true
	}
	g.Nodes = nil
	for _, n := range slices.Backward(m.Graph.Nodes) {
		if !slices.ContainsFunc(n.Outputs, func(out string) bool { return needed[out] }) {
			continue
		}
		g.Nodes = append(g.Nodes, n)
		for _, name := range n.Inputs {
			needed[name] = true
		}
		for _, a := range n.Attributes {
			if inner, is := a.Value.(*Graph); is {
				inner.reads(needed)
			}
		}
	}
	slices.Reverse(g.Nodes)
	cut := *m
	cut.Graph = &g
	return &cut, unknown
}

// reads adds the names of all values that a graph in an attribute reads, which may be those of the graph around it.
func (g *Graph) reads(names map[string]bool) {
	for _, v := range g.Outputs {
		names[v.Name] = true
	}
	for _, n := range g.Nodes {
		for _, name := range n.Inputs {
			names[name] = true
		}
		for _, a := range n.Attributes {
			if inner, is := a.Value.(*Graph); is {
				inner.reads(names)
			}
		}
	}
}

// output is what is declared of a value; the name may be that of the node that computes it. nil if there is none.
func (g *Graph) output(name string) *Value {
	if name == "" {
		return nil
	}
	for _, n := range g.Nodes {
		if slices.Contains(n.Outputs, name) {
			return g.declared(name)
		}
	}
	for _, n := range g.Nodes {
		if n.Name == name && len(n.Outputs) > 0 {
			return g.declared(n.Outputs[0])
		}
	}
	return nil
}

// declared is what the graph says of a value, which may be nothing.
func (g *Graph) declared(name string) *Value {
	for _, v := range slices.Concat(g.Outputs, g.Values) {
		if v.Name == name {
			return v
		}
	}
	return &Value{Name: name}
}
