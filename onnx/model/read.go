package model

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"qpipe/lang/files"
	"qpipe/onnx/wire"
)

// Limits bound what a model may take.
type Limits struct {
	File     int64 // bytes of the model's file
	External int64 // bytes of weights in files beside it, all together
}

// Usual are the limits for files of a person. A protobuf message cannot be larger than 2 GiB.
func Usual() Limits { return Limits{File: 2 << 30, External: 8 << 30} }

// Memory is the most memory that a model takes, as a multiple of its file's size (and a few KiB), besides the weights
// in other files.
const Memory = 3 * wire.Multiple

// Read reads the model in a file, and its weights in files beside it. All files stay below the folder of the model.
func Read(path string, l Limits) (*Model, error) {
	data, err := files.Read(path, l.File)
	if err != nil {
		return nil, err
	}
	m, err := Parse(data, files.Folder(filepath.Dir(path)), l)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// ReadIn is Read for a file of a folder.
func ReadIn(folder fs.FS, name string, l Limits) (*Model, error) {
	f, err := folder.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	data, err := io.ReadAll(io.LimitReader(f, l.File+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > l.File {
		return nil, fmt.Errorf("%s: larger than %s", name, files.Size(l.File))
	}
	beside, err := fs.Sub(folder, path.Dir(name))
	if err != nil {
		return nil, err
	}
	m, err := Parse(data, beside, l)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return m, nil
}

// Parse is Read for the bytes of a model, which the result shares. Weights in other files are looked for in the folder;
// if it is nil, a model that has some is an error.
func Parse(data []byte, folder fs.FS, l Limits) (*Model, error) {
	w, err := wire.Read(data)
	if err != nil {
		return nil, err
	}
	r := &reader{store: store{folder: folder, left: l.External}}
	defer r.store.close()
	m := r.model(w)
	if err := r.err(); err != nil {
		return nil, err
	}
	return m, nil
}

// ParseTensor reads a tensor from a file of its own.
func ParseTensor(data []byte) (*Tensor, error) {
	w, err := wire.ReadTensor(data)
	if err != nil {
		return nil, err
	}
	r := &reader{}
	return r.tensor(w)
}

// reader turns messages into the types of this package and collects what is wrong with them.
type reader struct {
	store store
	errs  []error
	left  int // mistakes that are not listed
}

const (
	mostErrors   = 20
	longestError = 1000
)

func (r *reader) fail(format string, args ...any) {
	if len(r.errs) == mostErrors {
		r.left++
		return
	}
	err := fmt.Errorf(format, args...)
	if text := err.Error(); len(text) > longestError { // names may be as long as the file
		err = errors.New(strings.ToValidUTF8(text[:longestError], "") + "…")
	}
	r.errs = append(r.errs, err)
}

func (r *reader) err() error {
	if r.left > 0 {
		return errors.Join(append(r.errs, fmt.Errorf("and %d more", r.left))...)
	}
	return errors.Join(r.errs...)
}

func (r *reader) model(w *wire.Model) *Model {
	m := &Model{
		IRVersion: w.IRVersion, Producer: w.Producer, ProducerVersion: w.ProducerVersion,
		Domain: w.Domain, Version: w.ModelVersion, Doc: w.Doc, Metadata: w.Metadata,
		training: w.Training, functions: w.Functions,
	}
	m.Opsets = r.opsets(w)
	if w.Graph == nil {
		r.fail("there is no graph: the file is no ONNX model")
		return m
	}
	m.Graph = r.graph(w.Graph, nil)
	return m
}

func (r *reader) opsets(w *wire.Model) map[string]int64 {
	sets := map[string]int64{}
	for _, s := range w.Opsets {
		d := domain(s.Domain)
		if old, ok := sets[d]; ok && old != s.Version {
			r.fail("the model uses two versions, %d and %d, of the operator set %q", old, s.Version, d)
		}
		if s.Version < 1 {
			r.fail("the operator set %q has the version %d", d, s.Version)
		}
		sets[d] = s.Version
	}
	if len(sets) == 0 && w.IRVersion < 3 { // older files have none
		sets[""] = 1
	}
	if len(sets) == 0 && w.Graph != nil {
		r.fail("the model does not say which operator set it uses")
	}
	return sets
}

// domain gives ONNX's own domain its one name.
func domain(name string) string {
	if name == "ai.onnx" {
		return ""
	}
	return name
}

func (r *reader) graph(w *wire.Graph, outer *names) *Graph {
	g := &Graph{
		Name: w.Name, Doc: w.Doc, Metadata: w.Metadata, quantization: w.Quantization, sparse: w.Sparse,
		Inputs: r.values("input", w.Inputs), Outputs: r.values("output", w.Outputs), Values: r.values("value", w.Values),
	}
	if len(w.Sparse) > 0 {
		r.fail("there are %d sparse initializers, which are not supported: store them as dense tensors", len(w.Sparse))
	}
	scope := &names{outer: outer, all: map[string]bool{}}
	for _, v := range g.Inputs {
		r.define(scope, v.Name, "an input")
	}
	defaults := map[string]bool{}
	for i := range w.Initializers {
		t := &w.Initializers[i]
		if defaults[t.Name] {
			r.fail("there are two initializers %q", t.Name)
		}
		defaults[t.Name] = true
		if !scope.all[t.Name] {
			r.define(scope, t.Name, "an initializer")
		}
		if typed, err := r.tensor(t); err != nil {
			r.fail("the initializer %q: %w", t.Name, err)
		} else {
			g.Initializers = append(g.Initializers, typed)
		}
	}
	r.nodes(g, w, scope)
	for _, v := range g.Outputs {
		if !scope.has(v.Name) {
			r.fail("the output %q of the graph is computed by no node", v.Name)
		}
	}
	return g
}

func (r *reader) values(what string, ws []wire.Value) []*Value {
	list := make([]*Value, len(ws))
	for i := range ws {
		v, err := value(&ws[i])
		if err != nil {
			r.fail("the %s %q: %w", what, ws[i].Name, err)
		}
		list[i] = v
	}
	return list
}

func value(w *wire.Value) (*Value, error) {
	v := &Value{Name: w.Name, Doc: w.Doc, extra: w.Metadata}
	if w.Type == nil {
		return v, nil
	}
	if w.Type.Tensor == nil {
		v.other = w.Type
		return v, nil
	}
	v.Type = Type(w.Type.Tensor.Elem)
	s := w.Type.Tensor.Shape
	if s == nil {
		return v, nil
	}
	if len(s.Dims) > mostDims {
		return v, fmt.Errorf("it has %d dimensions; %d are allowed", len(s.Dims), mostDims)
	}
	v.Known, v.Shape = true, make([]Dim, len(s.Dims))
	for i, d := range s.Dims {
		v.Shape[i] = Dim{Size: -1, Name: d.Param}
		if d.Size == nil {
			continue
		}
		if *d.Size < 0 || *d.Size > mostElements {
			return v, fmt.Errorf("its dimension %d has the size %d", i, *d.Size)
		}
		v.Shape[i].Size = int(*d.Size)
	}
	return v, nil
}
