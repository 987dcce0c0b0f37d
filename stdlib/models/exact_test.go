package models

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"qpipe/interp/part"
	"qpipe/ops/engine"
	"qpipe/ops/kernel"
	"qpipe/ops/kernel/sets"
	"qpipe/ops/nn"
	"qpipe/ops/tensor"
)

// deep are the nets on which evaluation and int8 are held against each other.
func deep() map[string]func() (part.Model, error) {
	resnet := func(depth int) func() (part.Model, error) {
		return func() (part.Model, error) {
			a := ResNetDefaults()
			a.Depth, a.Width = depth, 8
			return NewResNet(a)
		}
	}
	return map[string]func() (part.Model, error){
		"LeNet":     func() (part.Model, error) { return NewLeNet(LeNetDefaults()) },
		"ResNet-8":  resnet(8),
		"ResNet-20": resnet(20),
		"MobileNetV2": func() (part.Model, error) {
			a := mobilenetArgs(cifar, 10)
			a.WidthMult = 0.35
			return NewMobileNetV2(a)
		},
	}
}

// TestEvaluationIsInt8: on whole nets, in every mode, with γ of both signs, zero and tiny, the
// conversion changes none of the integers of the evaluation, in the calibration form and in
// the QAT form; FuseBN under reverse fold, and under with_bn with recompute, changes none
// either; and the int8 model has the same integers in every kernel set and for any number of threads.
func TestEvaluationIsInt8(t *testing.T) {
	const n = 2
	in := tensor.Shape{H: 28, W: 28, C: 1}
	type trial struct {
		model  string
		mode   nn.Mode
		target nn.Target
	}
	var trials []trial
	for name := range deep() {
		for _, mode := range []nn.Mode{nn.FuseBN, nn.WithBN, nn.ReverseFold} {
			trials = append(trials, trial{name, mode, nn.Horizon})
		}
	}
	for _, name := range []string{"ResNet-8", "MobileNetV2"} {
		trials = append(trials, trial{name, nn.FuseBN, nn.TensorRT}, trial{name, nn.WithBN, nn.TFLite}, trial{name, nn.ReverseFold, nn.ONNXRuntime})
	}
	for _, c := range trials {
		{
			name, mode := c.model, c.mode
			t.Run(fmt.Sprintf("%s, %s, %s", name, mode, c.target), func(t *testing.T) {
				m, err := deep()[name]()
				g := build(t, m, err, in)
				must(t, g.SetTarget(c.target))
				g.Init(1)
				r := rand.New(rand.NewPCG(7, uint64(len(name))))
				oddGammas(t, g, r)
				if errs := g.SetQConfig(int8Config); len(errs) > 0 {
					t.Fatal(errs)
				}
				x := make([]float32, 4*n*in.WithN(1).Len())
				for i := range x {
					x[i] = float32(r.NormFloat64())
				}
				best := best(t)
				must(t, g.Prepare(nn.Calibration, mode))
				run(t, g, best, 1, false).Forward(x, 4*n, engine.Calibrate)
				compare(t, "calibration", outputs(t, g, best, 2, x, n), outputs(t, converted(t, g), best, 2, x, n))

				must(t, g.Prepare(nn.QAT, mode))
				e := run(t, g, best, 2, true)
				for range 2 {
					y := e.Forward(x, 4*n, engine.Train)
					e.Backward(slices.Repeat([]float32{0.01, -0.02}, len(y)/2))
				}
				want := outputs(t, g, best, 2, x, n)
				int8 := converted(t, g)
				compare(t, "QAT2Quantize", want, outputs(t, int8, best, 2, x, n))
				for _, set := range sets.All() {
					compare(t, "the int8 model in set "+set.Name, want, outputs(t, int8, set, 3, x, n))
				}
				for _, threads := range []int{1, 2, 7} { // in every set: EveryOpInt8 in ops/engine
					compare(t, fmt.Sprintf("the int8 model with %d threads", threads), want, outputs(t, int8, best, threads, x, n))
				}
				compare(t, "the evaluation in set ref", want, outputs(t, g, sets.All()[0], 1, x, n))
				for _, m := range g.Modules() {
					if m.BN != "" {
						must(t, g.Absorb(m.Name, mode == nn.WithBN))
					}
				}
				compare(t, "FuseBN", want, outputs(t, g, best, 2, x, n))
			})
		}
	}
}

// oddGammas gives every BN statistics, and γ of both signs, some of them zero or tiny.
func oddGammas(t *testing.T, g *nn.Graph, r *rand.Rand) {
	for _, v := range g.Tensors() {
		values, _ := v.Data.([]float32)
		data := slices.Clone(values)
		switch {
		case strings.HasSuffix(v.Name, "bn.weight"):
			for i := range data {
				data[i] = []float32{1, 0.6, -0.9, 1.4, -1, 0, 1e-7, -1e-30}[r.IntN(8)]
			}
		case strings.HasSuffix(v.Name, "bn.bias"), strings.HasSuffix(v.Name, "bn.running_mean"):
			for i := range data {
				data[i] = float32(r.NormFloat64() * 0.3)
			}
		default:
			continue
		}
		must(t, g.SetTensor(nn.Tensor{Name: v.Name, Shape: v.Shape, Data: data}))
	}
}

// outputs returns every node's integers, and the logits, of the first n images.
func outputs(t *testing.T, g *nn.Graph, set *kernel.Set, threads int, x []float32, n int) map[string][]float32 {
	e := run(t, g, set, threads, false)
	e.Keep()
	all := map[string][]float32{"logits": slices.Clone(e.Forward(x, n, engine.Eval))}
	for _, m := range g.Modules() {
		codes, _ := e.Codes(m.Name)
		for _, c := range codes {
			all[m.Name] = append(all[m.Name], float32(c))
		}
	}
	return all
}

func compare(t *testing.T, what string, want, got map[string][]float32) {
	t.Helper()
	if len(want) < 5 || len(got) != len(want) {
		t.Fatalf("%s: %d nodes with integers, want %d", what, len(got), len(want))
	}
	for node, w := range want {
		changed := 0
		for i, v := range w {
			if got[node][i] != v {
				changed++
			}
		}
		if changed > 0 {
			t.Errorf("%s: %d of %d values of %s changed", what, changed, len(w), node)
		}
	}
}

func converted(t *testing.T, g *nn.Graph) *nn.Graph {
	t.Helper()
	c, err := g.Convert()
	must(t, err)
	return c
}

func best(t testing.TB) *kernel.Set {
	s, err := sets.ByName("")
	must(t, err)
	return s
}

func run(t *testing.T, g *nn.Graph, set *kernel.Set, threads int, training bool) *engine.Net {
	t.Helper()
	pool := engine.NewWorkers(threads)
	t.Cleanup(pool.Close)
	e, err := engine.Compile(g, 8, training, set, pool)
	must(t, err)
	return e
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
