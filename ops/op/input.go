package op

import (
	"qpipe/ops/grid"
	"qpipe/ops/kernel"
	"qpipe/ops/layer"
	"qpipe/ops/tensor"
)

// Input is the network's input for images of that shape.
type Input struct{ Shape tensor.Shape }

var inputKind = &layer.Kind{
	Name:    "input",
	Shape:   func(n *layer.Node, _ []tensor.Shape) (tensor.Shape, error) { return n.Shape, nil },
	Train:   newInput,
	Integer: newInput8,
}

// Kind implements Op.
func (Input) Kind() *layer.Kind { return inputKind }

// Node implements Op.
func (i Input) Node([]layer.Source) (*layer.Node, error) {
	s := i.Shape.WithN(0)
	n := &layer.Node{Kind: inputKind, Shape: s, Origin: s}
	if s.H < 1 || s.W < 1 || s.C < 1 {
		return n, layer.BadArg("", "the input's shape %v has an extent below 1", s)
	}
	return n, nil
}

// inputRunner quantizes the images.
type inputRunner struct {
	*layer.Bench
	node *layer.Node
	out  grid.Output
}

func newInput(n *layer.Node, b *layer.Bench) layer.Runner {
	r := &inputRunner{Bench: b, node: n}
	r.out.Init(b.Machine)
	r.out.Fill = r.fill
	return r
}

func (r *inputRunner) Forward(n int, st grid.Step) grid.Value {
	s := r.node.Shape
	if !r.node.Quant.Spec.Quantized() {
		return grid.Value{Data: r.Images()}
	}
	r.Bind(&r.out, n*s.H, s.W*s.C)
	return r.Complete(&r.out, st, &r.node.Quant, grid.Coding)
}

func (r *inputRunner) fill(i, _ int, codes bool, mask []uint8) {
	e0, e1 := r.out.Elements(i)
	x := r.Images()[e0:e1]
	if codes {
		r.Set.Quantize(x, r.out.Codes[e0:e1], mask, r.out.Quant, kernel.None)
		return
	}
	copy(r.out.Dst[e0:e1], x)
}

// Backward leaves the gradient to the images in the node's own.
func (r *inputRunner) Backward(int) {
	for i := range r.out.Cut.N {
		r.Gate(&r.out, i)
	}
}

type input8 struct {
	*layer.Bench
	width int
}

func newInput8(n *layer.Node, b *layer.Bench) layer.Integer { return &input8{b, n.Shape.W * n.Shape.C} }

func (r *input8) Begin(int) {}

func (r *input8) Run(p layer.Piece) {
	e0, e1 := p.R0*r.width, p.R1*r.width
	if r.Coded {
		r.Set.Quantize(r.Images()[e0:e1], r.Codes[e0:e1], nil, r.Format, kernel.None)
	} else {
		copy(r.Out[e0:e1], r.Images()[e0:e1])
	}
}
