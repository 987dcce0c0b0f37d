package exporters

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"qpipe/interp/part"
	"qpipe/onnx/exporter"
	"qpipe/onnx/model"
	"qpipe/ops/nn"
)

// ONNXArgs are the arguments of ONNX.
type ONNXArgs struct {
	File        string `arg:"file,optional" doc:"Name of the file in the stage's folder."`
	Format      string `arg:"format,optional" oneof:"auto qdq qoperator float" doc:"How an int8 model is written: qdq has QuantizeLinear and DequantizeLinear around float ops, qoperator ops on integers, which compute the same integers as qpipe. float, without any quantization, is for all other models. auto is qdq of an int8 model, else float."`
	Opset       int    `arg:"opset,optional" doc:"Version of ONNX's operator set, 13 to 24."`
	BatchSize   int    `arg:"batch_size,optional" doc:"Images of an inference; 0 leaves it open."`
	Activations string `arg:"activations,optional" oneof:"auto int8 uint8" doc:"Type of the integers between ops: auto is uint8 if the model has such, else int8. Codes and zero points differ by 128, scales do not."`
	Glue        bool   `arg:"glue,optional" doc:"With qoperator: convolutions that add before they round are written as ConvInteger and float ops. Without it such a model is refused."`
}

// ONNXDefaults returns ONNX's defaults.
func ONNXDefaults() ONNXArgs {
	return ONNXArgs{File: "model.onnx", Format: auto, Opset: exporter.UsualOpset, Activations: auto}
}

// auto is what fits the model.
const auto = "auto"

type onnx struct{ ONNXArgs }

// NewONNX returns the exporter of ONNX models.
func NewONNX(a ONNXArgs) (part.Exporter, error) {
	switch {
	case a.Opset < exporter.FirstOpset || a.Opset > exporter.LastOpset:
		return nil, part.Bad("opset", "operator set %d cannot be written; %d to %d can", a.Opset, exporter.FirstOpset, exporter.LastOpset)
	case a.BatchSize < 0 || a.BatchSize > 1<<20:
		return nil, part.Bad("batch_size", "%d is not a number of images from 0 to %d", a.BatchSize, 1<<20)
	case a.Glue && a.Format != string(exporter.QOperator):
		return nil, part.Bad("glue", `glue is for format = "qoperator"`)
	case a.Activations != auto && a.Format == string(exporter.Float):
		return nil, part.Bad("activations", "a float model has no integers")
	}
	return onnx{a}, nil
}

// Files implements part.Exporter.
func (x onnx) Files() []string { return []string{x.File} }

// options are those for a model of that form.
func (x onnx) options(f nn.Form) exporter.Options {
	o := exporter.Options{Format: exporter.Format(x.Format), Opset: x.Opset, Batch: x.BatchSize, Glue: x.Glue}
	switch {
	case o.Format == auto && f == nn.Quantized:
		o.Format = exporter.QDQ
	case o.Format == auto:
		o.Format = exporter.Float
	}
	switch x.Activations {
	case "int8":
		o.Activations = model.Int8
	case "uint8":
		o.Activations = model.Uint8
	}
	return o
}

// Fits implements part.GraphFitter.
func (x onnx) Fits(g *nn.Graph) error { return explained(exporter.Check(g, x.options(g.Form()))) }

// explained puts the errors of nodes into one: the first ones by name.
func explained(err error) error {
	var all interface{ Unwrap() []error }
	if !errors.As(err, &all) {
		return err
	}
	list := all.Unwrap()
	var first *nn.NodeError
	if len(list) < 2 || !errors.As(list[0], &first) {
		return err
	}
	var same []string
	for _, e := range list[1:] {
		if n := (*nn.NodeError)(nil); errors.As(e, &n) && n.Err.Error() == first.Err.Error() {
			same = append(same, n.Node)
		}
	}
	switch n := len(same); {
	case n > 3:
		return fmt.Errorf("%w (so it is at %s and at %d other nodes)", first, same[0], n-1)
	case n > 0:
		return fmt.Errorf("%w (so it is at %s)", first, strings.Join(same, ", "))
	}
	return err
}

// Export implements part.Exporter.
func (x onnx) Export(e *part.Export) error {
	o := x.options(e.Model.Form())
	o.Version = e.Version
	var err error
	if o.Metadata, err = metadata(e, o.Format); err != nil {
		return err
	}
	m, _, err := exporter.Model(e.Model, o)
	if err != nil {
		return explained(err)
	}
	data, err := m.Bytes()
	if err != nil {
		return err
	}
	return e.Write(x.File, data)
}

// metadata says where the model comes from, and what images it wants, in the JSON of a checkpoint's metadata.
func metadata(e *part.Export, f exporter.Format) ([]model.Entry, error) {
	list := []model.Entry{{Key: "qpipe.version", Value: e.Version}}
	text := func(key, value string) {
		if value != "" {
			list = append(list, model.Entry{Key: "qpipe." + key, Value: value})
		}
	}
	text("pipeline", e.Pipeline)
	text("stage", e.Stage)
	text("format", string(f))
	text("form", string(e.Model.Form()))
	text("qat_mode", string(e.Model.Mode()))
	text("target", string(e.Model.Target()))
	var errs []error
	add := func(key string, v any) {
		b, err := json.Marshal(v)
		errs = append(errs, err)
		text(key, string(b))
	}
	if len(e.Metrics) > 0 {
		add("metrics", e.Metrics)
	}
	inputs := slices.Clone(e.Inputs)
	for i := range inputs {
		inputs[i].Layout = "NCHW" // of the model's inputs
	}
	if len(inputs) > 0 {
		add("preprocessing", inputs[0])
	}
	if len(inputs) > 1 {
		add("more_preprocessing", inputs[1:])
	}
	if len(e.Classes) > 0 {
		add("classes", e.Classes[0])
	}
	if len(e.Classes) > 1 {
		add("more_classes", e.Classes[1:])
	}
	return list, errors.Join(errs...)
}
