// Package netfile reads an ONNX file as a checkpoint: the weights of its network by name and, of a quantized file, the grids of its values.
package netfile

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"qpipe/interp/checkpoint"
	"qpipe/interp/part"
	"qpipe/lang/files"
	"qpipe/onnx/importer"
	"qpipe/onnx/model"
	"qpipe/ops/nn"
	"qpipe/ops/tensor"
)

// Is reports whether a file is an ONNX file, by its name.
func Is(path string) bool { return strings.EqualFold(filepath.Ext(path), ".onnx") }

// Read reads a file for the model that is to load it. For a float model the snapshot is a float model, too. A model that is prepared for
// calibration or QAT gets, from a quantized file, a snapshot in that form: the file's weights, and the ranges that its grids have.
// The renames of o say which node of the model is meant.
func Read(path string, like *nn.Graph, o part.LoadOptions) (*checkpoint.Snapshot, error) {
	m, err := model.Read(path, model.Usual())
	if err != nil {
		return nil, err
	}
	var ports []nn.Port
	if like != nil {
		ports = like.Inputs()
	}
	net, err := importer.Build(m, inputs(m.Graph, ports), importer.Options{})
	switch {
	case err != nil && quantizes(m.Graph):
		return nil, fmt.Errorf("%s: its quantized weights cannot be read without its network: %w", path, err)
	case err != nil:
		return plain(m), nil // weights are weights, whatever reads them
	}
	if like == nil || like.Form() == nn.Float || len(net.Grids) == 0 {
		return &checkpoint.Snapshot{Form: nn.Float, Model: net.Weights}, nil
	}
	return quantized(net, like, o)
}

// quantizes reports whether a graph has codes: their values are known to those who make its network.
func quantizes(g *model.Graph) bool {
	return slices.ContainsFunc(g.Nodes, func(n *model.Node) bool {
		return strings.HasPrefix(n.Op, "Q") || n.Op == "DequantizeLinear" // QuantizeLinear, QLinearConv, QGemm
	})
}

// inputs are the shapes of a model's inputs: what the file declares, and where it leaves a size open that of the network's input.
func inputs(g *model.Graph, ports []nn.Port) []tensor.Shape {
	var list []tensor.Shape
	for _, v := range g.Inputs {
		if slices.ContainsFunc(g.Initializers, func(t *model.Tensor) bool { return t.Name == v.Name }) {
			continue
		}
		s := tensor.Shape{H: 1, W: 1, C: 1}
		if k := len(list); k < len(ports) {
			s = ports[k].Shape
		}
		if axes := [][]*int{2: {&s.C}, 3: {&s.C, &s.W}, 4: {&s.C, &s.H, &s.W}}; v.Known && len(v.Shape) >= 2 && len(v.Shape) < len(axes) {
			for i, to := range axes[len(v.Shape)] {
				if n := v.Shape[i+1].Size; n > 0 {
					*to = n
				}
			}
		}
		list = append(list, s)
	}
	return list
}

// plain are the float initializers by their names: all that is known of a file whose network cannot be made. The matrix of a MatMul, or
// of a Gemm that does not transpose it, has its outputs last and is turned.
func plain(m *model.Model) *checkpoint.Snapshot {
	turned := map[string]bool{}
	for _, n := range m.Graph.Nodes {
		switch a := n.Attr("transB"); {
		case len(n.Inputs) < 2:
		case n.Op == "MatMul", n.Op == "Gemm" && (a == nil || a.Value == int64(0)):
			turned[n.Inputs[1]] = true
		}
	}
	s := &checkpoint.Snapshot{Form: nn.Float}
	for _, t := range m.Graph.Initializers {
		if t.Type.Float() {
			s.Model = append(s.Model, float(t, turned[t.Name] && len(t.Dims) == 2))
		}
	}
	return s
}

// float is an initializer in float32.
func float(t *model.Tensor, turn bool) nn.Tensor {
	wide, shape := t.Floats(), slices.Clone(t.Dims)
	data := make([]float32, len(wide))
	for i, v := range wide {
		if turn {
			i = i%shape[1]*shape[0] + i/shape[1]
		}
		data[i] = float32(v)
	}
	if turn {
		slices.Reverse(shape)
	}
	return nn.Tensor{Name: t.Name, Shape: shape, Data: data}
}

// Beside are the names of the files in a file's folder that have weights of it.
func Beside(path string) ([]string, error) {
	data, err := files.Read(path, model.Usual().File)
	if err != nil {
		return nil, err
	}
	folder := &opened{FS: files.Folder(filepath.Dir(path))}
	if _, err := model.Parse(data, folder, model.Usual()); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return folder.names, nil
}

// opened is a folder that keeps the names of the files that were opened.
type opened struct {
	fs.FS
	names []string
}

// Open implements fs.FS.
func (o *opened) Open(name string) (fs.File, error) {
	if !slices.Contains(o.names, name) {
		o.names = append(o.names, name)
	}
	return o.FS.Open(name)
}

// Lstat implements fs.ReadLinkFS.
func (o *opened) Lstat(name string) (fs.FileInfo, error) { return fs.Lstat(o.FS, name) }

// ReadLink implements fs.ReadLinkFS.
func (o *opened) ReadLink(name string) (string, error) { return fs.ReadLink(o.FS, name) }
