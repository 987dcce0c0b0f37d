package exporter

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"qpipe/internal/netdraw"
	"qpipe/internal/refvec"
	"qpipe/onnx/eval"
	"qpipe/onnx/model"
	"qpipe/onnx/runtime"
	onnxvalue "qpipe/onnx/value"
	"qpipe/ops/engine"
	"qpipe/ops/kernel/sets"
	"qpipe/ops/layer"
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

// images draws images for every input of a network.
func images(g *nn.Graph, r *rand.Rand, n int) (x [][]float32) {
	for _, p := range g.Inputs() {
		v := make([]float32, p.Shape.WithN(n).Len())
		for i := range v {
			v[i] = float32(r.NormFloat64() * 1.5)
		}
		x = append(x, v)
	}
	return x
}

// n is how many images a network gets.
const n = 2

// drawn is a random network for one of the targets, and images for it.
func drawn(t *testing.T, seed, key uint64) (g *nn.Graph, x [][]float32, r *rand.Rand) {
	t.Helper()
	r = rand.New(rand.NewPCG(seed, key))
	g, err := netdraw.Graph(r)
	must(t, err)
	g.Init(int64(seed))
	netdraw.Jitter(g, r)
	must(t, g.SetTarget(nn.Targets()[seed%4].Target))
	return g, images(g, r, n), r
}

func compiled(t testing.TB, g *nn.Graph, n int) *engine.Net {
	t.Helper()
	set, err := sets.ByName("")
	must(t, err)
	workers := engine.NewWorkers(1)
	t.Cleanup(workers.Close)
	e, err := engine.Compile(g, n, false, set, workers)
	must(t, err)
	return e
}

// calibrated makes the int8 form of a float network, quantized as a random qconfig says.
func calibrated(t *testing.T, g *nn.Graph, r *rand.Rand, x [][]float32, n int) *nn.Graph {
	t.Helper()
	islands := r.IntN(4) == 0
	g.SetQConfig(func(m nn.Module) nn.QConfig {
		a := quant.Spec{DType: []quant.DType{quant.Int8, quant.Int8, quant.Int8, quant.Int4, quant.UInt8}[r.IntN(5)]}
		if r.IntN(3) == 0 {
			a.Scheme = quant.Affine
		}
		w := quant.Spec{DType: []quant.DType{quant.Int8, quant.Int8, quant.Int4}[r.IntN(3)], PerChannel: r.IntN(4) > 0, Narrow: r.IntN(4) > 0}
		q := nn.QConfig{Activation: nn.Quant{Spec: a, Observer: netdraw.MinMax{Rate: 1}}, Weight: nn.Quant{Spec: w}}
		if m.Name == "fc" && r.IntN(2) == 0 || islands && m.Name != "input" && r.IntN(6) == 0 {
			q.Activation = nn.Quant{}
		}
		return q
	})
	must(t, g.Prepare(nn.Calibration, []nn.Mode{nn.FuseBN, nn.WithBN, nn.ReverseFold}[r.IntN(3)]))
	compiled(t, g, n).ForwardAll(x, n, engine.Calibrate)
	must(t, g.Prepare(nn.QAT, g.Mode()))
	c, err := g.Convert()
	must(t, err)
	return c
}

// inputs are images as a model reads them.
func inputs(m *model.Model, g *nn.Graph, x [][]float32, n int) map[string]*onnxvalue.Value {
	in := map[string]*onnxvalue.Value{}
	for k, port := range g.Inputs() {
		s := port.Shape
		v := refvec.NCHW(x[k], n, s.C, s.H, s.W)
		wide := make([]float64, len(v))
		for i := range v {
			wide[i] = float64(v[i])
		}
		in[m.Graph.Inputs[k].Name] = onnxvalue.Floats([]int{n, s.C, s.H, s.W}, wide...)
	}
	return in
}

// run computes every value of a model.
func run(t *testing.T, m *model.Model, g *nn.Graph, x [][]float32, n int) map[string]*onnxvalue.Value {
	t.Helper()
	p, err := eval.New(m)
	must(t, err)
	all := map[string]*onnxvalue.Value{}
	_, err = p.Run(inputs(m, g, x, n), eval.Options{Observe: func(name string, v *onnxvalue.Value) { all[name] = v }})
	must(t, err)
	return all
}

// TestIntegers: networks of all ops, however they are quantized, are written in integer ops that compute every integer of every
// node. Files have the declared types and shapes, can be read again, and are the same bytes each time.
func TestIntegers(t *testing.T) {
	graphs, seen, exact := 150, map[string]bool{}, 0
	if testing.Short() {
		graphs = 20
	}
	for seed := range uint64(graphs) {
		g, x, r := drawn(t, seed, 41)
		c := calibrated(t, g, r, x, n)
		o := Options{Format: QOperator, Opset: FirstOpset + r.IntN(LastOpset-FirstOpset+1), Batch: n * r.IntN(2), Glue: true, Activations: []model.Type{0, model.Int8, model.Uint8}[r.IntN(3)]}
		m, places, err := Model(c, o)
		if err != nil {
			t.Errorf("graph %d: %v", seed, err)
			continue
		}
		exact += compareAll(t, fmt.Sprintf("graph %d, opset %d", seed, o.Opset), c, run(t, written(t, m), c, x, n), places, x, n, seen)
	}
	for _, k := range nn.Kinds() {
		if !seen[k.Name] && k.Output != layer.Values && !testing.Short() {
			t.Errorf("no graph has the op %s with integers", k.Name)
		}
	}
	t.Logf("%d integers in %d graphs are the same", exact, graphs)
}

// written writes a model and reads it again.
func written(t *testing.T, m *model.Model) *model.Model {
	t.Helper()
	b, err := m.Bytes()
	must(t, err)
	m, err = model.Parse(b, nil, model.Usual())
	must(t, err)
	return m
}

// compareAll compares the codes of all nodes that are not behind a float island.
func compareAll(t *testing.T, what string, c *nn.Graph, got map[string]*onnxvalue.Value, places []Output, x [][]float32, n int, seen map[string]bool) (exact int) {
	t.Helper()
	e := compiled(t, c, n)
	e.Keep()
	e.ForwardAll(x, n, engine.Eval)
	nodes, _ := c.Nodes()
	unsure := make([]bool, len(nodes))
	for i, node := range nodes {
		unsure[i] = node.Island || slices.ContainsFunc(node.In, func(j int) bool { return unsure[j] })
		if unsure[i] || !places[i].Codes {
			continue
		}
		codes, _ := e.Codes(node.Name)
		s := inMemory(nodes, i)
		want := refvec.NCHW(codes, n, s.C, s.H, s.W)
		v := got[places[i].Value]
		if v == nil || len(v.I) != len(want) {
			t.Fatalf("%s: %s has no value %s", what, node.Name, places[i].Value)
		}
		differ := 0
		for k, code := range want {
			if v.I[k] != int64(code)+128+int64(places[i].Shift) {
				differ++
			}
		}
		if differ > 0 {
			t.Errorf("%s: %d of %d integers of %s (%s) differ", what, differ, len(want), node.Name, node.Kind.Name)
			return exact
		}
		exact += len(want)
		seen[node.Kind.Name] = true
	}
	return exact
}

// inMemory is the shape of a node's output as it lies in memory: what is flattened lies as its operand does.
func inMemory(nodes []*layer.Node, i int) tensor.Shape {
	for nodes[i].Kind.Name == "flatten" || nodes[i].Kind.Name == "dropout" {
		i = nodes[i].In[0]
	}
	return nodes[i].Shape
}

// observable is the model with the nodes' outputs as outputs of its own.
func observable(m *model.Model, places []Output) *model.Model {
	all, g := *m, *m.Graph
	known := map[string]*model.Value{}
	for _, v := range g.Values {
		known[v.Name] = v
	}
	g.Outputs = slices.Clone(g.Outputs)
	for _, p := range places {
		if v := known[p.Value]; p.Codes && v != nil && !slices.Contains(g.Outputs, v) {
			g.Outputs = append(g.Outputs, v)
		}
	}
	all.Graph = &g
	return &all
}

// session opens ONNX Runtime, or skips the test.
func session(t *testing.T, m *model.Model, optimize bool) *runtime.Session {
	t.Helper()
	s, err := runtime.Open(t.Context(), m, runtime.Options{Python: os.Getenv("QPIPE_PYTHON"), Optimize: optimize})
	var absent *runtime.Absent
	if errors.As(err, &absent) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

// TestRuntime: ONNX Runtime computes the same integers of random networks, with and without optimizations of the graph.
func TestRuntime(t *testing.T) {
	graphs := 8
	if os.Getenv("QPIPE_LONG") != "" {
		graphs = 100
	}
	seen, exact := map[string]bool{}, 0
	for seed := range uint64(graphs) {
		g, x, r := drawn(t, seed, 43)
		c := calibrated(t, g, r, x, n)
		o := Options{Format: QOperator, Opset: FirstOpset + r.IntN(LastOpset-FirstOpset+1), Glue: true, Activations: []model.Type{0, model.Int8, model.Uint8}[r.IntN(3)]}
		m, places, err := Model(c, o)
		must(t, err)
		m = observable(m, places)
		for _, optimize := range []bool{false, true} {
			s := session(t, m, optimize)
			got, err := s.Run(inputs(m, c, x, n))
			if err != nil {
				t.Errorf("graph %d: %v", seed, err)
				continue
			}
			exact += compareAll(t, fmt.Sprintf("graph %d, opset %d, optimized: %t", seed, o.Opset, optimize), c, got, places, x, n, seen)
		}
	}
	t.Logf("%d integers in %d graphs are the same", exact, graphs)
}

// TestFloat: float networks compute the same as their models, up to rounding.
func TestFloat(t *testing.T) {
	graphs, seen := 100, map[string]bool{}
	if testing.Short() {
		graphs = 20
	}
	for seed := range uint64(graphs) {
		g, x, r := drawn(t, seed, 47)
		m, places, err := Model(g, Options{Format: Float, Opset: FirstOpset + r.IntN(LastOpset-FirstOpset+1)})
		must(t, err)
		e := compiled(t, g, n)
		e.Keep()
		e.ForwardAll(x, n, engine.Eval)
		got := run(t, written(t, m), g, x, n)
		nodes, _ := g.Nodes()
		for i, node := range nodes {
			values, _, _, _ := e.Output(node.Name)
			s := inMemory(nodes, i)
			want := refvec.NCHW(values, n, s.C, s.H, s.W)
			v, most := got[places[i].Value].F, 1.0
			for _, w := range want {
				most = max(most, math.Abs(float64(w)))
			}
			for k, w := range want {
				if !(math.Abs(float64(w)-v[k]) <= 1e-4*most) {
					t.Fatalf("graph %d: %s (%s) has %g for %g", seed, node.Name, node.Kind.Name, v[k], w)
				}
			}
			seen[node.Kind.Name] = true
		}
	}
	for _, k := range nn.Kinds() {
		if !seen[k.Name] && !testing.Short() {
			t.Errorf("no graph has the op %s", k.Name)
		}
	}
}

// TestBetween: with float ops between QuantizeLinear and DequantizeLinear, a node computes the integers of the int8 model from the
// integers in front of it. An average or a curve may be one off next to a tie, and a bilinear resize has weights that are no
// multiples of 1/2048.
func TestBetween(t *testing.T) {
	graphs, differ, averages, all := 60, 0, 0, 0
	for seed := range uint64(graphs) {
		g, x, r := drawn(t, seed, 53)
		c := calibrated(t, g, r, x, n)
		m, places, err := Model(c, Options{Format: QDQ, Opset: FirstOpset + r.IntN(LastOpset-FirstOpset+1)})
		must(t, err)
		e := compiled(t, c, n)
		e.Keep()
		e.ForwardAll(x, n, engine.Eval)
		got := run(t, written(t, m), c, x, n)
		nodes, _ := c.Nodes()
		others := make([]bool, len(nodes))
		for i, node := range nodes {
			others[i] = node.Island || node.Kind.Name == "resize_bilinear" || slices.ContainsFunc(node.In, func(j int) bool { return others[j] })
			if others[i] || !places[i].Codes {
				continue
			}
			codes, _ := e.Codes(node.Name)
			s := inMemory(nodes, i)
			for k, code := range refvec.NCHW(codes, n, s.C, s.H, s.W) {
				all++
				switch d := got[places[i].Value].I[k] - int64(code) - 128 - int64(places[i].Shift); {
				case d*d > 1:
					t.Fatalf("graph %d: a code of %s (%s) is %d off", seed, node.Name, node.Kind.Name, d)
				case d != 0:
					others[i] = true
					if strings.HasSuffix(node.Kind.Name, "avg_pool") { // two codes have a tie for every second average
						averages++
					} else {
						differ++
					}
				}
			}
		}
	}
	t.Logf("%d averages and %d others of %d integers differ", averages, differ, all)
	if differ*10_000 > all || averages*1000 > all {
		t.Errorf("%d averages and %d others of %d integers differ", averages, differ, all)
	}
}

// TestOps: every op of the table is written, or its absence has a reason here.
func TestOps(t *testing.T) {
	for _, k := range nn.Kinds() {
		if !slices.Contains(ops(), k.Name) {
			t.Errorf("the op %s is not written", k.Name)
		}
	}
}
