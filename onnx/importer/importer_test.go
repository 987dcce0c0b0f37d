package importer

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"qpipe/internal/refvec"
	"qpipe/onnx/eval"
	"qpipe/onnx/model"
	onnxvalue "qpipe/onnx/value"
	"qpipe/ops/engine"
	"qpipe/ops/kernel/sets"
	"qpipe/ops/tensor"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// entry is a row of the folder's list.
type entry struct {
	Name, Model, Data string
	Input             []int `json:"input_shape"`
	Outputs           []string
	Tol               []float64
}

// TestModels: the networks of whole models compute what PyTorch computed.
func TestModels(t *testing.T) {
	dir := refvec.Folder(t, "onnx-models")
	text, err := os.ReadFile(filepath.Join(dir, "models.json"))
	must(t, err)
	var list struct{ Models []entry }
	must(t, json.Unmarshal(text, &list))
	for _, e := range list.Models {
		t.Run(e.Name, func(t *testing.T) {
			m, err := model.Read(filepath.Join(dir, e.Model), model.Usual())
			must(t, err)
			data, err := refvec.ReadNPZ(filepath.Join(dir, e.Data))
			must(t, err)
			n, c, h, w := e.Input[0], e.Input[1], e.Input[2], e.Input[3]
			net := built(t, m, tensor.Shape{H: h, W: w, C: c})
			x := refvec.NHWC(data["input"].Float32s(), n, c, h, w)
			for k, got := range forward(t, net, [][]float32{x}, n) {
				s := net.Graph.Outputs()[k].Shape
				if label := net.Graph.Outputs()[k].Label; len(e.Outputs) > 1 && label != e.Outputs[k] {
					t.Errorf("output %d is called %s, not %s", k, label, e.Outputs[k])
				}
				compare(t, refvec.NCHW(got, n, s.C, s.H, s.W), data[e.Outputs[k]].Float64s(), e.Tol[k])
			}
		})
	}
}

func built(t *testing.T, m *model.Model, in tensor.Shape) *Net {
	t.Helper()
	net, err := Build(m, []tensor.Shape{in}, Options{})
	must(t, err)
	net.Graph.Init(1)
	must(t, net.Graph.SetTensors(net.Weights))
	if have := net.Graph.Tensors(); len(have) != len(net.Weights) {
		t.Errorf("the network has %d tensors, and %d of them are the model's", len(have), len(net.Weights))
	}
	return net
}

func forward(t *testing.T, net *Net, x [][]float32, n int) [][]float32 {
	t.Helper()
	set, err := sets.ByName("")
	must(t, err)
	workers := engine.NewWorkers(1)
	t.Cleanup(workers.Close)
	e, err := engine.Compile(net.Graph, n, false, set, workers)
	must(t, err)
	return e.ForwardAll(x, n, engine.Eval)
}

func compare(t *testing.T, got []float32, want []float64, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d values, want %d", len(got), len(want))
	}
	worst := 0.0
	for i, v := range got {
		worst = max(worst, math.Abs(float64(v)-want[i]))
	}
	if !(worst <= tol) {
		t.Errorf("up to %g from the expected values, allowed are %g", worst, tol)
	}
}

// nodeTest is a row of ONNX's own tests.
type nodeTest struct {
	Set, Test, Op string
	Rtol, Atol    float64
	Note          string
	OnnxRuntime   string
}

// TestNodes: of ONNX's own tests of single nodes, those that a network can have give the expected values; the others are errors that
// say why. The first operand is the network's input and the others are weights; or all of them are inputs.
func TestNodes(t *testing.T) {
	dir := refvec.Folder(t, "onnx-node-tests")
	text, err := os.ReadFile(filepath.Join(dir, "index.json"))
	must(t, err)
	var list struct{ Tests []nodeTest }
	must(t, json.Unmarshal(text, &list))
	had := map[string]bool{}
	for _, e := range list.Tests {
		if e.OnnxRuntime == "disagree" {
			continue
		}
		for _, all := range []bool{false, true} {
			err := tried(t, filepath.Join(dir, e.Set, e.Test), e, all)
			if err == nil {
				had[e.Set+"/"+e.Test] = true
			} else if testing.Verbose() {
				t.Logf("%s/%s: %v", e.Set, e.Test, err)
			}
		}
	}
	t.Logf("%d of %d tests are networks", len(had), len(list.Tests))
	if len(had) < leastNodes {
		t.Errorf("only %d tests are networks", len(had))
	}
}

// leastNodes is how many of the tests were networks when this was written.
const leastNodes = 257

// tried builds the network of a test and compares; the error says why there is none.
func tried(t *testing.T, dir string, e nodeTest, all bool) error {
	m, err := model.Read(filepath.Join(dir, "model.onnx"), model.Usual())
	if err != nil {
		return err
	}
	read := func(name string) *model.Tensor {
		data, err := os.ReadFile(filepath.Join(dir, "test_data_set_0", name))
		must(t, err)
		x, err := model.ParseTensor(data)
		must(t, err)
		return x
	}
	var in []tensor.Shape
	var given [][]float32
	batch := 0
	var inputs []*model.Value
	for i, v := range m.Graph.Inputs {
		if slices.ContainsFunc(m.Graph.Initializers, func(x *model.Tensor) bool { return x.Name == v.Name }) {
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, "test_data_set_0", fmt.Sprintf("input_%d.pb", i))); err != nil {
			return fmt.Errorf("no data for input %d", i)
		}
		x := read(fmt.Sprintf("input_%d.pb", i))
		if i > 0 && !(all && x.Type == model.Float && len(x.Dims) == len(inputs[0].Shape)) {
			x.Name = v.Name
			m.Graph.Initializers = append(m.Graph.Initializers, x)
			continue
		}
		if x.Type != model.Float || len(x.Dims) < 2 || len(x.Dims) > 4 || i > 0 && x.Dims[0] != batch {
			return errors.New("its operands are no images")
		}
		inputs = append(inputs, v)
		batch = x.Dims[0]
		s := nhwcShape(x.Dims)
		in = append(in, s)
		given = append(given, refvec.NHWC(float32s(x), batch, s.C, s.H, s.W))
	}
	if all && len(in) < 2 {
		return errors.New("it has one operand")
	}
	net, err := Build(m, in, Options{})
	if err != nil {
		return err
	}
	net.Graph.Init(1)
	must(t, net.Graph.SetTensors(net.Weights))
	want := read("output_0.pb")
	if !want.Type.Float() {
		return errors.New("it gives no floats")
	}
	outs := forward(t, net, given, batch)
	s := net.Graph.Outputs()[0].Shape
	for _, m := range net.Graph.Modules() {
		if m.Name == net.Graph.Outputs()[0].Name {
			s = m.Map // a flattened map has the order of the map
		}
	}
	got := refvec.NCHW(outs[0], batch, s.C, s.H, s.W)
	for i, w := range want.Floats() {
		if i >= len(got) || math.Abs(float64(got[i])-w) > e.Atol+1e-6+e.Rtol*math.Abs(w) || len(got) != want.Len() {
			t.Errorf("%s/%s (%s, all %v): value %d of %d, want %g of %d", e.Set, e.Test, e.Op, all, i, len(got), w, want.Len())
			break
		}
	}
	return nil
}

// nhwcShape is how a network has the dimensions of a model.
func nhwcShape(dims []int) tensor.Shape {
	s := tensor.Shape{H: 1, W: 1, C: dims[1]}
	switch len(dims) {
	case 3:
		s.W = dims[2]
	case 4:
		s.H, s.W = dims[2], dims[3]
	}
	return s
}

func float32s(t *model.Tensor) []float32 {
	var out []float32
	for _, v := range t.Floats() {
		out = append(out, float32(v))
	}
	return out
}

// TestModules: the modules that PyTorch has exported, by both of its exporters, compute what PyTorch computed (tools/torchonnx).
func TestModules(t *testing.T) {
	var in struct {
		Shape []int
		Data  []float32
	}
	var outputs map[string][]float64
	for name, to := range map[string]any{"input": &in, "outputs": &outputs} {
		text, err := os.ReadFile("testdata/" + name + ".json")
		must(t, err)
		must(t, json.Unmarshal(text, to))
	}
	s := nhwcShape(in.Shape)
	x := refvec.NHWC(in.Data, 1, s.C, s.H, s.W)
	for name, want := range outputs {
		t.Run(name, func(t *testing.T) {
			m, err := model.Read("testdata/"+name+".onnx", model.Usual())
			must(t, err)
			net := built(t, m, s)
			out := net.Graph.Outputs()[0].Shape
			got := refvec.NCHW(forward(t, net, [][]float32{x}, 1)[0], 1, out.C, out.H, out.W)
			compare(t, got, want, 1e-5)
		})
	}
}

// TestNetworks: whole networks of torchvision, by both of PyTorch's exporters, compute what PyTorch computes. It needs a Python with torch,
// torchvision, onnx and onnxscript.
func TestNetworks(t *testing.T) {
	python := os.Getenv("QPIPE_PYTHON")
	if python == "" || exec.Command(python, "-c", "import torchvision, onnxscript").Run() != nil {
		t.Skip("QPIPE_PYTHON names no Python with torchvision and onnxscript")
	}
	dir := t.TempDir()
	cmd := exec.Command(python, "../../tools/torchonnx/export.py", "torchvision", dir)
	text, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	list, err := filepath.Glob(filepath.Join(dir, "*.json"))
	must(t, err)
	if len(list) < 20 {
		t.Errorf("%d networks were exported:\n%s", len(list), text)
	}
	for _, path := range list {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".json"), func(t *testing.T) { whole(t, strings.TrimSuffix(path, ".json")) })
	}
}

// whole compares a network with the numbers beside it.
func whole(t *testing.T, path string) {
	var about struct {
		Shape   []int
		Outputs int
	}
	text, err := os.ReadFile(path + ".json")
	must(t, err)
	must(t, json.Unmarshal(text, &about))
	raw, err := os.ReadFile(path + ".bin")
	must(t, err)
	x := make([]float32, len(raw)/4)
	for i := range x {
		x[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	m, err := model.Read(path+".onnx", model.Usual())
	must(t, err)
	s := nhwcShape(about.Shape)
	net := built(t, m, s)
	n := s.WithN(1).Len()
	want := x[n:]
	for k, got := range forward(t, net, [][]float32{refvec.NHWC(x[:n], 1, s.C, s.H, s.W)}, 1) {
		out := net.Graph.Outputs()[k].Shape
		expected := make([]float64, len(got))
		largest := 0.0
		for i := range expected {
			expected[i] = float64(want[i])
			largest = max(largest, math.Abs(expected[i]))
		}
		want = want[len(got):]
		compare(t, refvec.NCHW(got, 1, out.C, out.H, out.W), expected, 2e-4*largest)
	}
	if len(want) > 0 {
		t.Errorf("%d numbers are left of PyTorch's outputs", len(want))
	}
}

// graph is a model of those nodes, from x to y, for images of 4×4 with two channels.
func graph(weights []*model.Tensor, nodes ...*model.Node) *model.Model {
	value := func(name string) *model.Value { return &model.Value{Name: name, Type: model.Float} }
	return &model.Model{IRVersion: 8, Opsets: map[string]int64{"": 17}, Graph: &model.Graph{
		Name: "g", Nodes: nodes, Initializers: weights, Inputs: []*model.Value{value("x")}, Outputs: []*model.Value{value("y")},
	}}
}

func made(name, kind, out string, in ...string) *model.Node {
	return &model.Node{Name: name, Op: kind, Inputs: in, Outputs: []string{out}}
}

func floats(name string, dims []int, values ...float64) *model.Tensor {
	return model.OfFloats(name, model.Float, dims, values)
}

// TestRefused: what a network cannot have is named, all at once; small files do not take much time or memory.
func TestRefused(t *testing.T) {
	chain := []*model.Node{made("", "Relu", "r0", "x")}
	for i := range 5 * 4096 {
		chain = append(chain, made("", "Relu", fmt.Sprint("r", i+1), fmt.Sprint("r", i)))
	}
	chain = append(chain, made("", "Relu", "y", fmt.Sprint("r", len(chain)-1)))
	doubled := []*model.Node{}
	for i := range 60 {
		n := made("", "Concat", fmt.Sprint("k", i+1), fmt.Sprint("k", i), fmt.Sprint("k", i))
		n.Attributes = []model.Attribute{{Name: "axis", Value: int64(0)}}
		doubled = append(doubled, n)
	}
	doubled = append(doubled, made("", "ReduceSum", "s", "k60"), made("", "Add", "y", "x", "s"))
	two := func(name string, values ...float64) *model.Tensor { return floats(name, []int{2}, values...) }
	for name, c := range map[string]struct {
		m    *model.Model
		want string
	}{
		"several": {graph(nil, made("a", "Exp", "e", "x"), made("b", "MatMul", "m", "x", "x"), made("c", "Floor", "s", "m"), made("d", "Add", "y", "e", "s")), `MatMul "b": its operand 1 is computed`},
		"long":    {graph(nil, chain...), "nodes"},
		"doubled": {graph([]*model.Tensor{two("k0", 1, 2)}, doubled...), "more memory than is allowed"},
		"variance": {graph([]*model.Tensor{two("w", 1, 1), two("b", 0, 0), two("m", 0, 0), two("v", 1, -1)},
			made("n", "BatchNormalization", "y", "x", "w", "b", "m", "v")), "a variance below 0"},
	} {
		_, err := Build(c.m, []tensor.Shape{{H: 4, W: 4, C: 2}}, Options{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// TestNames: nodes with weights are called like them, others like their nodes, and each has a name of its own.
func TestNames(t *testing.T) {
	n := len("layer1.0.conv1")
	weight := floats("layer1.0.conv1.weight", []int{2, 2, 1, 1}, 1, 0, 0, 1)
	net, err := Build(graph([]*model.Tensor{weight}, made("/layer1/layer1.0/conv1/Relu", "Relu", "p", "x"),
		made("/layer1/layer1.0/conv1/Conv", "Conv", "c", "p", weight.Name), made("", "Sigmoid", "s", "c"), made("", "Sigmoid", "y", "s")), []tensor.Shape{{H: 4, W: 4, C: 2}}, Options{})
	must(t, err)
	var names []string
	for _, m := range net.Graph.Modules() {
		names = append(names, m.Name)
	}
	if got := strings.Join(names, " "); got != "input "+"layer1.0.conv1_2 "+weight.Name[:n]+" sigmoid sigmoid_2" {
		t.Error(got)
	}
}

// TestQuantized: the network of a ResNet-8 that ONNX Runtime has quantized, in both formats, computes about what its integers stand for. The
// quantizer has left out the ReLUs, which the grids without codes below 0 stand for.
func TestQuantized(t *testing.T) {
	for _, name := range []string{"QDQ", "QOperator"} {
		m, err := model.Read("testdata/quantized_"+name+".onnx", model.Usual())
		must(t, err)
		s := tensor.Shape{H: 32, W: 32, C: 3}
		net := built(t, m, s)
		x := onnxvalue.New(model.Float, []int{1, 3, 32, 32})
		for i := range x.F {
			x.F[i] = float64(float32(math.Sin(float64(i * i % 1009))))
		}
		p, err := eval.New(m)
		must(t, err)
		want, err := p.Run(map[string]*onnxvalue.Value{"input": x}, eval.Options{})
		must(t, err)
		in := make([]float32, len(x.F))
		for i, v := range x.F {
			in[i] = float32(v)
		}
		largest := 0.0
		expected := want[m.Graph.Outputs[0].Name].F
		for _, v := range expected {
			largest = max(largest, math.Abs(v))
		}
		compare(t, forward(t, net, [][]float32{refvec.NHWC(in, 1, s.C, s.H, s.W)}, 1)[0], expected, 0.05*largest)
		if len(net.Grids) < 20 {
			t.Errorf("%s: %d grids", name, len(net.Grids))
		}
	}
}
