package arith

import (
	"qpipe/ops/grid"
	"qpipe/ops/kernel"
	"qpipe/ops/layer"
)

// Mul multiplies two values: a gate of 1×1×C scales the channels of a map, one of H×W×1 its pixels.
type Mul struct{}

var mulKind = (&pair{
	of: multiply,
	slope: func(set *kernel.Set, k int, g, x, y, out []float32) []float32 {
		if k == 0 {
			x = y
		}
		multiply(set, g, x, out)
		return out
	},
	crossed: true,
	coder:   func(c int) coder { return &product{unit: make([]float32, c), m: make([]float32, c)} },
	exact:   true,
}).kind(layer.Kind{Name: "mul", Rereads: true})

// multiply computes out = x·y: each factor of y is that of a channel, of which there is one row.
func multiply(set *kernel.Set, x, y, out []float32) {
	const most = 2048 // channels, so that kernels keep them
	for len(x) > 0 {
		n := min(most, len(x))
		set.GateAffine(x[:n], nil, nil, out[:n], y[:n], nil, nil)
		x, y, out = x[n:], y[n:], out[n:]
	}
}

// Kind implements layer.Op.
func (Mul) Kind() *layer.Kind { return mulKind }

// Node implements layer.Op.
func (Mul) Node(in []layer.Source) (*layer.Node, error) { return pairNode(mulKind, "multiply", in) }

// product multiplies codes less their zero points.
type product struct {
	unit, m []float32 // by channel
	requant kernel.Requant
	zx, zy  int32
}

func (p *product) enter(x, y kernel.Quant) {
	layer.Fill(p.unit, x.Scale*y.Scale)
	p.zx, p.zy = x.Zero, y.Zero
}

func (p *product) leave(_ *kernel.Set, out kernel.Quant) {
	p.requant = grid.Requant(p.unit, p.m, nil, out, kernel.None)
}

func (p *product) codes(set *kernel.Set, x, y []uint8, _ []int32, out, mask []uint8) {
	set.Product(x, y, p.zx, p.zy, out, mask, &p.requant)
}

func (p *product) values(set *kernel.Set, x, y []uint8, acc []int32, out []float32) {
	products(x, y, p.zx, p.zy, acc)
	set.Dequantize(acc, nil, out, len(p.unit), p.unit)
}

func products(x, y []uint8, zx, zy int32, acc []int32) {
	y, acc = y[:len(x)], acc[:len(x)]
	for i, v := range x {
		acc[i] = (int32(v) - zx) * (int32(y[i]) - zy)
	}
}
