package exporters

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/bits"
	"slices"

	"qpipe/interp/part"
	"qpipe/ops/kernel"
	"qpipe/ops/nn"
	"qpipe/ops/quant"
)

// EncodingsArgs are the arguments of Encodings.
type EncodingsArgs struct {
	File string `arg:"file,optional" doc:"Name of the file in the stage's folder."`
}

// EncodingsDefaults returns Encodings' defaults.
func EncodingsDefaults() EncodingsArgs { return EncodingsArgs{File: "model.encodings"} }

// encodings is the content of the file, in the layout of AIMET's version 0.6.1 (its "Quantization encoding
// specification"). Maps are written sorted by name.
type encodings struct {
	Activations map[string][]encoding `json:"activation_encodings"`
	Params      map[string][]encoding `json:"param_encodings"`
	Quantizers  quantizers            `json:"quantizer_args"`
	Version     string                `json:"version"`
}

// encoding says how a tensor, or one of its channels, is quantized: a value is (code + offset)·scale, where codes count
// from 0. Of a tensor in float32 only the first two fields are there.
type encoding struct {
	Bitwidth  int      `json:"bitwidth"`
	DType     string   `json:"dtype"`
	Symmetric string   `json:"is_symmetric,omitempty"`
	Max       *float64 `json:"max,omitempty"`
	Min       *float64 `json:"min,omitempty"`
	Offset    *int32   `json:"offset,omitempty"`
	Scale     *float64 `json:"scale,omitempty"`
}

// quantizers says what most tensors have.
type quantizers struct {
	ActivationBitwidth int    `json:"activation_bitwidth"`
	DType              string `json:"dtype"`
	Symmetric          string `json:"is_symmetric"` // of the parameters
	ParamBitwidth      int    `json:"param_bitwidth"`
	PerChannel         string `json:"per_channel_quantization"`
	Scheme             string `json:"quant_scheme"`
}

type encodingsExporter struct{ file string }

// NewEncodings returns the exporter of AIMET's encodings.
func NewEncodings(a EncodingsArgs) (part.Exporter, error) { return encodingsExporter{a.File}, nil }

// Files implements part.Exporter.
func (x encodingsExporter) Files() []string { return []string{x.file} }

// Fits implements part.GraphFitter: scales are final when the model is in int8.
func (encodingsExporter) Fits(g *nn.Graph) error {
	if g.Form() != nn.Quantized {
		return fmt.Errorf("it writes the encodings of an int8 model, and the stage leaves a %s model: export in the stage with QAT2Quantize", g.Form())
	}
	return nil
}

// Export implements part.Exporter.
func (x encodingsExporter) Export(e *part.Export) error {
	out := encodings{activations(e.Model), params(e.Model), quantizers{}, "0.6.1"}
	out.Quantizers = out.most()
	text, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		return err
	}
	return e.Write(x.file, append(text, '\n'))
}

// activations returns the encodings of all nodes' outputs. A tensor is called like the layer that writes it: of a
// convolution with a BN and an activation, the activation.
func activations(g *nn.Graph) map[string][]encoding {
	list := map[string][]encoding{}
	nodes, _ := g.Nodes()
	for i, m := range g.Modules() {
		list[m.Members[len(m.Members)-1]] = []encoding{activation(g, &nodes[i].Quant, i)}
	}
	return list
}

// activation returns the encoding of the output of node i, whose quant node is q.
func activation(g *nn.Graph, q *quant.Node, i int) encoding {
	f, ok := g.Format(i)
	if !ok && q.Spec.DType == quant.Int16 {
		scale, zero := q.Scale()
		f, ok = q.Spec.Params(scale, zero), true
	}
	if !ok {
		return float()
	}
	below, above := f.Zero-f.Min, f.Max-f.Zero
	return encode(f, max(below-above, above-below) <= 1)
}

// float returns the encoding of a tensor in float32.
func float() encoding { return encoding{Bitwidth: 32, DType: "float"} }

// params returns the encodings of all weights: one for each output channel, or one for the tensor.
func params(g *nn.Graph) map[string][]encoding {
	tensors, list := map[string]nn.Tensor{}, map[string][]encoding{}
	for _, t := range g.Tensors() {
		tensors[t.Name] = t
	}
	for _, m := range g.Modules() {
		if !m.HasWeight {
			continue
		}
		name, spec := m.Name+".weight", m.QConfig.Weight.Spec
		scales, ok := tensors[name+"_scale"].Data.([]float32)
		if !ok {
			list[name] = []encoding{float()}
			continue
		}
		if !spec.PerChannel && slices.Min(scales) == slices.Max(scales) {
			scales = scales[:1]
		}
		for _, scale := range scales {
			list[name] = append(list[name], encode(spec.Params(scale, 0), true))
		}
	}
	return list
}

// encode returns the encoding of a grid.
func encode(f kernel.Quant, symmetric bool) encoding {
	offset, scale := f.Min-f.Zero, float64(f.Scale)
	lo, hi := float64(offset)*scale, float64(f.Max-f.Zero)*scale
	return encoding{bits.Len32(uint32(f.Max - f.Min)), "int", truth(symmetric), &hi, &lo, &offset, &scale}
}

// truth is how the format writes a boolean.
func truth(v bool) string {
	if v {
		return "True"
	}
	return "False"
}

// most returns what most quantized tensors have in common.
func (e *encodings) most() quantizers {
	q := quantizers{DType: "int", Symmetric: "True", PerChannel: "False", Scheme: "post_training_tf"}
	q.ActivationBitwidth, q.ParamBitwidth = commonest(e.Activations), commonest(e.Params)
	for _, list := range e.Params {
		if len(list) > 1 {
			q.PerChannel = "True"
		}
	}
	return q
}

// commonest returns the bit width that most integer tensors have, 8 if there are none.
func commonest(tensors map[string][]encoding) int {
	count := map[int]int{}
	for _, list := range tensors {
		if list[0].DType == "int" {
			count[list[0].Bitwidth]++
		}
	}
	best := 8
	for _, width := range []int{4, 16, 8} {
		if count[width] >= cmp.Or(count[best], 1) {
			best = width
		}
	}
	return best
}
