package graph

import "qpipe/lang/program"

// NodeQConfig says how a node is quantized, and which block of the text says so.
type NodeQConfig struct {
	Node       string
	Activation []Attribute // of the output; nil if the node passes on the integers that it gets
	Weight     []Attribute // nil if the node has no weight
}

// Stub is the address of what no block says, but a DeQuantStub in front of the node.
const Stub = "DeQuantStub"

// Attribute is a value and the block in which it is written; Origin is empty for a default.
type Attribute struct {
	Name, Value string
	Origin      program.Origin
}
