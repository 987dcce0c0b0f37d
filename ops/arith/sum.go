package arith

import (
	"qpipe/ops/grid"
	"qpipe/ops/kernel"
	"qpipe/ops/layer"
)

// Sub subtracts the second value from the first.
type Sub struct{}

var subKind = (&pair{
	of: func(_ *kernel.Set, x, y, out []float32) {
		y, out = y[:len(x)], out[:len(x)]
		for i, v := range x {
			out[i] = v - y[i]
		}
	},
	slope: func(_ *kernel.Set, k int, g, _, _, out []float32) []float32 {
		if k == 0 {
			return g
		}
		out = out[:len(g)]
		for i, v := range g {
			out[i] = -v
		}
		return out
	},
	coder: func(c int) coder { return newSum(c, -1) },
	exact: true,
}).kind(layer.Kind{Name: "sub"})

// Kind implements layer.Op.
func (Sub) Kind() *layer.Kind { return subKind }

// Node implements layer.Op.
func (Sub) Node(in []layer.Source) (*layer.Node, error) { return pairNode(subKind, "subtract", in) }

// spreadSum is what Add does where its operands differ in shape.
func spreadSum() *pair {
	return &pair{
		of: func(_ *kernel.Set, x, y, out []float32) {
			y, out = y[:len(x)], out[:len(x)]
			for i, v := range x {
				out[i] = v + y[i]
			}
		},
		slope: func(_ *kernel.Set, _ int, g, _, _, _ []float32) []float32 { return g },
		coder: func(c int) coder { return newSum(c, 1) },
		exact: true,
	}
}

// sum adds codes, each less its zero point and in units of the output, or subtracts the second with sign -1.
type sum struct {
	unit, m []float32 // by channel
	y       grid.Value
	zx      int32
	sign    float32
	requant kernel.Requant
}

func newSum(c int, sign float32) *sum {
	return &sum{unit: make([]float32, c), m: make([]float32, c), sign: sign}
}

func (s *sum) enter(x, y kernel.Quant) {
	layer.Fill(s.unit, x.Scale)
	s.zx, s.y.Format = x.Zero, y
}

func (s *sum) leave(_ *kernel.Set, out kernel.Quant) {
	s.requant = grid.Requant(s.unit, s.m, &s.y, out, kernel.None)
	s.requant.MZ *= s.sign
}

func (s *sum) codes(set *kernel.Set, x, y []uint8, acc []int32, out, mask []uint8) {
	set.Widen(x, s.zx, acc)
	set.Requantize(acc, nil, y, out, mask, len(s.m), &s.requant)
}
