package op

import (
	"qpipe/ops/layer"
	"qpipe/ops/tensor"
)

// Flatten makes a vector of a map: the same memory. A linear layer after it takes its weights
// in the order of the map's channels, rows and columns, as PyTorch does.
type Flatten struct{}

var flattenKind = &layer.Kind{
	Name: "flatten", Least: 1, Most: 1, Output: layer.Passes, Flat: true, Aligned: true, View: true, Floats: true,
	Shape: func(_ *layer.Node, in []tensor.Shape) (tensor.Shape, error) { return flat(in[0]), nil },
}

// Kind implements Op.
func (Flatten) Kind() *layer.Kind { return flattenKind }

// Node implements Op.
func (Flatten) Node(in []layer.Source) (*layer.Node, error) {
	return &layer.Node{Kind: flattenKind, Shape: flat(in[0].Shape), Origin: in[0].Origin}, nil
}

func flat(s tensor.Shape) tensor.Shape { return tensor.Shape{H: 1, W: 1, C: s.WithN(1).Len()} }
