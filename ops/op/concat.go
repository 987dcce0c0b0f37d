package op

import (
	"fmt"

	"qpipe/ops/grid"
	"qpipe/ops/kernel"
	"qpipe/ops/layer"
	"qpipe/ops/tensor"
)

// Concat joins values of the same height and width along the channels.
type Concat struct{}

var concatKind = &layer.Kind{
	Name: "concat", Least: 2, Most: -1, Output: layer.Joins,
	Shape: concatShape, Train: newConcat, Integer: newConcat8,
}

func concatShape(_ *layer.Node, in []tensor.Shape) (tensor.Shape, error) {
	out := in[0]
	for _, s := range in[1:] {
		if s.H != out.H || s.W != out.W {
			return out, fmt.Errorf("height and width differ: %v and %v", in[0], s)
		}
		out.C += s.C
	}
	return out, nil
}

// Kind implements Op.
func (Concat) Kind() *layer.Kind { return concatKind }

// Node implements Op.
func (Concat) Node(in []layer.Source) (*layer.Node, error) {
	out, err := concatShape(nil, layer.Shapes(in))
	if err != nil {
		return nil, odd(in)
	}
	return &layer.Node{Kind: concatKind, Shape: out, Origin: out}, nil
}

// odd is the mistake of operands of different heights or widths: of more than two it is at the one that differs from the others.
func odd(in []layer.Source) error {
	alike := func(i, j int) bool { return in[i].Shape.H == in[j].Shape.H && in[i].Shape.W == in[j].Shape.W }
	i := 1
	for alike(0, i) {
		i++
	}
	at := in[i].Name
	switch {
	case len(in) == 2:
		at = ""
	case i == 1 && alike(1, 2):
		at = in[0].Name
	}
	return layer.Differ(at, "join", in[0], in[i], false)
}

type concatRunner struct {
	*layer.Bench
	node  *layer.Node
	out   grid.Output
	parts []joint
	back  func(i, worker int)
}

// joint is one operand of a concat.
type joint struct {
	x         *layer.Operand
	width     int
	unit, mul []float32
	requant   kernel.Requant
	dx        grid.Grad
}

func newConcat(n *layer.Node, b *layer.Bench) layer.Runner {
	r := &concatRunner{Bench: b, node: n}
	for _, x := range b.In {
		w := x.Shape.C
		r.parts = append(r.parts, joint{x: x, width: w, unit: make([]float32, w), mul: make([]float32, w)})
	}
	r.out.Init(b.Machine)
	r.out.Fill, r.out.Target, r.out.Format, r.back = r.fill, r.target, b.JoinedFormat, r.backChunk
	return r
}

func (r *concatRunner) Forward(n int, st grid.Step) grid.Value {
	s, w := r.node.Shape, grid.Exact
	for k := range r.parts {
		p := &r.parts[k]
		if !p.x.OnGrid {
			w = grid.Valued
		}
		for c := range p.unit {
			p.unit[c] = p.x.Unit()
		}
	}
	r.Bind(&r.out, n*s.H, s.W*s.C)
	return r.Complete(&r.out, st, &r.node.Quant, w)
}

func (r *concatRunner) target(q kernel.Quant) {
	for k := range r.parts {
		p := &r.parts[k]
		p.requant = grid.Requant(p.unit, p.mul, nil, q, kernel.None)
	}
}

func (r *concatRunner) fill(i, worker int, codes bool, mask []uint8) {
	e0, e1 := r.out.Elements(i)
	c, at := r.node.Shape.C, 0
	clear(mask)
	for k := range r.parts {
		p := &r.parts[k]
		p0, p1 := e0/c*p.width, e1/c*p.width
		b := r.Block[worker]
		if codes {
			y, bits := b.U8[:p1-p0], []uint8(nil)
			if mask != nil {
				bits = b.U8[p1-p0:][:(p1-p0+7)/8]
			}
			r.Set.Widen(p.x.Codes[p0:p1], p.x.Format.Zero, b.I32[:p1-p0])
			r.Set.Requantize(b.I32[:p1-p0], nil, nil, y, bits, p.width, &p.requant)
			spread(y, r.out.Codes[e0+at:e1], p.width, c)
			interleave(bits, mask, p.width, c, at, p1-p0)
		} else {
			x := b.F32[:p1-p0]
			if p.x.OnGrid {
				r.Set.Values(p.x.Codes[p0:p1], p.x.Format.Zero, p.x.Format.Scale, x)
			} else {
				x = p.x.Data[p0:p1]
			}
			spread(x, r.out.Dst[e0+at:e1], p.width, c)
		}
		at += p.width
	}
}

// spread writes rows of width elements to where they lie step apart in y.
func spread[T any](x, y []T, width, step int) {
	for i := 0; i < len(x); i += width {
		copy(y[i/width*step:], x[i:i+width])
	}
}

// interleave sets the bits of rows of width elements in the mask of rows of step elements, from at on.
func interleave(bits, mask []uint8, width, step, at, n int) {
	if mask == nil {
		return
	}
	for i := range n {
		k := i/width*step + at + i%width
		mask[k/8] |= bits[i/8] >> (i % 8) & 1 << (k % 8)
	}
}

func (r *concatRunner) Backward(int) {
	for k := range r.parts {
		r.parts[k].dx = r.Gradient(k)
	}
	r.Workers.Run(r.out.Cut.N, r.back)
}

func (r *concatRunner) backChunk(i, _ int) {
	e0, e1 := r.out.Elements(i)
	c, at := r.node.Shape.C, 0
	r.Gate(&r.out, i)
	for k := range r.parts {
		p := &r.parts[k]
		for j := e0 / c; j < e1/c; j++ {
			r.Give(p.dx, r.Grad[j*c+at:j*c+at+p.width], j*p.width, (j+1)*p.width)
		}
		at += p.width
	}
}

type concat8 struct{ *layer.Rows }

func newConcat8(n *layer.Node, b *layer.Bench) layer.Integer {
	r := &concat8{layer.NewRows(n, b)}
	for _, x := range b.In {
		r.Unit(layer.Constant(x.Shape.C, x.Format.Scale), nil)
	}
	return r
}

func (r *concat8) Run(p layer.Piece) {
	b, step := r.Block[p.Worker], r.Node.Shape.C
	for row := p.R0; row < p.R1; row++ {
		at := row * r.Width
		for k, x := range r.In {
			size, c := r.Node.Shape.W*x.Shape.C, x.Shape.C
			codes := x.Codes[row*size : (row+1)*size]
			if r.Coded && x.Format == r.Format { // the integers pass through
				spread(codes, r.Codes[at:], c, step)
				at += c
				continue
			}
			acc := b.I32[:size]
			r.Set.Widen(codes, x.Format.Zero, acc)
			if r.Coded {
				r.Set.Requantize(acc, nil, nil, b.U8[:size], nil, c, &r.Requants[k])
				spread(b.U8[:size], r.Codes[at:], c, step)
			} else {
				r.Set.Dequantize(acc, nil, b.F32[:size], c, r.Units[k])
				spread(b.F32[:size], r.Out[at:], c, step)
			}
			at += c
		}
	}
}
