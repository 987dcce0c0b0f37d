package netfile

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"qpipe/interp/checkpoint"
	"qpipe/interp/part"
	"qpipe/onnx/exporter"
	"qpipe/onnx/importer"
	"qpipe/onnx/model"
	"qpipe/ops/engine"
	"qpipe/ops/kernel/sets"
	"qpipe/ops/nn"
	"qpipe/ops/quant"
	"qpipe/ops/tensor"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// imported is the network of a file, for images of 28×28.
func imported(t *testing.T, path string) *importer.Net {
	t.Helper()
	m, err := model.Read(path, model.Usual())
	must(t, err)
	net, err := importer.Build(m, []tensor.Shape{{H: 28, W: 28, C: 1}}, importer.Options{})
	must(t, err)
	return net
}

// prepared is that network for QAT, with other weights.
func prepared(t *testing.T, path string, activation quant.Spec) *nn.Graph {
	t.Helper()
	g := imported(t, path).Graph
	g.Init(7)
	must(t, g.SetTarget(nn.ONNXRuntime))
	weight := quant.Spec{DType: quant.Int8, PerChannel: true, Narrow: true}
	g.SetQConfig(func(nn.Module) nn.QConfig {
		return nn.QConfig{Activation: nn.Quant{Spec: activation, Observer: given{}}, Weight: nn.Quant{Spec: weight}}
	})
	must(t, g.Prepare(nn.QAT, nn.FuseBN))
	return g
}

// TestQuantized: a file that ONNX Runtime has quantized becomes an int8 model without any calibration: its scales and zero points are the
// file's, and so are its integers at the output, for all images that ONNX Runtime has computed.
func TestQuantized(t *testing.T) {
	for _, name := range []string{"quantized_qdq", "quantized_qoperator"} {
		t.Run(name, func(t *testing.T) {
			path := "../../testdata/onnx/" + name + ".onnx"
			g := prepared(t, path, quant.Spec{DType: quant.Int8, Scheme: quant.Affine})
			int8 := converted(t, g, path)
			scales := grids(t, int8)
			compared := 0
			for _, f := range imported(t, path).Grids {
				at := int8.Place(f.Node)
				if at < 0 || output(int8.Modules()[at]) != f.Node || !int8.Modules()[at].HasQuant {
					continue
				}
				compared++
				if node := int8.Modules()[at].Name; scales[node] != [2]float64{f.Scale, float64(f.Zero)} {
					t.Errorf("%s has the grid %v, in the file %v, %v", node, scales[node], f.Scale, f.Zero)
				}
			}
			if compared < 7 { // the global average has its grid behind an activation
				t.Errorf("%d grids were compared", compared)
			}
			same(t, int8, name, scales["fc"][0])
		})
	}
}

// grids are the scale and zero point of each node of an int8 model.
func grids(t *testing.T, g *nn.Graph) map[string][2]float64 {
	t.Helper()
	list := map[string][2]float64{}
	for _, x := range g.Tensors() {
		if node, ok := strings.CutSuffix(x.Name, ".act_scale"); ok {
			list[node] = [2]float64{float64(x.Data.([]float32)[0]), list[node][1]}
		}
		if node, ok := strings.CutSuffix(x.Name, ".act_zero_point"); ok {
			list[node] = [2]float64{list[node][0], float64(x.Data.([]int32)[0])}
		}
	}
	if len(list) < 8 {
		t.Errorf("%d nodes have a grid", len(list))
	}
	return list
}

// same compares the logits with those of ONNX Runtime, in steps of the last grid.
func same(t *testing.T, g *nn.Graph, name string, step float64) {
	t.Helper()
	text, err := os.ReadFile("../../testdata/onnx/" + name + ".json")
	must(t, err)
	var want [][]float64
	must(t, json.Unmarshal(text, &want))
	x := make([]float32, 0, 8*28*28)
	for j := range 8 {
		for i := range 28 * 28 {
			x = append(x, float32(float64((i*i*7+i*j)%251)/127.5-1))
		}
	}
	set, err := sets.ByName("")
	must(t, err)
	workers := engine.NewWorkers(1)
	t.Cleanup(workers.Close)
	e, err := engine.Compile(g, 8, false, set, workers)
	must(t, err)
	got := e.ForwardAll([][]float32{x}, 8, engine.Eval)[0]
	off := 0
	for i, w := range slices.Concat(want...) {
		if d := math.Abs(float64(got[i])-w) / step; d > 0.01 {
			off++
		}
	}
	if off > 0 {
		t.Errorf("%d of %d logits differ", off, len(got))
	}
}

// TestOtherwise: where the qconfig does not have the file's grid, the snapshot says what the file has, and the range is that of its codes.
func TestOtherwise(t *testing.T) {
	path := "../../testdata/onnx/quantized_qdq.onnx"
	g := prepared(t, path, quant.Spec{DType: quant.Int8})
	s, err := Read(path, g, part.LoadOptions{})
	must(t, err)
	was, err := nn.Restore(s.Structure)
	must(t, err)
	differ := map[string]string{}
	for _, d := range g.QuantizedOtherwise(was) {
		differ[d.Node] = d.Attr + " " + d.Was
	}
	if len(differ) != 8 || differ["stem.0"] != "activation.scheme affine" {
		t.Errorf("what differs: %v", differ)
	}
	for _, x := range s.Model {
		if x.Name == "stem.0.act_quant.min_max" {
			if r := x.Data.([]float32); r[0] != 0 || math.Abs(float64(r[1])-255*0.013220096938312054) > 1e-6 {
				t.Errorf("the range of stem.0 is %v", r)
			}
		}
	}
}

// TestFloat: of a file whose network cannot be made its float weights are known by their names, and a float model gets the weights of a
// quantized file.
func TestFloat(t *testing.T) {
	s, err := Read("../../testdata/onnx/quantized_qdq.onnx", imported(t, "../../testdata/onnx/quantized_qdq.onnx").Graph, part.LoadOptions{})
	must(t, err)
	if names := names(s); s.Form != nn.Float || !slices.Contains(names, "fc.weight") || len(names) != 10 {
		t.Errorf("%s: %v", s.Form, names)
	}
	m := &model.Model{IRVersion: 8, Opsets: map[string]int64{"": 17}, Graph: &model.Graph{
		Name: "g", Inputs: []*model.Value{{Name: "x", Type: model.Float}}, Outputs: []*model.Value{{Name: "y", Type: model.Float}},
		Initializers: []*model.Tensor{model.OfFloats("fc.weight", model.Float, []int{2, 3}, []float64{1, 2, 3, 4, 5, 6}), model.OfInts("axes", model.Int64, []int{1}, []int64{1})},
		Nodes:        []*model.Node{{Op: "MatMul", Inputs: []string{"x", "fc.weight"}, Outputs: []string{"z"}}, {Op: "NonZero", Inputs: []string{"z"}, Outputs: []string{"y"}}},
	}}
	path := filepath.Join(t.TempDir(), "odd.ONNX")
	data, err := m.Bytes()
	must(t, err)
	must(t, os.WriteFile(path, data, 0o600))
	if s, err = Read(path, nil, part.LoadOptions{}); err != nil || len(s.Model) != 1 || !Is(path) {
		t.Fatalf("%v, %v", s, err)
	}
	if w := s.Model[0]; w.Name != "fc.weight" || !slices.Equal(w.Shape, []int{3, 2}) || !slices.Equal(w.Data.([]float32), []float32{1, 4, 2, 5, 3, 6}) {
		t.Errorf("%+v", w)
	}
}

// TestUnread: of a quantized file whose network cannot be made nothing is read, and the error says what is in the way.
func TestUnread(t *testing.T) {
	m, err := model.Read("../../testdata/onnx/quantized_qdq.onnx", model.Usual())
	must(t, err)
	last := m.Graph.Outputs[0]
	m.Graph.Nodes = append(m.Graph.Nodes, &model.Node{Name: "odd", Op: "NonZero", Inputs: []string{last.Name}, Outputs: []string{"odd"}})
	m.Graph.Outputs = []*model.Value{{Name: "odd"}}
	path := filepath.Join(t.TempDir(), "odd.onnx")
	data, err := m.Bytes()
	must(t, err)
	must(t, os.WriteFile(path, data, 0o600))
	if _, err := Read(path, nil, part.LoadOptions{}); err == nil || !strings.Contains(err.Error(), "NonZero") {
		t.Errorf("%v", err)
	}
}

func names(s *checkpoint.Snapshot) (list []string) {
	for _, x := range s.Model {
		list = append(list, x.Name)
	}
	return list
}

// TestBeside: the files of an external model are known, so that a stage depends on them.
func TestBeside(t *testing.T) {
	names, err := Beside("../../testdata/onnx/beside.onnx")
	must(t, err)
	if !slices.Equal(names, []string{"weights.bin"}) {
		t.Errorf("%v", names)
	}
}

// TestBack: an int8 model that qpipe has exported comes back with every scale, weight and bias (of a linear layer as those of a 1×1 convolution).
func TestBack(t *testing.T) {
	path, spec := "../../testdata/onnx/quantized_qdq.onnx", quant.Spec{DType: quant.Int8, Scheme: quant.Affine}
	for _, form := range []exporter.Format{exporter.QDQ, exporter.QOperator} {
		first := converted(t, prepared(t, path, spec), path)
		m, _, err := exporter.Model(first, exporter.Options{Format: form, Opset: 17})
		must(t, err)
		data, err := m.Bytes()
		must(t, err)
		file := filepath.Join(t.TempDir(), "back.onnx")
		must(t, os.WriteFile(file, data, 0o600))
		back := converted(t, prepared(t, file, spec), file)
		want := map[string]nn.Tensor{}
		for _, x := range first.Tensors() {
			want[x.Name] = x
		}
		if have := back.Tensors(); len(have) != len(want) {
			t.Errorf("%v: %d tensors, want %d", form, len(have), len(want))
		}
		for _, x := range back.Tensors() {
			if !reflect.DeepEqual(x.Data, want[x.Name].Data) {
				t.Errorf("%v: %s is %v, want %v", form, x.Name, x.Data, want[x.Name].Data)
			}
		}
	}
}

// converted is the int8 model of a file.
func converted(t *testing.T, g *nn.Graph, path string) *nn.Graph {
	t.Helper()
	s, err := Read(path, g, part.LoadOptions{})
	must(t, err)
	_, err = checkpoint.Load(g, s, part.LoadOptions{})
	must(t, err)
	if none := g.Unobserved(); len(none) > 0 {
		t.Fatalf("no range is known of %v", none)
	}
	int8, err := g.Convert()
	must(t, err)
	return int8
}
