package engine

import (
	"math/rand/v2"
	"testing"

	"qpipe/ops/nn"
	"qpipe/ops/tensor"
)

// benchNet is the anchors' ResNet-8, width 8, on 28×28×1, batches of 64.
func benchNet(b *testing.B, mode nn.Mode) (*nn.Graph, []float32, []int32) {
	g := resnet8(b, tensor.Shape{H: 28, W: 28, C: 1}, 8)
	g.Init(1)
	if mode != "" {
		if errs := g.SetQConfig(int8Config("fc")); len(errs) > 0 {
			b.Fatal(errs)
		}
		must(b, g.Prepare(nn.QAT, mode))
	}
	r := rand.New(rand.NewPCG(1, 1))
	labels := make([]int32, benchBatch)
	for i := range labels {
		labels[i] = int32(r.IntN(10))
	}
	return g, randn(r, benchBatch*784, 0.5), labels
}

const benchBatch = 64

func report(b *testing.B) {
	b.ReportMetric(float64(b.N*benchBatch)/b.Elapsed().Seconds(), "images/s")
}

func BenchmarkTrain(b *testing.B) {
	for _, mode := range modes() {
		name := string(mode)
		if mode == "" {
			name = "float"
		}
		b.Run(name, func(b *testing.B) {
			g, x, labels := benchNet(b, mode)
			tr := newTrainer(compile(b, g, benchBatch, true), 0.01, 1e-4)
			tr.step(x, labels, nil)
			b.ResetTimer()
			for range b.N {
				tr.step(x, labels, nil)
			}
			report(b)
		})
	}
}

func BenchmarkEval(b *testing.B) {
	for _, mode := range append(modes(), "int8") {
		name := string(mode)
		form := mode
		switch mode {
		case "":
			name = "float"
		case "int8":
			form = nn.FuseBN
		}
		b.Run(name, func(b *testing.B) {
			g, x, labels := benchNet(b, form)
			newTrainer(compile(b, g, benchBatch, true), 0.01, 0).step(x, labels, nil)
			if mode == "int8" {
				var err error
				g, err = g.Convert()
				must(b, err)
			}
			e := compile(b, g, benchBatch, false)
			e.Forward(x, benchBatch, Eval)
			b.ResetTimer()
			for range b.N {
				e.Forward(x, benchBatch, Eval)
			}
			report(b)
		})
	}
}

func BenchmarkNotFinite(b *testing.B) {
	g, x, labels := benchNet(b, nn.WithBN)
	tr := newTrainer(compile(b, g, benchBatch, true), 0.01, 0)
	tr.step(x, labels, nil)
	for range b.N {
		tr.e.NotFinite()
	}
}
