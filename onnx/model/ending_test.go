package model

import (
	"slices"
	"testing"
)

// TestEnding: a model with other outputs has only the nodes that they need, those that a graph in an attribute reads among them.
func TestEnding(t *testing.T) {
	node := func(name, out string, in ...string) *Node {
		return &Node{Name: name, Op: "Op", Inputs: in, Outputs: []string{out}}
	}
	inner := &Graph{Nodes: []*Node{node("", "i", "b")}, Outputs: []*Value{{Name: "i"}}}
	branch := node("if", "d", "c")
	branch.Attributes = []Attribute{{Name: "then_branch", Value: inner}}
	m := &Model{Graph: &Graph{
		Nodes:   []*Node{node("one", "a", "x"), node("two", "b", "a"), node("three", "c", "x"), branch, node("last", "y", "d")},
		Inputs:  []*Value{{Name: "x"}},
		Outputs: []*Value{{Name: "y", Type: Float}},
	}}
	for _, c := range []struct {
		names, nodes, outputs, unknown []string
	}{
		{[]string{"a"}, []string{"one"}, []string{"a"}, nil},
		{[]string{"three", "two"}, []string{"one", "two", "three"}, []string{"c", "b"}, nil},
		{[]string{"if"}, []string{"one", "two", "three", "if"}, []string{"d"}, nil},
		{[]string{"y"}, []string{"one", "two", "three", "if", "last"}, []string{"y"}, nil},
		{[]string{"x", ""}, nil, nil, []string{"x", ""}},
	} {
		cut, unknown := m.Ending(c.names)
		var nodes, outputs []string
		for _, n := range cut.Graph.Nodes {
			nodes = append(nodes, n.Name)
		}
		for _, v := range cut.Graph.Outputs {
			outputs = append(outputs, v.Name)
		}
		if !slices.Equal(nodes, c.nodes) || !slices.Equal(outputs, c.outputs) || !slices.Equal(unknown, c.unknown) {
			t.Errorf("%v: nodes %v, outputs %v, unknown %v", c.names, nodes, outputs, unknown)
		}
	}
	if len(m.Graph.Nodes) != 5 || len(m.Graph.Outputs) != 1 {
		t.Error("the model itself has changed")
	}
}
