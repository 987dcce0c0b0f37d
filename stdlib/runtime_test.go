package stdlib

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"qpipe/internal/netdraw"
	"qpipe/interp/part"
	"qpipe/interp/verify"
	"qpipe/onnx/exporter"
	"qpipe/onnx/model"
	"qpipe/ops/engine"
	"qpipe/ops/kernel"
	"qpipe/ops/kernel/sets"
	"qpipe/ops/nn"
	"qpipe/ops/quant"
	"qpipe/ops/tensor"
)

// zoo are the models of the catalogue as docs/models.md has them first, for images of 32×32 or, where they take no such, of the
// size there.
func zoo(t *testing.T) []listed {
	rows := []listed{
		{model: "LeNet", in: tensor.Shape{H: 28, W: 28, C: 1}, made: modelOf(t, "LeNet", "")},
		{model: "LeNet5", in: tensor.Shape{H: 28, W: 28, C: 1}, made: modelOf(t, "LeNet5", "")},
		{model: "ConvNet", in: tensor.Shape{H: 32, W: 32, C: 3}, made: modelOf(t, "ConvNet", "")},
	}
	seen := map[string]bool{"LeNet": true, "LeNet5": true, "ConvNet": true}
	for _, r := range listedModels(t) {
		if seen[r.model] {
			continue
		}
		seen[r.model] = true
		small := listed{model: r.model, in: tensor.Shape{H: 32, W: 32, C: 3}, made: r.made}
		if _, err := part.Build(small.made, []tensor.Shape{small.in}, nil); err == nil {
			r = small
		}
		rows = append(rows, r)
	}
	return rows
}

// TestZooInONNXRuntime: the int8 models of the zoo for target = "onnxruntime", exported as integer ops, have the same integers in
// ONNX Runtime at every node, with optimizations of the graph and without. Of the other format the differences are printed. It
// takes minutes, and needs QPIPE_LONG=1 and QPIPE_PYTHON, a Python with onnxruntime. QPIPE_IMAGES says how many images there are.
func TestZooInONNXRuntime(t *testing.T) {
	if os.Getenv("QPIPE_LONG") == "" {
		t.Skip("the zoo in ONNX Runtime takes minutes: set QPIPE_LONG=1")
	}
	const batch = 10
	images := batch
	if n, err := strconv.Atoi(os.Getenv("QPIPE_IMAGES")); err == nil {
		images = n
	}
	for _, r := range zoo(t) {
		t.Run(r.model, func(t *testing.T) {
			g := int8Model(t, r)
			rnd := rand.New(rand.NewPCG(7, 7))
			s := verify.Subject{Int8: g}
			for _, f := range []exporter.Format{exporter.QOperator, exporter.QDQ} {
				m, _, err := exporter.Model(g, exporter.Options{Format: f, Activations: model.Uint8})
				must(t, err)
				s.Files = append(s.Files, verify.File{Name: string(f), Model: m, Exact: f == exporter.QOperator})
			}
			best, err := sets.ByName("")
			must(t, err)
			result, err := verify.Run(s, verify.Options{
				Batch: batch, Sets: []*kernel.Set{best}, Python: os.Getenv("QPIPE_PYTHON"), Written: 1, Context: t.Context(),
				Each: func(do func(x [][]float32, n int) error) error {
					for range images / batch {
						if err := do(draws(g, rnd, batch), batch); err != nil {
							return err
						}
					}
					return nil
				},
			})
			must(t, err)
			for _, c := range result.Comparisons {
				if c.Skipped != "" && os.Getenv("CI") == "" {
					t.Skip(c.Skipped)
				}
				line := fmt.Sprintf("%s: %d of %d integers differ, same top-1 of %d of %d; %s", c.Name, c.Differ, c.Integers, c.Top1, c.Images, c.Skipped+c.Error)
				var worst []string
				for _, n := range c.Nodes {
					worst = append(worst, fmt.Sprintf("%s (%s) %d of %d, up to %d", n.Node, n.Op, n.Differ, n.Total, n.Largest))
				}
				t.Log(line, strings.Join(worst[:min(len(worst), 5)], "; "))
				if c.Exact && (c.Differ > 0 || c.Skipped+c.Error != "") {
					t.Error(line, c.First)
				}
			}
		})
	}
}

// int8Model makes a model with random weights, calibrated on random images.
func int8Model(t *testing.T, r listed) *nn.Graph {
	t.Helper()
	built, err := part.Build(r.made, []tensor.Shape{r.in}, nil)
	must(t, err)
	g, rnd := built.Graph, rand.New(rand.NewPCG(3, 5))
	g.Init(1)
	netdraw.Jitter(g, rnd)
	must(t, g.SetTarget(nn.ONNXRuntime))
	spec := quant.Spec{DType: quant.Int8}
	weight := quant.Spec{DType: quant.Int8, PerChannel: true, Narrow: true}
	if list := g.SetQConfig(func(nn.Module) nn.QConfig {
		return nn.QConfig{Activation: nn.Quant{Spec: spec, Observer: netdraw.MinMax{Rate: 0.1}}, Weight: nn.Quant{Spec: weight}}
	}); len(list) > 0 {
		t.Fatal(list)
	}
	must(t, g.Prepare(nn.Calibration, nn.ReverseFold))
	set, err := sets.ByName("")
	must(t, err)
	workers := engine.NewWorkers(2)
	defer workers.Close()
	e, err := engine.Compile(g, 4, false, set, workers)
	must(t, err)
	for range 4 {
		e.ForwardAll(draws(g, rnd, 4), 4, engine.Calibrate)
	}
	must(t, g.Prepare(nn.QAT, nn.ReverseFold))
	c, err := g.Convert()
	must(t, err)
	return c
}

// draws draws images.
func draws(g *nn.Graph, r *rand.Rand, n int) (x [][]float32) {
	for _, p := range g.Inputs() {
		v := make([]float32, p.Shape.WithN(n).Len())
		for i := range v {
			v[i] = float32(r.NormFloat64())
		}
		x = append(x, v)
	}
	return x
}
