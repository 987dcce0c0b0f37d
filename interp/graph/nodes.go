package graph

import "qpipe/lang/program"

// NodeQConfig says how a node is quantized, and who said it.
type NodeQConfig struct {
	Node       string
	Activation []Attribute // of the output; nil where the node passes on what it gets
	Weight     []Attribute // nil without one
}

// Attribute is a value with the block that has written it: Origin is empty for a default.
type Attribute struct {
	Name, Value string
	Origin      program.Origin
}
