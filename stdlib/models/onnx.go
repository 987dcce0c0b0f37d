package models

import (
	"errors"
	"io/fs"
	"path"
	"slices"
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
	Outputs []string `arg:"outputs,optional" before:"[]" doc:"Names of the nodes (or values) that give the network's outputs, in place of the file's: a node in front of a softmax leaves the softmax out."`
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

// BringsWeights implements program.Weighted.
func (ONNXArgs) BringsWeights() {}

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
	folder := &only{FS: fsys(root), names: names}
	m, err := model.ReadIn(folder, names[0], model.Usual())
	switch {
	case len(folder.refused) > 0:
		return nil, part.Bad("weight_files", "the model has weights in %s, which weight_files does not name", strings.Join(folder.refused, ", "))
	case errors.Is(err, fs.ErrNotExist) && folder.missing == names[0]:
		return nil, part.Bad("path", "there is no file %s", o.Path)
	case errors.Is(err, fs.ErrNotExist):
		return nil, part.Bad("path", "the model has weights in %s, and there is no such file beside it", folder.missing)
	case err != nil:
		return nil, part.Bad("path", "%w", err)
	}
	net, err := importer.Build(m, in, importer.Options{Outputs: o.Outputs, Classes: o.Classes})
	var output *importer.NoOutput
	switch {
	case errors.As(err, &output):
		return nil, part.Bad("outputs", "%w", err)
	case err != nil:
		return nil, part.Bad("path", "%w", err)
	}
	return &part.Built{Graph: net.Graph, Weights: net.Weights}, nil
}

// only is a folder of which only some files can be read: those that the stage's hash knows. It keeps the names of others that were asked
// for, and of one that is not there.
type only struct {
	fs.FS
	names   []string
	refused []string
	missing string
}

// Open implements fs.FS.
func (o *only) Open(name string) (fs.File, error) {
	for _, pattern := range o.names {
		if ok, _ := path.Match(pattern, name); ok {
			f, err := o.FS.Open(name)
			if errors.Is(err, fs.ErrNotExist) {
				o.missing = name
			}
			return f, err
		}
	}
	if !slices.Contains(o.refused, name) {
		o.refused = append(o.refused, name)
	}
	return nil, fs.ErrPermission
}

// Lstat implements fs.ReadLinkFS.
func (o *only) Lstat(name string) (fs.FileInfo, error) { return fs.Lstat(o.FS, name) }

// ReadLink implements fs.ReadLinkFS.
func (o *only) ReadLink(name string) (string, error) { return fs.ReadLink(o.FS, name) }
