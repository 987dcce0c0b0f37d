package models

import (
	"errors"
	"io/fs"
	"path"
	"strings"

	"qpipe/interp/part"
	"qpipe/onnx/importer"
	"qpipe/onnx/model"
	"qpipe/ops/nn"
	"qpipe/ops/tensor"
)

// ONNXArgs are the arguments of ONNX.
type ONNXArgs struct {
	Path    string   `arg:"path" doc:"The file, relative to the pipeline."`
	Beside  []string `arg:"weight_files,optional" doc:"Names of the files beside it that have weights (patterns such as *.bin are allowed), if the model has some in files of their own; without it, files whose names begin with the model's: net.onnx.data, net.onnx_data."`
	Classes int      `arg:"num_classes,optional" doc:"Replaces the last layer with weights by one with so many outputs, whose weights are drawn from the seed; 0 keeps it."`
}

// Validate implements the language's check after decoding.
func (a ONNXArgs) Validate() error {
	switch {
	case a.Path == "":
		return part.Bad("path", "is empty; name the .onnx file")
	case a.Classes < 0 || a.Classes > 1<<20:
		return part.Bad("num_classes", "%d; a network has 1 to 1048576 classes, and 0 keeps the model's", a.Classes)
	}
	for _, name := range a.Beside {
		if _, err := path.Match(name, ""); err != nil || strings.ContainsAny(name, `/\`) {
			return part.Bad("weight_files", "%q is not the name or pattern of a file beside the model", name)
		}
	}
	return nil
}

type onnx struct{ ONNXArgs }

// NewONNX returns the network of an ONNX file, with its weights. What becomes of its nodes, and what they are called, is in docs/onnx.md.
func NewONNX(a ONNXArgs) (part.Model, error) { return onnx{a}, a.Validate() }

// Build implements part.Model.
func (o onnx) Build([]tensor.Shape) (*nn.Graph, error) {
	return nil, errors.New("a model in a file is read from it")
}

// Files implements part.FileModel.
func (o onnx) Files() (root string, names []string) {
	dir, name := path.Split(o.Path)
	if dir == "" {
		dir = "."
	}
	names = append([]string{name}, o.Beside...)
	if o.Beside == nil {
		names = append(names, name+"?*")
	}
	return dir, names
}

// BuildFrom implements part.FileModel.
func (o onnx) BuildFrom(in []tensor.Shape, fsys func(root string) fs.FS) (*part.Built, error) {
	root, names := o.Files()
	m, err := model.ReadIn(only{fsys(root), names}, names[0], model.Usual())
	if err != nil {
		return nil, part.Bad("path", "%w", err)
	}
	net, err := importer.Build(m, in, importer.Options{Classes: o.Classes})
	if err != nil {
		return nil, part.Bad("path", "%w", err)
	}
	return &part.Built{Graph: net.Graph, Weights: net.Weights}, nil
}

// only is a folder of which only some files can be read: those that the stage's hash knows.
type only struct {
	fs.FS
	names []string
}

// Open implements fs.FS.
func (o only) Open(name string) (fs.File, error) {
	for _, pattern := range o.names {
		if ok, _ := path.Match(pattern, name); ok {
			return o.FS.Open(name)
		}
	}
	return nil, part.Bad("weight_files", "the model has weights in %q, which this argument does not name", name)
}

// Lstat implements fs.ReadLinkFS.
func (o only) Lstat(name string) (fs.FileInfo, error) { return fs.Lstat(o.FS, name) }

// ReadLink implements fs.ReadLinkFS.
func (o only) ReadLink(name string) (string, error) { return fs.ReadLink(o.FS, name) }
