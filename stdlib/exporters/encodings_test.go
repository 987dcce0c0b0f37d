package exporters

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"qpipe/interp/part"
	"qpipe/ops/convbn"
	"qpipe/ops/kernel"
	"qpipe/ops/nn"
	"qpipe/ops/op"
	"qpipe/ops/quant"
	"qpipe/ops/tensor"
)

type fixed struct{ lo, hi float32 }

func (f fixed) Range([]float32, float32, float32, quant.Spec) (float32, float32) { return f.lo, f.hi }
func (fixed) Averaging() float32                                                 { return 1 }
func (fixed) Fixed() bool                                                        { return true }

// network is one of three convolutions, quantized by the specs; its logits are float32.
func network(t *testing.T, act, weight quant.Spec) *nn.Graph {
	t.Helper()
	b := nn.NewBuilder(tensor.Shape{H: 6, W: 6, C: 2})
	x := b.Conv("a.conv", b.Input(), convbn.Conv{OutC: 3, Kernel: [2]int{3, 3}})
	x = b.Act("a.relu", b.BatchNorm("a.bn", x, 0, 0), kernel.ReLU)
	x = b.MaxPool("pool", x, op.PoolArgs{Kernel: [2]int{2, 2}, Stride: [2]int{2, 2}})
	g, err := b.Graph(b.Linear("fc", x, 2, true))
	must(t, err)
	g.Init(1)
	g.SetQConfig(func(m nn.Module) nn.QConfig {
		c := nn.QConfig{Activation: nn.Quant{Spec: act, Observer: fixed{-0.3, 1.7}}, Weight: nn.Quant{Spec: weight, Observer: fixed{-1, 1}}}
		if m.Name == "fc" {
			c.Activation = nn.Quant{}
		}
		return c
	})
	must(t, g.Prepare(nn.QAT, nn.WithBN))
	c, err := g.Convert()
	must(t, err)
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// simulate quantizes as a reader of the format does: codes count from 0.
func simulate(x float64, e encoding) float64 {
	code := math.RoundToEven(x / *e.Scale) - float64(*e.Offset)
	code = max(min(code, math.Ldexp(1, e.Bitwidth)-1), 0)
	return (code + float64(*e.Offset)) * *e.Scale
}

// TestEncodings: whoever quantizes by the encodings gets the values of the int8 model, for every type of codes, and its weights stay as
// they are. The layout is that of the specification.
func TestEncodings(t *testing.T) {
	int8 := quant.Spec{DType: quant.Int8, PerChannel: true, Narrow: true}
	for _, c := range []struct{ act, weight quant.Spec }{
		{quant.Spec{DType: quant.Int8}, int8},
		{quant.Spec{DType: quant.Int8, Scheme: quant.Affine}, quant.Spec{DType: quant.Int8, Narrow: true}},
		{quant.Spec{DType: quant.UInt8, Scheme: quant.Affine}, int8},
		{quant.Spec{DType: quant.UInt8}, int8},
		{quant.Spec{DType: quant.Int4, Scheme: quant.Affine}, quant.Spec{DType: quant.Int4, PerChannel: true, Narrow: true}},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			g := network(t, c.act, c.weight)
			e := exported(t, g)
			if e.Version != "0.6.1" || len(e.Activations) != 4 || len(e.Params) != 2 {
				t.Errorf("version %s, %d activations, %d parameters", e.Version, len(e.Activations), len(e.Params))
			}
			scale, zero := c.act.Scale(-0.3, 1.7)
			for _, name := range []string{"input", "a.relu", "pool"} {
				a := e.Activations[name][0]
				if want := fmt.Sprint(c.act.DType.Bits()); fmt.Sprint(a.Bitwidth) != want || a.DType != "int" || (a.Symmetric == "True") != (c.act.Scheme == quant.Symmetric) {
					t.Errorf("%s: %+v", name, a)
				}
				for k := range 600 {
					x := (float32(k-300) + 0.3) * scale // no tie
					if got, want := simulate(float64(x), a), float64(quant.Fake(x, c.act.Params(scale, zero))); math.Abs(got-want) > 1e-5 || got < *a.Min-1e-6 || got > *a.Max+1e-6 {
						t.Fatalf("%s: %g becomes %g, and in the model %g", name, x, got, want)
					}
				}
			}
			if a := e.Activations["fc"]; len(a) != 1 || a[0].DType != "float" || a[0].Bitwidth != 32 || a[0].Scale != nil {
				t.Errorf("the logits: %+v", a)
			}
			weights(t, g, e, c.weight)
		})
	}
}

func exported(t *testing.T, g *nn.Graph) (e encodings) {
	t.Helper()
	x, err := NewEncodings(EncodingsDefaults())
	must(t, err)
	must(t, x.Export(&part.Export{Model: g, Write: func(name string, data []byte) error {
		d := json.NewDecoder(bytes.NewReader(data))
		d.DisallowUnknownFields()
		if !slices.Contains(x.Files(), name) || strings.Count(string(data), `"is_symmetric"`) < 4 {
			t.Errorf("%s: %s", name, data)
		}
		return d.Decode(&e)
	}}))
	return e
}

// weights holds the parameters' encodings against the int8 model's weights.
func weights(t *testing.T, g *nn.Graph, e encodings, spec quant.Spec) {
	t.Helper()
	tensors := map[string]nn.Tensor{}
	for _, x := range g.Tensors() {
		tensors[x.Name] = x
	}
	for name, list := range e.Params {
		codes, scales := tensors[name].Data.([]int8), tensors[name+"_scale"].Data.([]float32)
		if want := map[bool]int{true: len(scales), false: 1}[spec.PerChannel]; len(list) != want {
			t.Errorf("%s has %d encodings, want %d", name, len(list), want)
		}
		for i, code := range codes {
			channel := i / (len(codes) / len(scales))
			v, of := float64(code)*float64(scales[channel]), list[min(channel, len(list)-1)]
			if got := simulate(v, of); math.Abs(got-v) > 1e-9 || of.Symmetric != "True" || of.Bitwidth != spec.DType.Bits() {
				t.Fatalf("%s[%d] = %g becomes %g by %+v", name, i, v, got, of)
			}
		}
	}
	if q := e.Quantizers; (q.PerChannel == "True") != spec.PerChannel || q.ParamBitwidth != spec.DType.Bits() || q.Symmetric != "True" || q.Scheme != "post_training_tf" {
		t.Errorf("%+v", q)
	}
}

// TestFits: a model whose scales are not final is refused before the run.
func TestFits(t *testing.T) {
	b := nn.NewBuilder(tensor.Shape{H: 1, W: 1, C: 2})
	g, err := b.Graph(b.Linear("fc", b.Input(), 2, true))
	must(t, err)
	if err := (encodingsExporter{}).Fits(g); err == nil || !strings.Contains(err.Error(), "QAT2Quantize") {
		t.Error(err)
	}
	if err := (encodingsExporter{}).Fits(network(t, quant.Spec{DType: quant.Int8}, quant.Spec{DType: quant.Int8, Narrow: true})); err != nil {
		t.Error(err)
	}
}
