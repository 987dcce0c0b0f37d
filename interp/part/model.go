package part

import (
	"fmt"
	"io/fs"
	"slices"

	"qpipe/ops/nn"
	"qpipe/ops/tensor"
)

// Model builds a network for images of the shape in (N is 0) in form Float.
type Model interface {
	Build(in tensor.Shape) (*nn.Graph, error)
}

// FileModel is a Model that is made out of files: weights that somebody else has trained, or a network's structure.
type FileModel interface {
	// Files names the files that BuildFrom reads, for the stage's hash, as a data set's.
	Files() (root string, names []string)
	// BuildFrom is called in the place of Build. fsys opens a folder that the arguments name. A missing or damaged file
	// is an error that names the file and what was expected, at its argument (Bad).
	BuildFrom(in tensor.Shape, fsys func(root string) fs.FS) (*Built, error)
}

// Built is a network as its model makes it.
type Built struct {
	Graph *nn.Graph
	// Weights are the first values of tensors, in the order of files (nn.Tensor); a tensor that is not among
	// them begins as in every other model.
	Weights []nn.Tensor
	// Input is what the images went through that the weights were trained with; zero where that is not known.
	Input Preprocessing
}

// Build builds the network of any model.
func Build(m Model, in tensor.Shape, fsys func(root string) fs.FS) (*Built, error) {
	from, ok := m.(FileModel)
	if !ok {
		g, err := m.Build(in)
		return &Built{Graph: g}, err
	}
	b, err := from.BuildFrom(in, fsys)
	if err != nil {
		return nil, err
	}
	return b, b.check()
}

// check refuses weights that are not the network's.
func (b *Built) check() error {
	known := b.Graph.Tensors()
	for _, w := range b.Weights {
		i := slices.IndexFunc(known, func(t nn.Tensor) bool { return t.Name == w.Name })
		switch {
		case i < 0:
			return fmt.Errorf("there are weights for a tensor %q, which the network does not have", w.Name)
		case !slices.Equal(known[i].Shape, w.Shape):
			return fmt.Errorf("the weights of %q have the shape %v, and the network wants %v", w.Name, w.Shape, known[i].Shape)
		}
	}
	return nil
}

// Init fills the network: from the seed, and with the weights that it brings.
func (b *Built) Init(seed int64) error {
	b.Graph.Init(seed)
	return b.Graph.SetTensors(b.Weights)
}
