package fold

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"qpipe/internal/refvec"
	"qpipe/onnx/eval"
	"qpipe/onnx/model"
	"qpipe/onnx/value"
)

// TestFold: a folded model computes exactly what the model computes, and nothing of it is left to fold.
func TestFold(t *testing.T) {
	models := refvec.Folder(t, "onnx-models")
	for _, pattern := range []string{"*.onnx", "light/light_s*.onnx"} {
		paths, err := filepath.Glob(filepath.Join(models, pattern))
		must(t, err)
		for _, path := range paths {
			t.Run(filepath.Base(path), func(t *testing.T) {
				m, err := model.Read(path, model.Usual())
				must(t, err)
				compare(t, m, inputs(m, 3), pattern == "*.onnx") // the light ones are slow: they are only folded
			})
		}
	}
}

// inputs are numbers for all inputs; open dimensions get the extent.
func inputs(m *model.Model, open int) map[string]*value.Value {
	in := map[string]*value.Value{}
	for _, v := range m.Graph.Inputs {
		if isInitializer(m, v.Name) {
			continue
		}
		var dims []int
		for _, d := range v.Shape {
			if d.Size < 0 {
				d.Size = open
			}
			dims = append(dims, d.Size)
		}
		x := value.New(v.Type, dims)
		for i := range x.F {
			x.F[i] = float64(i%17)/8 - 1
		}
		in[v.Name] = x
	}
	return in
}

func compare(t *testing.T, m *model.Model, in map[string]*value.Value, compute bool) {
	t.Helper()
	shapes := map[string][]int{}
	for name, v := range in {
		shapes[name] = v.Dims
	}
	folded, err := Fold(m, shapes, eval.Options{})
	must(t, err)
	data, err := folded.Model.Bytes()
	must(t, err)
	again, err := model.Parse(data, nil, model.Usual())
	must(t, err)
	if compute {
		same(t, run(t, m, in), run(t, again, in))
	}
	for _, n := range again.Graph.Nodes {
		switch n.Op {
		case "Constant", "ConstantOfShape", "Shape", "Identity", "Dropout":
			t.Errorf("%v is still there", n)
		}
	}
	twice, err := Fold(again, shapes, eval.Options{})
	must(t, err)
	if a, b := len(again.Graph.Nodes), len(twice.Model.Graph.Nodes); a != b {
		t.Errorf("folded again, %d nodes become %d", a, b)
	}
}

func same(t *testing.T, want, got map[string]*value.Value) {
	t.Helper()
	for name, w := range want {
		if g := got[name]; g == nil || fmt.Sprint(g.Dims) != fmt.Sprint(w.Dims) || !slices.Equal(g.F, w.F) || !slices.Equal(g.I, w.I) {
			t.Errorf("the output %q differs", name)
		}
	}
}

func run(t *testing.T, m *model.Model, in map[string]*value.Value) map[string]*value.Value {
	t.Helper()
	p, err := eval.New(m)
	must(t, err)
	out, err := p.Run(in, eval.Options{})
	must(t, err)
	return out
}

// TestFoldChains: the ways in which exporters write shapes, and nodes that do nothing.
func TestFoldChains(t *testing.T) {
	node := func(op string, in []string, out string, attrs ...model.Attribute) *model.Node {
		return &model.Node{Op: op, Inputs: in, Outputs: []string{out}, Attributes: attrs}
	}
	ints := func(name string, x ...int64) *model.Tensor { return model.OfInts(name, model.Int64, []int{len(x)}, x) }
	m := &model.Model{IRVersion: 8, Opsets: map[string]int64{"": 13}, Graph: &model.Graph{
		Name:         "chains",
		Inputs:       []*model.Value{{Name: "x", Type: model.Float, Known: true, Shape: []model.Dim{{Size: -1, Name: "N"}, {Size: 3}, {Size: 4}}}},
		Outputs:      []*model.Value{{Name: "y", Type: model.Float}, {Name: "q", Type: model.Float}},
		Initializers: []*model.Tensor{ints("zero", 0), ints("rest", -1), ints("end", 99), ints("before", -99), model.OfFloats("w", model.Float, []int{2}, []float64{0.5, -0.25}), model.OfFloats("s", model.Float, nil, []float64{0.25}), model.OfInts("z", model.Int8, nil, []int64{0})},
		Nodes: []*model.Node{
			node("Shape", []string{"x"}, "shape"),
			node("Gather", []string{"shape", "zero"}, "n"),
			node("Cast", []string{"n"}, "same", model.Attribute{Name: "to", Value: int64(model.Int64)}),
			node("Concat", []string{"same", "rest"}, "target", model.Attribute{Name: "axis", Value: int64(0)}),
			node("Identity", []string{"x"}, "x1"),
			node("Cast", []string{"x1"}, "x2", model.Attribute{Name: "to", Value: int64(model.Float)}),
			node("Dropout", []string{"x2"}, "x3"),
			node("Slice", []string{"x3", "zero", "end"}, "x4"),
			node("Slice", []string{"x4", "rest", "before", "zero", "rest"}, "x5"), // backward
			node("Reshape", []string{"x5", "target"}, "flat"),
			node("Reshape", []string{"flat", "target"}, "flat2"),
			node("Identity", []string{"flat2"}, "y"),
			node("Relu", []string{"flat"}, "unused"),
			node("QuantizeLinear", []string{"w", "s", "z"}, "wq"),
			node("DequantizeLinear", []string{"wq", "s", "z"}, "q"),
		},
	}}
	x := value.New(model.Float, []int{2, 3, 4})
	p, err := Fold(m, map[string][]int{"x": x.Dims}, eval.Options{})
	must(t, err)
	var ops []string
	for _, n := range p.Model.Graph.Nodes {
		ops = append(ops, n.Op)
	}
	if got, want := fmt.Sprint(ops), "[Slice Reshape Identity QuantizeLinear DequantizeLinear]"; got != want {
		t.Errorf("%v are left, not %v", got, want)
	}
	if got := p.Types["flat"].Dims; !slices.Equal(got, []int{2, 12}) {
		t.Errorf("the shape is %v", got)
	}
	if _, err := Fold(m, nil, eval.Options{}); err == nil {
		t.Error("an open dimension is no error")
	}
	if got := run(t, p.Model, map[string]*value.Value{"x": x}); !slices.Equal(got["q"].F, []float64{0.5, -0.25}) {
		t.Errorf("q is %v", got["q"].F)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
