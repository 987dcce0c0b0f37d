package models

import (
	"qpipe/interp/part"
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
}

// Assemble implements part.Assembler: it makes the layers.
func (n *network) Assemble(c part.Catalog) error {
	for _, l := range n.Layers {
		made, err := part.NewLayer(c, l)
		if err != nil {
			return err
		}
		n.layers = append(n.layers, made)
	}
	return nil
}

// Build implements part.Model.
func (n *network) Build(in []tensor.Shape) (*nn.Graph, error) {
	return part.BuildNetwork(n.Network, n.layers, in)
}
