package arith

import (
	"qpipe/ops/grid"
	"qpipe/ops/kernel"
	"qpipe/ops/layer"
)

// Add adds two values. Of one shape, they may be added in the accumulator of a convolution; else one of them is repeated, and the
// addition is always a node of its own. Where the target has additions apart, one of one shape takes the activation behind it.
type Add struct{}

var addKind = &layer.Kind{
	Name: "add", Least: 2, Most: 2, Role: layer.Sum, Flat: true, Aligned: true,
	Shape: broadcast, Train: newAdd, Integer: newAdd8,
	Room: func(n *layer.Node, b *layer.Bench) layer.Room {
		if sameShape(b) {
			return n.PlainRoom()
		}
		return pairRoom(n, b)
	},
}

func sameShape(b *layer.Bench) bool { return b.In[0].Shape == b.In[1].Shape }

// Kind implements Op.
func (Add) Kind() *layer.Kind { return addKind }

// Node implements Op.
func (Add) Node(in []layer.Source) (*layer.Node, error) {
	x, y := in[0], in[1]
	switch {
	case x.Shape == y.Shape && x.Origin == y.Origin:
		return layer.Like(addKind, x), nil
	case x.Shape != x.Origin || y.Shape != y.Origin: // features in the order of a map, and others
		return nil, layer.BadOperand("", "Add them in front of the flatten, where they are maps.",
			"cannot add %s (%v) and %s (%v): their features have different orders, of maps of %v and %v", x.Name, x.Shape, y.Name, y.Shape, x.Origin, y.Origin)
	}
	return pairNode(addKind, "add", in)
}

type addRunner struct {
	*layer.Bench
	node          *layer.Node
	out           grid.Output
	requant       kernel.Requant
	unit, mul     []float32
	one, zero     []float32
	x, y          *layer.Operand
	dx, dy        grid.Grad
	backwardChunk func(i, worker int)
}

func newAdd(n *layer.Node, b *layer.Bench) layer.Runner {
	if !sameShape(b) {
		return newPair(spreadSum(), n, b)
	}
	c := n.Shape.C
	r := &addRunner{Bench: b, node: n, unit: make([]float32, c), mul: make([]float32, c), one: layer.Constant(c, 1), zero: make([]float32, c)}
	r.x, r.y = b.In[0], b.In[1]
	r.out.Init(b.Machine)
	r.out.Act = n.Act
	r.out.Fill, r.out.Target, r.backwardChunk = r.fill, r.target, r.give
	return r
}

func (r *addRunner) target(q kernel.Quant) {
	r.requant = grid.Requant(r.unit, r.mul, r.y.Value, q, r.node.Act)
}

func (r *addRunner) Forward(n int, st grid.Step) grid.Value {
	s := r.node.Shape
	for c := range r.unit {
		r.unit[c] = r.x.Unit()
	}
	w := grid.Valued
	if r.x.OnGrid && r.y.OnGrid {
		w = grid.Exact
	}
	r.Bind(&r.out, n*s.H, s.W*s.C)
	return r.Complete(&r.out, st, &r.node.Quant, w)
}

func (r *addRunner) fill(i, worker int, codes bool, mask []uint8) {
	e0, e1 := r.out.Elements(i)
	if codes {
		acc := r.Block[worker].I32[:e1-e0]
		r.Set.Widen(r.x.Codes[e0:e1], r.x.Format.Zero, acc)
		r.Set.Requantize(acc, nil, r.y.Codes[e0:e1], r.out.Codes[e0:e1], mask, r.node.Shape.C, &r.requant)
		return
	}
	sum := r.out.Dst[e0:e1]
	if r.x.OnGrid {
		r.Set.Values(r.x.Codes[e0:e1], r.x.Format.Zero, r.x.Format.Scale, sum)
	} else {
		copy(sum, r.x.Data[e0:e1])
	}
	r.Set.Affine(sum, r.y.Operand(e0, e1), sum, mask, r.one, r.zero, r.node.Act)
}

func (r *addRunner) Backward(int) {
	r.dx, r.dy = r.Gradient(0), r.Gradient(1)
	r.Workers.Run(r.out.Cut.N, r.backwardChunk)
}

func (r *addRunner) give(i, _ int) {
	e0, e1 := r.out.Elements(i)
	g, mask := r.Grad[e0:e1], r.out.Gate(e0, e1)
	for _, d := range [...]grid.Grad{r.dx, r.dy} {
		if d.Data != nil {
			r.Set.Gate(g, mask, d.Data[e0:e1], d.Add)
		}
	}
}

// add8 works on a row's codes, less the zero point.
type add8 struct {
	*layer.Rows
	one, zero []float32
}

func newAdd8(n *layer.Node, b *layer.Bench) layer.Integer {
	if !sameShape(b) {
		return newPair8(spreadSum(), n, b)
	}
	r := &add8{Rows: layer.NewRows(n, b), one: layer.Constant(n.Shape.C, 1), zero: make([]float32, n.Shape.C)}
	r.Unit(layer.Constant(n.Shape.C, b.In[0].Format.Scale), b.In[1].Value)
	return r
}

func (r *add8) Run(p layer.Piece) {
	x, y := r.In[0], r.In[1]
	acc := r.Block[p.Worker].I32[:r.Width]
	for at := p.R0 * r.Width; at < p.R1*r.Width; at += r.Width {
		end := at + r.Width
		r.Set.Widen(x.Codes[at:end], x.Format.Zero, acc)
		if r.Coded {
			r.Set.Requantize(acc, nil, y.Codes[at:end], r.Codes[at:end], nil, r.Node.Shape.C, &r.Requants[0])
			continue
		}
		r.Set.Dequantize(acc, nil, r.Out[at:end], r.Node.Shape.C, r.Units[0])
		r.Set.Affine(r.Out[at:end], y.Operand(at, end), r.Out[at:end], nil, r.one, r.zero, r.Node.Act)
	}
}
