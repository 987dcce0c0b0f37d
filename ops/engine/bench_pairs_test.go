package engine

import (
	"math/rand/v2"
	"testing"

	"qpipe/ops/arith"
	"qpipe/ops/grid"
	"qpipe/ops/layer"
	"qpipe/ops/nn"
	"qpipe/ops/quant"
	"qpipe/ops/tensor"
)

// BenchmarkPairs measures ops of two operands on a map of 112×112×64, by itself: the int8 form, and a pass of QAT
// forward, with its mask, and backward. "copy" copies the codes from memory to memory.
func BenchmarkPairs(b *testing.B) {
	s := tensor.Shape{H: 112, W: 112, C: 64}
	size := int64(s.WithN(1).Len())
	b.Run("copy", func(b *testing.B) {
		const turns = 100 // more than caches hold
		all := make([]uint8, 2*turns*size)
		for i := range all {
			all[i] = uint8(i)
		}
		b.SetBytes(size)
		for i := 0; b.Loop(); i++ {
			pair := all[int64(i%turns)*2*size:]
			copy(pair[:size], pair[size:2*size])
		}
	})
	gate, pixels := tensor.Shape{H: 1, W: 1, C: 64}, tensor.Shape{H: 112, W: 112, C: 1}
	for _, c := range []struct {
		name string
		op   layer.Op
		y    tensor.Shape
	}{
		{"mul gate", arith.Mul{}, gate},
		{"mul pixels", arith.Mul{}, pixels},
		{"mul", arith.Mul{}, s},
		{"add gate", arith.Add{}, gate},
		{"add", arith.Add{}, s},
		{"sub", arith.Sub{}, s},
		{"max", arith.Max{}, s},
	} {
		b.Run(c.name, func(b *testing.B) { benchPair(b, c.op, s, c.y) })
	}
}

func benchPair(b *testing.B, o layer.Op, s, t tensor.Shape) {
	r := rand.New(rand.NewPCG(1, 1))
	build := nn.NewBuilder(s)
	g, err := build.Graph(build.Apply("op", o, build.Input(), build.AddInput("second", t)))
	must(b, err)
	g.Init(1)
	g.SetQConfig(func(nn.Module) nn.QConfig {
		return nn.QConfig{Activation: nn.Quant{Spec: quant.Spec{DType: quant.Int8}, Observer: minMax{0}}}
	})
	must(b, g.Prepare(nn.Calibration, nn.FuseBN))
	x, dy := feeds(r, g, 1)
	compile(b, g, 1, false).ForwardAll(x, 1, Calibrate)
	must(b, g.Prepare(nn.QAT, nn.FuseBN))
	train := compile(b, g, 1, true)
	train.wantDX = true
	train.build()
	train.ForwardAll(x, 1, Train)
	train.BackwardAll(dy)
	c := train.cells[g.Place("op")]
	b.Run("QAT", func(b *testing.B) {
		b.SetBytes(int64(len(dy[0])))
		for b.Loop() {
			c.run.Forward(1, grid.Step{Train: true, Quantize: true})
		}
	})
	b.Run("backward", func(b *testing.B) {
		b.SetBytes(int64(len(dy[0])))
		for b.Loop() {
			c.run.Backward(1)
		}
	})
	int8, err := g.Convert()
	must(b, err)
	e := compile(b, int8, 1, false)
	e.ForwardAll(x, 1, Eval)
	c = e.cells[g.Place("op")]
	b.Run("int8", func(b *testing.B) {
		b.SetBytes(int64(len(dy[0])))
		for b.Loop() {
			c.integer.Run(layer.Piece{R1: s.H, C1: s.C})
		}
	})
}
