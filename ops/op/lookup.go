package op

import (
	"qpipe/ops/grid"
	"qpipe/ops/kernel"
	"qpipe/ops/layer"
)

// lookup is a curve over codes: value and slope of each, and what the value is quantized to.
type lookup struct {
	value, slope [256]float32
	code         [256]uint8
	mask         [256 / 8]uint8
}

// enter computes the values of codes in the format q.
func (l *lookup) enter(c *curve, q kernel.Quant) {
	for i := range l.value {
		x := float64(float32(int32(i)-q.Zero) * q.Scale)
		l.value[i], l.slope[i] = float32(c.f(x)), float32(c.slope(x))
	}
}

// leave computes the codes of the values in the format q.
func (l *lookup) leave(set *kernel.Set, q kernel.Quant) {
	set.Quantize(l.value[:], l.code[:], l.mask[:], q, kernel.None)
}

type pointwiseRunner struct {
	*layer.Bench
	node  *layer.Node
	curve *curve
	out   grid.Output
	x     *layer.Operand
	table lookup
	dx    grid.Grad
	back  func(i, worker int)
}

func newPointwise(c *curve, n *layer.Node, b *layer.Bench) layer.Runner {
	r := &pointwiseRunner{Bench: b, node: n, curve: c, x: b.In[0]}
	r.out.Init(b.Machine)
	r.out.Fill, r.out.Target, r.back = r.fill, r.target, r.backChunk
	return r
}

func (r *pointwiseRunner) target(q kernel.Quant) { r.table.leave(r.Set, q) }

func (r *pointwiseRunner) Forward(n int, st grid.Step) grid.Value {
	s, w := r.node.Shape, grid.Valued
	if r.x.OnGrid {
		w = grid.Exact
		r.table.enter(r.curve, r.x.Format)
	}
	r.Bind(&r.out, n*s.H, s.W*s.C)
	return r.Complete(&r.out, st, &r.node.Quant, w)
}

func (r *pointwiseRunner) fill(i, _ int, codes bool, mask []uint8) {
	e0, e1 := r.out.Elements(i)
	switch {
	case !r.x.OnGrid:
		y := r.out.Dst[e0:e1]
		for j, x := range r.x.Data[e0:e1] {
			y[j] = float32(r.curve.f(float64(x)))
		}
	case codes:
		y := r.out.Codes[e0:e1]
		for j, x := range r.x.Codes[e0:e1] {
			y[j] = r.table.code[x]
		}
		r.pass(r.x.Codes[e0:e1], mask)
	default:
		y := r.out.Dst[e0:e1]
		for j, x := range r.x.Codes[e0:e1] {
			y[j] = r.table.value[x]
		}
	}
}

// pass sets the bits of the elements whose gradient passes the output's quantization.
func (r *pointwiseRunner) pass(codes, mask []uint8) {
	if mask == nil {
		return
	}
	clear(mask)
	for j, x := range codes {
		mask[j/8] |= r.table.mask[x/8] >> (x % 8) & 1 << (j % 8)
	}
}

func (r *pointwiseRunner) Backward(int) {
	r.dx = r.Gradient(0)
	if r.dx.Data != nil {
		r.Workers.Run(r.out.Cut.N, r.back)
	}
}

func (r *pointwiseRunner) backChunk(i, _ int) {
	e0, e1 := r.out.Elements(i)
	g := r.Gate(&r.out, i)
	if r.x.OnGrid {
		for j, x := range r.x.Codes[e0:e1] {
			g[j] *= r.table.slope[x]
		}
	} else {
		for j, x := range r.x.Data[e0:e1] {
			g[j] *= float32(r.curve.slope(float64(x)))
		}
	}
	r.Give(r.dx, g, e0, e1)
}

type pointwise8 struct {
	*layer.Rows
	table lookup
}

func newPointwise8(c *curve, n *layer.Node, b *layer.Bench) layer.Integer {
	r := &pointwise8{Rows: layer.NewRows(n, b)}
	r.table.enter(c, b.In[0].Format)
	if b.Coded {
		r.table.leave(b.Set, b.Format)
	}
	return r
}

func (r *pointwise8) Run(p layer.Piece) {
	e0, e1 := p.R0*r.Width, p.R1*r.Width
	x := r.In[0].Codes[e0:e1]
	if r.Coded {
		for j, c := range x {
			r.Codes[e0+j] = r.table.code[c]
		}
		return
	}
	for j, c := range x {
		r.Out[e0+j] = r.table.value[c]
	}
}
