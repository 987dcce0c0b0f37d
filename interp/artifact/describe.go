package artifact

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"qpipe/interp/checkpoint"
	"qpipe/interp/netfile"
	"qpipe/interp/part"
	"qpipe/lang/diag"
	"qpipe/ops/nn"
	"qpipe/ops/quant"
	"qpipe/ops/tensor"
)

// The kinds of files that Describe knows.
const (
	KindCheckpoint = "checkpoint"
	KindInt8       = "int8 model" // also "int4 model" and mixed types: see KindOf
	KindTensors    = "tensors"    // a safetensors file, state dict or ONNX file of another tool
)

// Description is what `qpipe show` prints of a file.
type Description struct {
	Path    string        `json:"path"`
	Kind    string        `json:"kind"`
	Bytes   int64         `json:"bytes,omitempty"`
	SHA256  string        `json:"sha256,omitempty"`  // of the file
	Content string        `json:"content,omitempty"` // the hash recorded in the file
	Stage   string        `json:"stage,omitempty"`
	Form    string        `json:"form,omitempty"`
	Mode    string        `json:"qat_mode,omitempty"`
	Seed    int64         `json:"seed"`
	Epoch   int           `json:"epoch"`
	Step    int           `json:"step"`
	LR      float64       `json:"lr,omitempty"`
	Kernels string        `json:"kernels,omitempty"`
	Storage string        `json:"storage,omitempty"` // what a reader of the tensors must know
	Input   *tensor.Shape `json:"input,omitempty"`   // of the first input
	Inputs  []Port        `json:"inputs,omitempty"`  // where there are several, all of them
	Outputs []Port        `json:"outputs,omitempty"` // where there are several, all of them
	// Preprocessing and Classes are what the model was made for; nil if the file does not say. They are those of
	// the first input and the first target.
	Preprocessing *part.Preprocessing     `json:"preprocessing,omitempty"`
	Classes       []string                `json:"classes,omitempty"`
	MoreClasses   [][]string              `json:"more_classes,omitempty"` // of the other targets
	Params        int                     `json:"params,omitempty"`
	Absorbed      []checkpoint.Absorption `json:"absorbed,omitempty"`
	FrozenBN      []string                `json:"frozen_bn,omitempty"`
	Metrics       Metrics                 `json:"metrics,omitempty"`
	Best          Metrics                 `json:"best_metrics,omitempty"`
	Layers        []Layer                 `json:"layers,omitempty"`
	Tensors       []TensorInfo            `json:"tensors,omitempty"`
}

// Port is an input or an output of a network that has several.
type Port struct {
	Name          string              `json:"name"`
	Shape         tensor.Shape        `json:"shape"`
	Preprocessing *part.Preprocessing `json:"preprocessing,omitempty"` // of an input; nil if the file does not say
}

// Layer is a node of the network.
type Layer struct {
	Name       string   `json:"name"`
	Op         string   `json:"op"`
	Members    []string `json:"members,omitempty"`
	BN         string   `json:"bn,omitempty"`
	Act        string   `json:"act,omitempty"`
	Inputs     []string `json:"inputs,omitempty"`
	Out        string   `json:"out"`
	Params     int      `json:"params"`
	Activation string   `json:"activation,omitempty"`   // dtype of its output
	Weight     string   `json:"weight,omitempty"`       // dtype of its weight
	Island     string   `json:"float_island,omitempty"` // of a quantized model: why it stays float32 in the int8 form
}

// TensorInfo describes a tensor. Min and Max are those of its finite values, nil where
// there are none; NotFinite counts the others.
type TensorInfo struct {
	Name      string   `json:"name"`
	Shape     []int    `json:"shape"`
	DType     string   `json:"dtype"`
	Codes     string   `json:"codes,omitempty"` // the dtype of the codes, if it differs from that of the tensor
	Bytes     int      `json:"bytes"`
	Min       *float64 `json:"min,omitempty"`
	Max       *float64 `json:"max,omitempty"`
	NotFinite int      `json:"not_finite,omitempty"`
}

// Describe returns what a file contains. It reads the tensors piece by piece, so that it takes no more memory for a
// large file than for a small one.
func Describe(path string) (*Description, error) {
	file, err := open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	switch {
	case netfile.Is(path):
		return describeNetwork(path)
	case isStateDict(file):
		return describeStateDict(path, file)
	}
	c, err := readHeader(path, file)
	if err != nil {
		return nil, err
	}
	err = checkFormat(path, c.meta)
	var f *FileError
	foreign := errors.As(err, &f) && f.Code == diag.NotCheckpoint
	if err != nil && !foreign {
		return nil, err
	}
	seen, err := look(path, file, c, !foreign)
	if err != nil {
		return nil, err
	}
	d := &Description{Path: path, Kind: KindTensors, Bytes: c.size, SHA256: seen.sum, Content: c.meta[hashKey]}
	if foreign {
		s := &checkpoint.Snapshot{Form: nn.Float}
		if err := c.fill(s); err != nil {
			return nil, &FileError{path, diag.NotCheckpoint, err}
		}
		d.Tensors = describeTensors("", s.Model)
		d.see(c.tensors, seen, true)
		return d, nil
	}
	s, err := build(path, c)
	if err == nil {
		err = d.fill(s)
	}
	if err != nil {
		return nil, err
	}
	d.see(c.tensors, seen, false)
	return d, nil
}

// see adds to the tensors what was found in the file. Tensors of another tool's file keep their type, which need not be
// one that the program computes with.
func (d *Description) see(tensors []entry, seen *seen, foreign bool) {
	in := map[string]entry{}
	for _, e := range tensors {
		in[e.name] = e
	}
	for i := range d.Tensors {
		t := &d.Tensors[i]
		e, ok := in[t.Name]
		if !ok {
			continue
		}
		if t.Bytes = int(e.end - e.begin); foreign {
			t.DType = typeName(e.dtype)
		}
		if s := seen.values[t.Name]; s != nil { // the others have been read
			s.tell(t)
		}
	}
}

// typeName is what a safetensors dtype is called elsewhere: "F32" is float32.
func typeName(dtype string) string {
	for prefix, word := range map[string]string{"F": "float", "I": "int", "U": "uint"} {
		if bits, ok := strings.CutPrefix(dtype, prefix); ok && len(bits) <= 2 {
			return word + bits
		}
	}
	if dtype == "BF16" {
		return "bfloat16"
	}
	return strings.ToLower(dtype)
}

func (d *Description) fill(s *checkpoint.Snapshot) error {
	d.Kind = KindCheckpoint
	if s.Form == nn.Quantized {
		d.Kind = KindInt8
	}
	if len(s.Inputs) > 0 && s.Inputs[0].Height > 0 {
		d.Preprocessing = &s.Inputs[0]
	}
	if len(s.Classes) > 0 {
		d.Classes, d.MoreClasses = s.Classes[0], s.Classes[1:]
	}
	d.Stage, d.Form, d.Mode = s.Stage, string(s.Form), string(s.Mode)
	d.Seed, d.Epoch, d.Step, d.LR, d.Kernels = s.Seed, s.Epoch, s.Step, s.LR, s.Kernels
	d.Absorbed, d.FrozenBN, d.Metrics, d.Best = s.Absorbed, s.FrozenBN, s.Metrics, s.Best
	d.Tensors = describeTensors("", s.Model)
	d.Tensors = append(d.Tensors, describeTensors(shadowPrefix, s.Shadow)...)
	for _, slot := range sortedKeys(s.Optimizer) {
		d.Tensors = append(d.Tensors, describeTensors(optimizerPrefix+slot+".", s.Optimizer[slot])...)
	}
	if len(s.Structure) == 0 {
		return nil
	}
	g, err := nn.Restore(s.Structure)
	if err != nil {
		return damaged(d.Path, "its structure cannot be read: %w", err)
	}
	in := g.Input()
	d.Input, d.Inputs, d.Outputs = &in, ports(g.Inputs()), ports(g.Outputs())
	for i := range d.Inputs {
		if len(s.Inputs) == len(d.Inputs) {
			d.Inputs[i].Preprocessing = &s.Inputs[i]
		}
	}
	d.Layers = describeLayers(g)
	if s.Form == nn.Quantized {
		countIntegers(d.Layers, g, s.Model)
		d.codes(g)
	}
	for _, l := range d.Layers {
		d.Params += l.Params
	}
	return nil
}

// ports describes several inputs or outputs; of one there is nothing to tell apart.
func ports(list []nn.Port) (out []Port) {
	if len(list) < 2 {
		return nil
	}
	for _, p := range list {
		out = append(out, Port{Name: p.Name, Shape: p.Shape})
	}
	return out
}

func describeLayers(g *nn.Graph) []Layer {
	var out []Layer
	why := map[string]string{}
	if g.Form() != nn.Float {
		for _, i := range g.Islands() {
			why[i.Node] = i.Why
		}
	}
	for _, m := range g.Modules() {
		l := Layer{Name: m.Name, Op: m.Op, BN: m.BN, Inputs: m.Inputs, Out: m.Out.String(), Params: m.Params, Island: why[m.Name]}
		if len(m.Members) > 1 {
			l.Members = m.Members
		}
		if m.Act != 0 {
			l.Act = m.Act.String()
		}
		if g.Form() != nn.Float && m.HasQuant {
			l.Activation = m.QConfig.Activation.Spec.DType.String()
		}
		if g.Form() != nn.Float && m.HasWeight {
			l.Weight = m.QConfig.Weight.Spec.DType.String()
		}
		out = append(out, l)
	}
	return out
}

// codes sets the type of the codes of an int8 model.
func (d *Description) codes(g *nn.Graph) {
	d.Kind, d.Storage = KindOf(g)
	weights := map[string]*TensorInfo{}
	for i := range d.Tensors {
		if t := &d.Tensors[i]; t.DType == "int8" {
			weights[t.Name] = t
		}
	}
	for _, m := range g.Modules() {
		if t, w := weights[m.Name+".weight"], m.QConfig.Weight.Spec.DType; t != nil && w != quant.Int8 {
			t.Codes = w.String()
		}
	}
}

// KindOf names an integer model by its codes: "int8 model", "int4 model" or a mixture. storage is a remark about how
// the file stores them, "" for none.
func KindOf(g *nn.Graph) (kind, storage string) {
	some, all := false, true
	for _, m := range g.Modules() {
		w := m.QConfig.Weight.Spec.DType
		some = some || w == quant.Int4 || m.QConfig.Activation.Spec.DType == quant.Int4
		all = all && (w == quant.Int4 || !m.HasWeight)
	}
	var parts []string
	switch kind = KindInt8; {
	case some && all:
		kind = "int4 model"
	case some:
		parts = append(parts, "int4")
	}
	if len(g.Islands()) > 0 {
		parts = append(parts, "float32")
	}
	if len(parts) > 0 {
		kind += ", in part " + strings.Join(parts, " and ")
	}
	if some {
		storage = "4-bit codes are stored one a byte"
	}
	return kind, storage
}

// countIntegers adds their weights, the multipliers of BNs and their biases to the layers of an int8 model, where integers are no longer parameters of
// the graph, as those of float islands are.
func countIntegers(layers []Layer, g *nn.Graph, tensors []nn.Tensor) {
	sizes := map[string]int{}
	for _, t := range tensors {
		sizes[t.Name] = elements(t.Shape)
	}
	for _, p := range g.Params() {
		delete(sizes, p.Name)
	}
	for i := range layers {
		layers[i].Params += sizes[layers[i].Name+".weight"] + sizes[layers[i].Name+".multiplier"] + sizes[layers[i].Name+".bias"]
	}
}

func describeTensors(prefix string, ts []nn.Tensor) []TensorInfo {
	out := make([]TensorInfo, len(ts))
	for i, t := range ts {
		out[i] = describeTensor(t)
		out[i].Name = prefix + t.Name
	}
	return out
}

func describeTensor(t nn.Tensor) TensorInfo {
	info := TensorInfo{Shape: t.Shape}
	switch d := t.Data.(type) {
	case []float32:
		info.DType = "float32"
	case []int32:
		info.DType = "int32"
	case []int8:
		info.DType = "int8"
	case checkpoint.Unloadable:
		info.DType = d.DType
	}
	v := newValues()
	v.add(t.Data)
	v.tell(&info)
	return info
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
