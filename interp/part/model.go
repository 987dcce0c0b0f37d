package part

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"qpipe/ops/nn"
	"qpipe/ops/tensor"
)

// Model builds a network in the float form. in has the shape of each input of the data, with N = 0.
type Model interface {
	Build(in []tensor.Shape) (*nn.Graph, error)
}

// FileModel is a Model that is read from files, such as pretrained weights or the structure of a network.
type FileModel interface {
	// Files names the files that BuildFrom reads; the stage's hash depends on their contents, as for a Dataset.
	Files() (root string, names []string)
	// BuildFrom is called instead of Build. fsys returns the file system of a folder that an argument names. If a
	// file is missing or damaged, the error names the file, what was expected, and the argument (see Bad).
	BuildFrom(in []tensor.Shape, fsys func(root string) fs.FS) (*Built, error)
}

// Built is a network that a model has built.
type Built struct {
	Graph *nn.Graph
	// Weights are initial values of some tensors, in file order (see nn.Tensor). All other tensors are initialized
	// from the seed.
	Weights []nn.Tensor
	// Inputs says how the inputs were preprocessed when the weights were trained; nil if unknown.
	Inputs []Preprocessing
	// Names are set by Build, for a TorchModel.
	Names []Rename
}

// Build builds the network of a Model, which may be a FileModel, and checks it.
func Build(m Model, in []tensor.Shape, fsys func(root string) fs.FS) (b *Built, err error) {
	defer Guard(&err, "Build")
	b = &Built{}
	if from, ok := m.(FileModel); ok {
		b, err = from.BuildFrom(in, fsys)
	} else {
		b.Graph, err = m.Build(in)
	}
	if err != nil {
		return nil, err
	}
	if b == nil || b.Graph == nil {
		return nil, errors.New("it returns neither a network nor an error")
	}
	if t, ok := m.(TorchModel); ok {
		b.Names = t.TorchNames()
	}
	if err := Takes(b.Graph, in); err != nil {
		return nil, err
	}
	return b, b.check()
}

// Takes returns an error if the network's inputs do not have the shapes in.
func Takes(g *nn.Graph, in []tensor.Shape) error {
	ports := g.Inputs()
	if len(ports) != len(in) {
		return fmt.Errorf("it takes %s, and the data has %d", Count(len(ports), "input"), len(in))
	}
	for i, p := range ports {
		if p.Shape.WithN(0) != in[i].WithN(0) {
			return fmt.Errorf("its input %q is %v, but the data's is %v", p.Name, p.Shape.WithN(0), in[i].WithN(0))
		}
	}
	return nil
}

// check returns an error if Weights has a tensor that the network does not have, or one of another shape.
func (b *Built) check() error {
	known := b.Graph.Tensors()
	for _, w := range b.Weights {
		i := slices.IndexFunc(known, func(t nn.Tensor) bool { return t.Name == w.Name })
		switch {
		case i < 0:
			return fmt.Errorf("it brings weights for a tensor %q, which the network does not have", w.Name)
		case !slices.Equal(known[i].Shape, w.Shape):
			return fmt.Errorf("the weights of %q have the shape %s, but the network needs %s", w.Name, tensor.List(w.Shape...), tensor.List(known[i].Shape...))
		}
	}
	return nil
}

// Init sets the network's parameters: from the seed, and then to Weights.
func (b *Built) Init(seed int64) error {
	b.Graph.Init(seed)
	return b.Graph.SetTensors(b.Weights)
}

// Rename is what a layer is called by a model, and in a state dict of PyTorch. Its tensors (weight, bias, running_mean and
// running_var) have the same names in both.
type Rename struct{ Ours, Torch string }

// TorchModel is a Model that torchvision has, too. TorchNames lists all layers with tensors, in the order of the state dict.
type TorchModel interface {
	TorchNames() []Rename
}
