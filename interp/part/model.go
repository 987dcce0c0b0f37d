package part

import (
	"fmt"
	"io/fs"
	"slices"

	"qpipe/ops/nn"
	"qpipe/ops/tensor"
)

// Model builds a network in form Float for inputs of the shapes in (N is 0), one for each input of the data.
type Model interface {
	Build(in []tensor.Shape) (*nn.Graph, error)
}

// FileModel is a Model that is made out of files: weights that somebody else has trained, or a network's structure.
type FileModel interface {
	// Files names the files that BuildFrom reads, for the stage's hash, as a data set's.
	Files() (root string, names []string)
	// BuildFrom is called in the place of Build. fsys opens a folder that the arguments name. A missing or damaged file
	// is an error that names the file and what was expected, at its argument (Bad).
	BuildFrom(in []tensor.Shape, fsys func(root string) fs.FS) (*Built, error)
}

// Built is a network as its model makes it.
type Built struct {
	Graph *nn.Graph
	// Weights are the first values of tensors, in the order of files (nn.Tensor); a tensor that is not among
	// them begins as in every other model.
	Weights []nn.Tensor
	// Inputs is what the inputs went through that the weights were trained with; nil where that is not known.
	Inputs []Preprocessing
}

// Build builds the network of any model.
func Build(m Model, in []tensor.Shape, fsys func(root string) fs.FS) (*Built, error) {
	b := &Built{}
	var err error
	if from, ok := m.(FileModel); ok {
		b, err = from.BuildFrom(in, fsys)
	} else {
		b.Graph, err = m.Build(in)
	}
	if err != nil {
		return nil, err
	}
	if err := Takes(b.Graph, in); err != nil {
		return nil, err
	}
	return b, b.check()
}

// Takes refuses inputs of shapes that the network does not take.
func Takes(g *nn.Graph, in []tensor.Shape) error {
	ports := g.Inputs()
	if len(ports) != len(in) {
		return fmt.Errorf("it takes %s, and the data has %d", Count(len(ports), "input"), len(in))
	}
	for i, p := range ports {
		if p.Shape.WithN(0) != in[i].WithN(0) {
			return fmt.Errorf("its input %q is %v, and that of the data is %v", p.Name, p.Shape.WithN(0), in[i].WithN(0))
		}
	}
	return nil
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
