package models

import (
	"slices"
	"testing"

	"qpipe/ops/engine"
	"qpipe/ops/nn"
	"qpipe/ops/tensor"
)

// BenchmarkEvaluation is the evaluation of QAT models that still have their BNs, on one
// thread and batches of 64 images of 28×28: docs/performance.md has it beside what it was
// when BN was evaluated in float32.
func BenchmarkEvaluation(b *testing.B) {
	const n = 64
	for name, model := range deep() {
		for _, mode := range []nn.Mode{nn.WithBN, nn.ReverseFold} {
			b.Run(name+"/"+string(mode), func(b *testing.B) {
				in := tensor.Shape{H: 28, W: 28, C: 1}
				m, err := model()
				g := build(b, m, err, in)
				g.Init(1)
				g.SetQConfig(int8Config)
				must(b, g.Prepare(nn.QAT, mode))
				x := slices.Repeat([]float32{-0.5, 0.2, 0.9, 0, 0.1, -1, 0.7}, n*in.WithN(1).Len()/7)
				pool := engine.NewWorkers(1)
				defer pool.Close()
				train, err := engine.Compile(g, n, true, best(b), pool)
				must(b, err)
				train.Forward(x, n, engine.Train)
				e, err := engine.Compile(g, n, false, best(b), pool)
				must(b, err)
				e.Forward(x, n, engine.Eval)
				b.ResetTimer()
				for range b.N {
					e.Forward(x, n, engine.Eval)
				}
				b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "images/s")
			})
		}
	}
}
