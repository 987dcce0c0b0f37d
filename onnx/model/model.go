// Package model is an ONNX model in Go's types: a graph of nodes in an order in which they can be computed, its weights,
// and what is declared of its inputs and outputs. Read checks a file, which may be hostile; what it returns keeps the
// promises of the types below. The package knows no op: what nodes compute is in onnx/eval.
package model

import (
	"fmt"

	"qpipe/onnx/wire"
)

// Model is a model.
type Model struct {
	IRVersion       int64
	Producer        string
	ProducerVersion string
	Domain          string
	Version         int64
	Doc             string
	Opsets          map[string]int64 // the version of each domain's operator set; ONNX's own domain is ""
	Metadata        []Entry
	Graph           *Graph

	training, functions [][]byte // as they were read
}

// Entry is a name with a text.
type Entry = wire.Entry

// Graph is a graph: its values have names that are unique, and a node reads only values of nodes before it, of inputs
// and of initializers. A graph in an attribute may also read the values of the graph around it.
type Graph struct {
	Name         string
	Doc          string
	Nodes        []*Node
	Inputs       []*Value // initializers may be among them, as defaults of inputs
	Outputs      []*Value
	Values       []*Value // what is declared of other values
	Initializers []*Tensor
	Metadata     []Entry

	quantization, sparse [][]byte
}

// Node is a node.
type Node struct {
	Name       string
	Op         string
	Domain     string   // "" for ONNX's own
	Overload   string   // of a function
	Inputs     []string // "" for one that is left out
	Outputs    []string
	Attributes []Attribute
	Doc        string
	Metadata   []Entry
}

// Attr returns the attribute with that name, nil if the node has none.
func (n *Node) Attr(name string) *Attribute {
	for i := range n.Attributes {
		if n.Attributes[i].Name == name {
			return &n.Attributes[i]
		}
	}
	return nil
}

// String names a node for messages: by its name or, if it has none, by its first output.
func (n *Node) String() string {
	op := n.Op
	if n.Domain != "" {
		op = n.Domain + "." + op
	}
	switch {
	case n.Name != "":
		return fmt.Sprintf("%s %q", op, n.Name)
	case len(n.Outputs) > 0 && n.Outputs[0] != "":
		return fmt.Sprintf("%s without a name, which computes %q", op, n.Outputs[0])
	}
	return op + " without a name"
}

// Attribute is a node's attribute. Value is a float32, int64, string, *Tensor, *Graph, or a slice of those.
type Attribute struct {
	Name  string
	Value any
}

// Value is what a model declares of a value: its type and shape, as far as they are known.
type Value struct {
	Name  string
	Type  Type  // 0 if the value is no tensor, or the type is not declared
	Shape []Dim // only if Known
	Known bool  // whether a shape is declared, with sizes or without
	Doc   string

	other *wire.Type // a type that is no tensor, as it was read
	extra []wire.Entry
}

// Dim is a dimension: a size of 0 or more, or −1 if only its name or nothing is known.
type Dim struct {
	Size int
	Name string
}

func (d Dim) String() string {
	switch {
	case d.Size >= 0:
		return fmt.Sprint(d.Size)
	case d.Name != "":
		return d.Name
	}
	return "?"
}
