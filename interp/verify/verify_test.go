package verify

import (
	"math/rand/v2"
	"strings"
	"testing"

	"qpipe/internal/netdraw"
	"qpipe/onnx/exporter"
	"qpipe/onnx/model"
	"qpipe/ops/engine"
	"qpipe/ops/kernel"
	"qpipe/ops/kernel/sets"
	"qpipe/ops/nn"
	"qpipe/ops/quant"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// subject is a random network that is trained quantized, its int8 model, and a model exported of that.
func subject(t *testing.T, seed uint64) (Subject, Options) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 3))
	g, err := netdraw.Graph(r)
	must(t, err)
	g.Init(1)
	netdraw.Jitter(g, r)
	must(t, g.SetTarget(nn.ONNXRuntime))
	g.SetQConfig(func(nn.Module) nn.QConfig {
		return nn.QConfig{Activation: nn.Quant{Spec: quant.Spec{DType: quant.Int8}, Observer: netdraw.MinMax{Rate: 1}}, Weight: nn.Quant{Spec: quant.Spec{DType: quant.Int8, PerChannel: true}}}
	})
	const n = 2
	var x [][]float32
	for _, p := range g.Inputs() {
		v := make([]float32, p.Shape.WithN(n).Len())
		for i := range v {
			v[i] = float32(r.NormFloat64())
		}
		x = append(x, v)
	}
	must(t, g.Prepare(nn.Calibration, nn.ReverseFold))
	workers := engine.NewWorkers(1)
	defer workers.Close()
	e, err := engine.Compile(g, n, false, sets.All()[0], workers)
	must(t, err)
	e.ForwardAll(x, n, engine.Calibrate)
	must(t, g.Prepare(nn.QAT, nn.ReverseFold))
	c, err := g.Convert()
	must(t, err)
	m, _, err := exporter.Model(c, exporter.Options{Format: exporter.QOperator})
	must(t, err)
	o := Options{Batch: n, Sets: sets.All(), Threads: []int{1, 3}, Context: t.Context(), Python: "no-such-python", Each: func(do func(x [][]float32, n int) error) error {
		return do(x, n)
	}}
	return Subject{Int8: c, Trained: g, From: "last", Files: []File{{"net.onnx", m, true}}}, o
}

// TestEqual: of a model and what is made of it everything is equal; without an ONNX Runtime that is not compared, and says so.
func TestEqual(t *testing.T) {
	for seed := range uint64(6) {
		s, o := subject(t, seed)
		r, err := Run(s, o)
		must(t, err)
		if !r.Equal() || len(r.Comparisons) != 1+2*len(o.Sets)+3 {
			t.Errorf("%+v", r)
		}
		for _, c := range r.Comparisons {
			switch {
			case c.Kind == "runtime" && !strings.Contains(c.Skipped, "QPIPE_PYTHON"):
				t.Errorf("%+v", c)
			case c.Kind != "runtime" && (c.Differ != 0 || c.Integers == 0 || c.Error+c.Skipped != ""):
				t.Errorf("%+v", c)
			case c.Kind == "evaluator" && c.Scales == 0:
				t.Errorf("no scales of the file are compared")
			}
		}
	}
}

// TestUnequal: another weight, another scale and another network are found, with the node.
func TestUnequal(t *testing.T) {
	for seed := range uint64(6) {
		s, o := subject(t, seed)
		o.Sets, o.Threads = []*kernel.Set{sets.All()[0]}, nil
		g := s.Files[0].Model.Graph
		var bent string
		for _, init := range g.Initializers {
			node, is := strings.CutSuffix(init.Name, ".weight")
			if !is || init.Type != model.Int8 || s.Int8.Place(node) < 0 {
				continue
			}
			bent = node
			for i := range init.Data {
				init.Data[i] = byte(int8(init.Data[i]) / 2)
			}
			break
		}
		r, err := Run(s, o)
		must(t, err)
		c := r.Comparisons[1]
		if bent == "" || r.Equal() || c.Differ == 0 || c.First == nil || c.First.Node != bent || len(c.First.Operands) == 0 || c.First.Want == c.First.Got {
			t.Errorf("the weight of %q is another one: %+v, %v", bent, c, c.First)
		}

		s, o = subject(t, seed)
		o.Sets, o.Threads = []*kernel.Set{sets.All()[0]}, nil
		for _, init := range s.Files[0].Model.Graph.Initializers {
			if init.Name == "input_scale" {
				init.Data[0] ^= 1
			}
		}
		r, err = Run(s, o)
		must(t, err)
		if c := r.Comparisons[1]; r.Equal() || !strings.Contains(c.Error, "input has the scale") {
			t.Errorf("the scale of the input is another one: %+v", c)
		}

		s, o = subject(t, seed)
		o.Sets, o.Threads = []*kernel.Set{sets.All()[0]}, nil
		last := s.Int8.Outputs()[0].Name
		for _, n := range s.Files[0].Model.Graph.Nodes {
			for i, out := range n.Outputs {
				if out == exporter.CodesName(last) {
					n.Outputs[i] = "renamed"
				}
			}
			for i, in := range n.Inputs {
				if in == exporter.CodesName(last) {
					n.Inputs[i] = "renamed"
				}
			}
		}
		if r, err = Run(s, o); err != nil || r.Equal() || !strings.Contains(r.Comparisons[1].Error, last) {
			t.Errorf("the integers of %s have another name: %v, %+v", last, err, r.Comparisons[1])
		}

		s.Trained.Params()[0].Data[0] += 10
		if r, err = Run(s, o); err != nil || r.Comparisons[0].Differ == 0 {
			t.Errorf("another model was trained: %v, %+v", err, r.Comparisons[0])
		}
		other, _ := subject(t, seed+100)
		s.Files = other.Files
		if r, err = Run(s, o); err != nil || r.Equal() || r.Comparisons[1].Error == "" {
			t.Errorf("a file of another network: %v, %+v", err, r.Comparisons[1])
		}
	}
}
