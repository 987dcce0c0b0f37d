package models

import (
	"qpipe/interp/part"
	"qpipe/interp/written"
	"qpipe/ops/nn"
	"qpipe/ops/tensor"
)

// NetworkArgs are the arguments of Network: the blocks in it.
type NetworkArgs struct {
	Network part.Network `arg:"network,network"`
}

// NewNetwork returns the model that is written in the pipeline, layer by layer.
func NewNetwork(a NetworkArgs) (part.Model, error) { return &network{Network: a.Network}, nil }

type network struct {
	part.Network
	layers []part.Layer
	wrong  part.Mistakes // of layers that could not be made
}

// Assemble implements part.Assembler: it makes the layers. What is wrong with them is reported by Build, with everything else.
func (n *network) Assemble(c part.Catalog) error {
	n.layers, n.wrong = written.Layers(c, n.Network)
	return nil
}

// Build implements part.Model.
func (n *network) Build(in []tensor.Shape) (*nn.Graph, error) {
	g, err := written.Build(n.Network, n.layers, in)
	if len(n.wrong) == 0 {
		return g, err
	}
	return nil, append(n.wrong[:len(n.wrong):len(n.wrong)], part.All(err)...)
}
