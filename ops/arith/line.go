package arith

import (
	"qpipe/ops/grid"
	"qpipe/ops/kernel"
	"qpipe/ops/layer"
)

// line is y = a·x + b by channel, of codes less their zero point or of values.
type line struct {
	a, b   []float32 // of the output's values
	ca, cb []float32 // of its codes less their zero point
	quant  kernel.Quant
}

func newLine(channels int) line {
	var l line
	for _, s := range []*[]float32{&l.a, &l.b, &l.ca, &l.cb} {
		*s = make([]float32, channels)
	}
	return l
}

// enter sets the numbers of values for an operand whose unit is that.
func (l *line) enter(weight, bias []float32, unit float32) {
	for c, w := range weight {
		l.a[c] = w * unit
	}
	copy(l.b, bias)
}

// leave sets those of codes.
func (l *line) leave(out kernel.Quant) {
	for c := range l.a {
		l.ca[c], l.cb[c] = l.a[c]/out.Scale, l.b[c]/out.Scale
	}
	l.quant = out
	l.quant.Scale = 1
}

// values computes values, codes the codes of an output.
func (l *line) values(set *kernel.Set, x, y []float32) {
	set.Affine(x, kernel.Operand{}, y, nil, l.a, l.b, kernel.None)
}

func (l *line) codes(set *kernel.Set, x []float32, y, mask []uint8) {
	set.AffineQuant(x, kernel.Operand{}, y, mask, l.ca, l.cb, kernel.None, l.quant)
}

// scaleRunner runs a scale. Of an operand on a grid it computes as the int8 form does.
type scaleRunner struct {
	*layer.Bench
	line
	node              *layer.Node
	body              *scale
	out               grid.Output
	x                 *layer.Operand
	dx                grid.Grad
	sumTask, backTask func(i, worker int)
}

func newScale(n *layer.Node, b *layer.Bench) layer.Runner {
	r := &scaleRunner{Bench: b, line: newLine(n.Shape.C), node: n, body: n.Body.(*scale), x: b.In[0]}
	r.out.Init(b.Machine)
	r.out.Fill, r.out.Target, r.sumTask, r.backTask = r.fill, r.leave, r.sumChunk, r.backChunk
	return r
}

// Forward implements layer.Runner.
func (r *scaleRunner) Forward(n int, st grid.Step) grid.Value {
	s, w := r.node.Shape, grid.Valued
	if r.x.OnGrid {
		w = grid.Exact
	}
	r.enter(r.body.weight.Data, r.body.bias.Data, r.x.Unit())
	r.Bind(&r.out, n*s.H, s.W*s.C)
	return r.Complete(&r.out, st, &r.node.Quant, w)
}

func (r *scaleRunner) fill(i, worker int, codes bool, mask []uint8) {
	e0, e1 := r.out.Elements(i)
	if x := r.Floats(r.x, e0, e1, worker); codes {
		r.codes(r.Set, x, r.out.Codes[e0:e1], mask)
	} else {
		r.values(r.Set, x, r.out.Dst[e0:e1])
	}
}

// Backward implements layer.Runner.
func (r *scaleRunner) Backward(int) {
	r.dx = r.Gradient(0)
	chunks, c := r.out.Cut.N, r.body.channels
	r.Workers.Run(chunks, r.sumTask)
	for k := range c {
		g, gx := r.Total(chunks, c, k)
		r.body.weight.Grad[k] = float32(gx * float64(r.x.Unit()))
		if r.body.Bias {
			r.body.bias.Grad[k] = float32(g)
		}
	}
	if r.dx.Data != nil {
		r.Workers.Run(chunks, r.backTask)
	}
}

func (r *scaleRunner) sumChunk(i, worker int) {
	e0, e1 := r.out.Elements(i)
	sum, prod := r.Partial(i, r.body.channels)
	r.Set.GateSums(r.Grad[e0:e1], r.out.Gate(e0, e1), r.Floats(r.x, e0, e1, worker), nil, sum, prod)
}

func (r *scaleRunner) backChunk(i, _ int) {
	e0, e1 := r.out.Elements(i)
	g := r.Grad[e0:e1]
	r.Set.GateAffine(g, r.out.Gate(e0, e1), nil, g, r.body.weight.Data, nil, nil)
	r.Give(r.dx, g, e0, e1)
}

// scale8 is the int8 form, row by row.
type scale8 struct {
	*layer.Rows
	line
}

func newScale8(n *layer.Node, b *layer.Bench) layer.Integer {
	r := &scale8{layer.NewRows(n, b), newLine(n.Shape.C)}
	body := n.Body.(*scale)
	r.enter(body.fixed[0], body.fixed[1], b.In[0].Format.Scale)
	if b.Coded {
		r.leave(b.Format)
	}
	return r
}

// Run implements layer.Integer.
func (r *scale8) Run(p layer.Piece) {
	x, block := r.In[0], r.Block[p.Worker].F32[:r.Width]
	for at := p.R0 * r.Width; at < p.R1*r.Width; at += r.Width {
		r.Set.Values(x.Codes[at:at+r.Width], x.Format.Zero, 1, block)
		if r.Coded {
			r.codes(r.Set, block, r.Codes[at:at+r.Width], nil)
		} else {
			r.values(r.Set, block, r.Out[at:at+r.Width])
		}
	}
}
