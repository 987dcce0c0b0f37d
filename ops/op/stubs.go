package op

import (
	"qpipe/ops/grid"
	"qpipe/ops/layer"
)

// QuantStub is where a network is quantized again behind a DeQuantStub. Codes with the type of its own pass through as they are: it
// is a concat of one operand.
type QuantStub struct{}

// DeQuantStub is where a network goes on in float32, whatever quantizes its operand.
type DeQuantStub struct{}

var (
	quantStubKind = &layer.Kind{
		Name: "quant", Least: 1, Most: 1, Output: layer.Joins, Flat: true, Aligned: true, Stub: layer.Quantizes,
		Shape: layer.Same, Train: newConcat, Integer: newConcat8,
	}
	deQuantStubKind = &layer.Kind{
		Name: "dequant", Least: 1, Most: 1, Output: layer.Values, Flat: true, Aligned: true, Floats: true, Stub: layer.Dequantizes,
		Shape: layer.Same, Train: newDequant, Integer: newDequant8,
	}
)

// Kind implements Op.
func (QuantStub) Kind() *layer.Kind { return quantStubKind }

// Node implements Op.
func (QuantStub) Node(in []layer.Source) (*layer.Node, error) {
	return layer.Like(quantStubKind, in[0]), nil
}

// Kind implements Op.
func (DeQuantStub) Kind() *layer.Kind { return deQuantStubKind }

// Node implements Op.
func (DeQuantStub) Node(in []layer.Source) (*layer.Node, error) {
	return layer.Like(deQuantStubKind, in[0]), nil
}

type dequantRunner struct {
	*layer.Bench
	node *layer.Node
	out  grid.Output
	dx   grid.Grad
	back func(i, worker int)
}

func newDequant(n *layer.Node, b *layer.Bench) layer.Runner {
	r := &dequantRunner{Bench: b, node: n}
	r.out.Init(b.Machine)
	r.out.Fill, r.back = r.fill, r.give
	return r
}

// Forward implements layer.Runner.
func (r *dequantRunner) Forward(n int, st grid.Step) grid.Value {
	s := r.node.Shape
	r.Bind(&r.out, n*s.H, s.W*s.C)
	return r.Complete(&r.out, st, &r.node.Quant, grid.Valued)
}

func (r *dequantRunner) fill(i, _ int, _ bool, _ []uint8) {
	e0, e1 := r.out.Elements(i)
	dequantize(r.Bench, r.out.Dst, e0, e1)
}

// dequantize writes the values of the first operand's elements e0 to e1.
func dequantize(b *layer.Bench, y []float32, e0, e1 int) {
	if x := b.In[0]; x.OnGrid {
		b.Set.Values(x.Codes[e0:e1], x.Format.Zero, x.Format.Scale, y[e0:e1])
	} else {
		copy(y[e0:e1], x.Data[e0:e1])
	}
}

// Backward implements layer.Runner.
func (r *dequantRunner) Backward(int) {
	r.dx = r.Gradient(0)
	r.Workers.Run(r.out.Cut.N, r.back)
}

func (r *dequantRunner) give(i, _ int) {
	e0, e1 := r.out.Elements(i)
	r.Give(r.dx, r.Grad[e0:e1], e0, e1)
}

type dequant8 struct {
	*layer.Bench
	width int
}

func newDequant8(n *layer.Node, b *layer.Bench) layer.Integer {
	return &dequant8{b, n.Shape.W * n.Shape.C}
}

// Begin implements layer.Integer.
func (r *dequant8) Begin(int) {}

// Run implements layer.Integer.
func (r *dequant8) Run(p layer.Piece) { dequantize(r.Bench, r.Out, p.R0*r.width, p.R1*r.width) }
