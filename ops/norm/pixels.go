package norm

import (
	"qpipe/ops/grid"
	"qpipe/ops/kernel"
	"qpipe/ops/layer"
)

// pixels normalizes the channels of each pixel.
type pixels struct {
	*layer.Bench
	body *body
	x    *layer.Operand
	c    int
}

// of finds what a pixel's channels d are computed with: (d - mean)·factor is float32(d·a) + b.
func (r *pixels) of(d []float32, unit float64) (inv float64, a, b float32) {
	sum, sq := 0.0, 0.0
	for _, v := range d {
		sum += float64(v)
		sq += float64(float64(v) * float64(v))
	}
	mean, inv, factor := coefficients(sum, sq, float64(len(d)), unit, r.body.Eps)
	return inv, float32(factor), float32(-float64(mean * factor))
}

// normalize computes whole pixels of their plain values d; y may be d.
func (r *pixels) normalize(d, y []float32) {
	unit := float64(r.x.Unit())
	for at := 0; at < len(d); at += r.c {
		x, to := d[at:][:r.c], y[at:][:r.c]
		_, a, b := r.of(x, unit)
		for i, v := range x {
			to[i] = float32(v*a) + b
		}
	}
	if w, bias := r.body.factors(); w != nil {
		r.Set.Affine(y, kernel.Operand{}, y, nil, w, bias, kernel.None)
	}
}

type pixelsRunner struct {
	pixels
	node     *layer.Node
	out      grid.Output
	dx       grid.Grad
	backTask func(i, worker int)
}

func newPixels(n *layer.Node, b *layer.Bench) layer.Runner {
	r := &pixelsRunner{pixels: pixels{b, bodyOf(n), b.In[0], n.Shape.C}, node: n}
	r.out.Init(b.Machine)
	r.out.Fill, r.backTask = r.fill, r.backChunk
	return r
}

// Forward implements layer.Runner.
func (r *pixelsRunner) Forward(n int, st grid.Step) grid.Value {
	s := r.node.Shape
	r.Bind(&r.out, n*s.H, s.W*s.C)
	return r.Complete(&r.out, st, &r.node.Quant, grid.Valued)
}

func (r *pixelsRunner) fill(i, worker int, _ bool, _ []uint8) {
	e0, e1 := r.out.Elements(i)
	r.normalize(r.Floats(r.x, e0, e1, worker), r.out.Dst[e0:e1])
}

// Backward implements layer.Runner.
func (r *pixelsRunner) Backward(int) {
	r.dx = r.Gradient(0)
	r.Workers.Run(r.out.Cut.N, r.backTask)
	if !r.body.Affine {
		return
	}
	for c := range r.c {
		dw, db := r.Total(r.out.Cut.N, r.c, c)
		r.body.weight.Grad[c], r.body.bias.Grad[c] = float32(dw), float32(db)
	}
}

func (r *pixelsRunner) backChunk(i, worker int) {
	e0, e1 := r.out.Elements(i)
	g, d, unit := r.Gate(&r.out, i), r.Floats(r.x, e0, e1, worker), float64(r.x.Unit())
	dw, db := r.Partial(i, r.c)
	w, _ := r.body.factors()
	for at := 0; at < len(g); at += r.c {
		dy, x := g[at:][:r.c], d[at:][:r.c]
		inv, a, b := r.of(x, unit)
		all, along := 0.0, 0.0 // of the normalized values' gradient: its sum, and that of its products with them
		for c, e := range dy {
			v := float64(float32(x[c]*a) + b)
			dw[c] += float64(float64(e) * v)
			db[c] += float64(e)
			if w != nil {
				e *= w[c]
				dy[c] = e
			}
			all += float64(e)
			along += float64(float64(e) * v)
		}
		all, along = all/float64(r.c), along/float64(r.c)
		for c, e := range dy {
			v := float64(float32(x[c]*a) + b)
			dy[c] = float32(inv * (float64(e) - all - float64(v*along)))
		}
	}
	r.Give(r.dx, g, e0, e1)
}

// pixels8 is the same of codes.
type pixels8 struct {
	pixels
	width int
}

func newPixels8(n *layer.Node, b *layer.Bench) layer.Integer {
	return &pixels8{pixels{b, bodyOf(n), b.In[0], n.Shape.C}, n.Shape.W * n.Shape.C}
}

// Begin implements layer.Integer.
func (r *pixels8) Begin(int) {}

// Run implements layer.Integer.
func (r *pixels8) Run(p layer.Piece) {
	for at := p.R0 * r.width; at < p.R1*r.width; at += r.width {
		v := r.Floats(r.x, at, at+r.width, p.Worker)
		r.normalize(v, v)
		write(r.Bench, v, at)
	}
}
