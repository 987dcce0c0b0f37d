package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"qpipe/ops/arith"

	"qpipe/interp/artifact"
	"qpipe/interp/checkpoint"
	"qpipe/interp/eval"
	"qpipe/interp/part"
	"qpipe/interp/predict"
	"qpipe/interp/runs"
	"qpipe/interp/survey"
	"qpipe/interp/view"
	"qpipe/ops/convbn"
	"qpipe/ops/curve"
	"qpipe/ops/kernel"
	"qpipe/ops/layer"
	"qpipe/ops/move"
	"qpipe/ops/nn"
	"qpipe/ops/norm"
	"qpipe/ops/op"
	"qpipe/ops/quant"
	"qpipe/ops/tensor"
)

// TestFormatPage: docs/format.md names every key, field and tensor that files
// have, and none that they do not have.
func TestFormatPage(t *testing.T) {
	page := readPage(t)
	files := [][]byte{}
	for _, g := range allForms(t) {
		files = append(files, encode(t, g))
	}
	meta, structure, tensors := keys{}, keys{}, keys{}
	for i, data := range files {
		header := headerOf(t, data)
		texts := header["__metadata__"].(map[string]any)
		for key, text := range texts {
			meta[key] = true
			switch key {
			case "structure":
				structure.collect(t, text.(string))
			case "preprocessing", "more_preprocessing", "absorbed", "position":
				meta.collect(t, text.(string))
			}
		}
		delete(header, "__metadata__")
		for name, v := range header {
			tensors[page.rowOf(t, allForms(t)[i], name, v.(map[string]any)["dtype"].(string))] = true
		}
	}
	structure.collect(t, string(twoOutputs(t).Structure()))
	for _, op := range nn.Ops() {
		if !strings.Contains(page["Structure"], "`"+op+"`") {
			t.Errorf("docs/format.md does not name the op %s", op)
		}
	}
	page.same(t, "Metadata", meta)
	page.same(t, "Structure", structure)
	page.same(t, "Tensors", tensors)
	manifest := keys{}
	manifest.fields(reflect.TypeFor[runs.Manifest]())
	page.same(t, "A run's folder", manifest)
	dump := keys{}
	dump.fields(reflect.TypeFor[artifact.DumpIndex]())
	page.same(t, "A dump", dump)
	network := keys{}
	network.fields(reflect.TypeFor[view.NetworkItem]())
	page.same(t, "A network as JSON", network)
	data := keys{}
	data.fields(reflect.TypeFor[survey.Survey]())
	page.same(t, "A data set as JSON", data)
	evaluation := keys{}
	evaluation.fields(reflect.TypeFor[eval.Report]())
	page.same(t, "An evaluation as JSON", evaluation)
	predictions := keys{}
	predictions.fields(reflect.TypeFor[predict.Report]())
	page.same(t, "Predictions as JSON", predictions)
}

// twoOutputs is a network with two outputs.
func twoOutputs(t *testing.T) *nn.Graph {
	t.Helper()
	b := nn.NewBuilder(tensor.Shape{H: 4, W: 4, C: 1})
	x := b.Conv("a", b.Input(), convbn.Conv{OutC: 2, Kernel: [2]int{1, 1}})
	g, err := b.Graph(x, b.Linear("b", x, 3, true))
	must(t, err)
	return g
}

// keys are the names that were found in files.
type keys map[string]bool

// collect adds the names of all fields in a JSON text.
func (k keys) collect(t *testing.T, text string) {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	k.walk(v)
}

func (k keys) walk(v any) {
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			k.walk(x)
		}
	case map[string]any:
		for name, x := range v {
			k[name] = true
			k.walk(x)
		}
	}
}

// fields adds the JSON names of a struct's fields, and of those that it holds.
func (k keys) fields(t reflect.Type) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return
	}
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if t.Field(i).Anonymous && name == "" {
			continue // its fields belong to the outer struct, and those of an entry are already there
		}
		if !k[name] {
			k[name] = true
			k.fields(t.Field(i).Type)
		}
	}
}

// formatPage is docs/format.md by its sections.
type formatPage map[string]string

func readPage(t *testing.T) formatPage {
	t.Helper()
	text, err := os.ReadFile("docs/format.md")
	if err != nil {
		t.Fatal(err)
	}
	p := formatPage{}
	for _, section := range strings.Split(string(text), "\n## ")[1:] {
		title, body, _ := strings.Cut(section, "\n")
		p[title] = body
	}
	return p
}

var quoted = regexp.MustCompile("`([^`]+)`")

// same compares the names in a section with those found: every name that was found is somewhere in the section as code,
// and every name in the first column of a table was found.
func (p formatPage) same(t *testing.T, section string, found keys) {
	t.Helper()
	named := keys{}
	for _, m := range quoted.FindAllStringSubmatch(p[section], -1) {
		named[m[1]] = true
	}
	for _, key := range slices.Sorted(maps.Keys(found)) {
		if !named[key] {
			t.Errorf("docs/format.md, %q does not describe `%s`", section, key)
		}
	}
	for line := range strings.Lines(p[section]) {
		cells := strings.Split(line, "|")
		if len(cells) < 3 || strings.Contains(cells[1], "/") {
			continue
		}
		for _, m := range quoted.FindAllStringSubmatch(cells[1], -1) {
			if !found[m[1]] && !strings.Contains(m[1], ".json") && m[1] != "lock" {
				t.Errorf("docs/format.md, %q describes `%s`, which no file has", section, m[1])
			}
		}
	}
}

// rowOf finds the row of a tensor in the table: X stands for its node, B for its BN.
func (p formatPage) rowOf(t *testing.T, g *nn.Graph, name, dtype string) string {
	t.Helper()
	row := name
	for _, m := range g.Modules() {
		if rest, ok := strings.CutPrefix(name, m.BN+"."); ok && m.BN != "" && !strings.HasPrefix(rest, "act_") && g.Form() != nn.Quantized {
			row = "B." + rest
		} else if rest, ok := strings.CutPrefix(name, m.Name+"."); ok {
			row = "X." + rest
		}
	}
	if !strings.Contains(p["Tensors"], "| `"+row+"` | "+dtype+" |") {
		t.Errorf("docs/format.md has no row for the tensor `%s` (%s) of dtype %s", row, name, dtype)
	}
	return row
}

type wide struct{}

func (wide) Range(_ []float32, lo, hi float32, _ quant.Spec) (float32, float32) { return lo, hi }
func (wide) Averaging() float32                                                 { return 1 }
func (wide) Fixed() bool                                                        { return false }

// allForms are a small network with every op in all its forms.
func allForms(t *testing.T) []*nn.Graph {
	t.Helper()
	build := func() *nn.Graph {
		b := nn.NewBuilder(tensor.Shape{H: 8, W: 8, C: 2})
		x := b.BatchNorm("n0", b.MaxPool("mp", b.Input(), op.PoolArgs{Kernel: [2]int{2, 2}}), 0, 0)
		d := b.MaxPool("md", b.Input(), op.PoolArgs{Kernel: [2]int{2, 2}, Dilation: [2]int{2, 2}, Padding: [2]int{1, 1}})
		c := b.AvgPool("ac", b.Input(), op.PoolArgs{Kernel: [2]int{3, 3}, Stride: [2]int{2, 2}, Ceil: true, CountIncludePad: true})
		y := b.BatchNorm("n1", b.Conv("c1", x, convbn.Conv{OutC: 2, Kernel: [2]int{3, 3}, Padding: [2]int{1, 1}, Bias: true}), 0, 0)
		y = b.Act("r1", b.Add("a1", y, x), kernel.ReLU6)
		y = b.Apply("m", arith.Mul{}, y, b.GlobalAvgPool("g", b.Apply("h", curve.Pointwise{Function: "hard_swish"}, y)))
		y = b.Apply("larger", arith.Max{}, y, b.Apply("smaller", arith.Min{}, y, b.Apply("less", arith.Sub{}, y, x)))
		y = b.Apply("scale", arith.Scale{Begin: 0.5, Bias: true}, y)
		for i, o := range []layer.Op{
			op.Softmax{Axis: 2},
			op.LogSoftmax{},
			op.Dropout{P: 0.3},
			norm.GroupNorm{Groups: 2, Affine: true},
			norm.LayerNorm{Whole: true, Affine: true},
			op.DeQuantStub{},
			op.QuantStub{},
			move.Pad{After: [3]int{0, 0, 2}},
			move.Slice{End: [3]int{0, 0, 2}},
			move.ChannelShuffle{Groups: 2},
			move.Transpose{Order: [3]int{1, 0, 2}},
			move.PixelUnshuffle{Factor: 2},
			move.PixelShuffle{Factor: 2},
			move.Reshape{Height: 2, Width: 8, Channels: 2},
			move.ResizeNearest{Sampling: move.Sampling{Scale: [2]float32{2, 0.5}}},
			op.AdaptiveAvgPool{Size: [2]int{3, 3}},
			op.AdaptiveMaxPool{Size: [2]int{2, 2}},
			move.ResizeBilinear{Sampling: move.Sampling{Size: [2]int{4, 4}}},
		} {
			y = b.Apply(fmt.Sprintf("move%d", i), o, y)
		}
		for _, p := range []curve.Pointwise{
			{Function: "leaky_relu"}, {Function: "elu"}, {Function: "hard_sigmoid"}, {Function: "clip", Args: map[string]float64{"min": -1, "max": 2}},
		} {
			y = b.Apply(p.Function, p, y)
		}
		y = b.Apply("prelu", curve.PReLU{PerChannel: true}, y)
		for _, f := range []string{"mean", "sum", "max"} {
			y = b.Apply("reduced_"+f, arith.Mul{}, y, b.Apply("reduce_"+f, op.Reduce{Function: f, Axes: [3]bool{true, false, true}}, y))
		}
		u := b.ConvTranspose("ct", b.MaxPool("ms", x, op.PoolArgs{Kernel: [2]int{2, 2}}), convbn.ConvTranspose{OutC: 2, Kernel: [2]int{1, 1}, Stride: [2]int{2, 2}, OutputPadding: [2]int{1, 1}})
		k := b.Concat("k", y, d, c, u, b.AvgPool("ap", x, op.PoolArgs{Kernel: [2]int{3, 3}, Stride: [2]int{1, 1}, Padding: [2]int{1, 1}, CountIncludePad: true}))
		g, err := b.Graph(b.Linear("fc", b.Flatten("f", k), 3, true))
		if err != nil {
			t.Fatal(err)
		}
		g.Init(1)
		return g
	}
	q := nn.Quant{Spec: quant.Spec{DType: quant.Int8, PerChannel: true, Narrow: true}}
	a := nn.Quant{Spec: quant.Spec{DType: quant.UInt8, Scheme: quant.Affine}, Observer: wide{}}
	graphs := []*nn.Graph{build()}
	for _, f := range []nn.Form{nn.Calibration, nn.QAT} {
		g := build()
		if f == nn.QAT {
			g.LabelOutputs([]string{"class"})
			must(t, g.SetTarget(nn.TFLite))
		}
		g.SetQConfig(func(nn.Module) nn.QConfig { return nn.QConfig{Activation: a, Weight: q} })
		if err := g.Prepare(f, nn.WithBN); err != nil {
			t.Fatal(err)
		}
		for _, ts := range g.Tensors() {
			if strings.HasSuffix(ts.Name, ".min_max") {
				ts.Data = []float32{-1, 2}
				if err := g.SetTensor(ts); err != nil {
					t.Fatal(err)
				}
			}
		}
		graphs = append(graphs, g)
	}
	int8, err := graphs[1].Convert()
	if err != nil {
		t.Fatal(err)
	}
	qat := graphs[2]
	if err := qat.FreezeBN([]string{"n0"}); err != nil {
		t.Fatal(err)
	}
	absorbed := qat.Clone()
	if err := absorbed.ReplayAbsorbed([]nn.Absorbed{{Node: "c1", BN: "n1", Recompute: true, Frozen: true}}); err != nil {
		t.Fatal(err)
	}
	return append(graphs, absorbed, int8)
}

func encode(t *testing.T, g *nn.Graph) []byte {
	t.Helper()
	in, numbers := part.InputSpec{Shape: g.Input(), Mean: []float32{0.1}}, part.InputSpec{Name: "depth", Shape: g.Input(), Numbers: true}
	in.Shape.C = 3
	in.Steps = []part.Step{{Op: part.Resize, Size: []int{9}, Interpolation: "bilinear"}}
	data, err := artifact.Encode(&checkpoint.Snapshot{
		Form: g.Form(), Structure: g.Structure(), Model: g.Tensors(), Inputs: part.Spec{Inputs: []part.InputSpec{in, numbers}}.Preprocessing(),
		Absorbed: []checkpoint.Absorption{{}}, Classes: [][]string{{"a"}, {"b"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func headerOf(t *testing.T, data []byte) map[string]any {
	t.Helper()
	var header map[string]any
	if err := json.Unmarshal(data[8:8+binary.LittleEndian.Uint64(data)], &header); err != nil {
		t.Fatal(err)
	}
	return header
}
