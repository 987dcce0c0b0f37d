package op

import (
	"qpipe/ops/grid"
	"qpipe/ops/kernel"
	"qpipe/ops/layer"
)

// Pointwise applies a function of one number to every element: one of the curves, by name.
//
// Of codes it is a table of 256 entries, the same in every form: the function's value in float32 for each code,
// and what that is quantized to.
type Pointwise struct{ Function string }

// curve is a function with its derivative.
type curve struct{ f, slope func(x float64) float64 }

var curveKinds = []*layer.Kind{
	pointwise("hard_swish", hardSwish, hardSwishSlope),
}

// hardSwish is x·min(max(x+3, 0), 6)/6 (Howard and others, 2019, "Searching for MobileNetV3").
func hardSwish(x float64) float64 { return x * min(max(x+3, 0), 6) / 6 }

func hardSwishSlope(x float64) float64 {
	switch {
	case x <= -3:
		return 0
	case x >= 3:
		return 1
	}
	return (2*x + 3) / 6
}

// pointwise is the row of a curve.
func pointwise(name string, f, slope func(x float64) float64) *layer.Kind {
	c := &curve{f, slope}
	return &layer.Kind{
		Name: name, Least: 1, Most: 1, Flat: true, Aligned: true, Rereads: true, Shape: layer.Same,
		Train:   func(n *layer.Node, b *layer.Bench) layer.Runner { return newPointwise(c, n, b) },
		Integer: func(n *layer.Node, b *layer.Bench) layer.Integer { return newPointwise8(c, n, b) },
	}
}

// Kind implements Op.
func (p Pointwise) Kind() *layer.Kind {
	for _, k := range curveKinds {
		if k.Name == p.Function {
			return k
		}
	}
	return nil
}

// Node implements Op.
func (p Pointwise) Node(in []layer.Source) (*layer.Node, error) {
	if p.Kind() == nil {
		return nil, layer.BadArg("function", "there is no function %q", p.Function)
	}
	return layer.Like(p.Kind(), in[0]), nil
}

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

// Functions are the names of the curves.
func Functions() []string {
	var names []string
	for _, k := range curveKinds {
		names = append(names, k.Name)
	}
	return names
}
