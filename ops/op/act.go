package op

import (
	"qpipe/ops/grid"
	"qpipe/ops/kernel"
	"qpipe/ops/layer"
)

// Act is a clamp, ReLU or ReLU6, where no convolution takes it. It passes codes on.
type Act struct{ Act kernel.Act }

var actKind = &layer.Kind{
	Name: "act", Least: 1, Most: 1, Output: layer.Passes, Role: layer.Clamp, Flat: true, Aligned: true, Floats: true,
	Shape: layer.Same, Train: newAct, Integer: newAct8,
	Label: func(n *layer.Node) string { return n.Act.String() },
}

// Kind implements Op.
func (Act) Kind() *layer.Kind { return actKind }

// Node implements Op.
func (a Act) Node(in []layer.Source) (*layer.Node, error) {
	if a.Act != kernel.ReLU && a.Act != kernel.ReLU6 {
		return nil, layer.BadArg("act", "there is no such activation; relu and relu6 are")
	}
	n := layer.Like(actKind, in[0])
	n.Act = a.Act
	return n, nil
}

// actRunner clamps codes, or values.
type actRunner struct {
	*layer.Bench
	node        *layer.Node
	out         grid.Output // for values
	x           *layer.Operand
	one, zero   []float32
	dx          grid.Grad
	forth, back func(i, worker int)
}

func newAct(n *layer.Node, b *layer.Bench) layer.Runner {
	r := &actRunner{Bench: b, node: n, x: b.In[0], one: layer.Constant(n.Shape.C, 1), zero: make([]float32, n.Shape.C)}
	r.out.Init(b.Machine)
	r.out.Act, r.out.Fill = n.Act, r.fill
	r.forth, r.back = r.clipChunk, r.backChunk
	return r
}

func (r *actRunner) Forward(n int, st grid.Step) grid.Value {
	s := r.node.Shape
	r.Bind(&r.out, n*s.H, s.W*s.C)
	if r.x.OnGrid {
		r.Workers.Run(r.out.Cut.N, r.forth)
		return grid.Value{Codes: r.Codes, OnGrid: true, Format: r.x.Format}
	}
	st.Observe, st.Quantize = false, false
	v := r.Complete(&r.out, st, &r.node.Quant, grid.Valued)
	v.Format = r.x.Format
	return v
}

func (r *actRunner) fill(i, _ int, _ bool, mask []uint8) {
	e0, e1 := r.out.Elements(i)
	r.Set.Affine(r.x.Data[e0:e1], kernel.Operand{}, r.out.Dst[e0:e1], mask, r.one, r.zero, r.node.Act)
}

// clipChunk clips codes to those of the activation's range.
func (r *actRunner) clipChunk(i, _ int) {
	e0, e1 := r.out.Elements(i)
	lo, hi := clipLimits(r.x.Format, r.node.Act)
	clip(r.x.Codes[e0:e1], r.Codes[e0:e1], lo, hi)
}

// clipLimits are the codes of an activation's limits.
func clipLimits(q kernel.Quant, act kernel.Act) (lo, hi uint8) {
	r := kernel.Requant{Zero: q.Zero, Min: q.Min, Max: q.Max, Act: act, Six: grid.Six(q)}
	l, h := r.Bounds()
	return uint8(l), uint8(h)
}

func clip(x, y []uint8, lo, hi uint8) {
	y = y[:len(x)]
	for i, v := range x {
		y[i] = min(max(v, lo), hi)
	}
}

func (r *actRunner) Backward(int) {
	r.dx = r.Gradient(0)
	if r.dx.Data != nil {
		r.Workers.Run(r.out.Cut.N, r.back)
	}
}

func (r *actRunner) backChunk(i, _ int) {
	e0, e1 := r.out.Elements(i)
	g := r.Grad[e0:e1]
	if !r.x.OnGrid {
		r.Set.Gate(g, r.out.Gate(e0, e1), r.dx.Data[e0:e1], r.dx.Add)
		return
	}
	// On codes: inside the linear part is strictly between the limits, and ReLU has no upper one.
	lo, hi := clipLimits(r.x.Format, r.node.Act)
	open := r.node.Act == kernel.ReLU || 6/r.x.Format.Scale > float32(r.x.Format.Max-r.x.Format.Zero)+0.5
	for j, v := range r.Codes[e0:e1] {
		if !(v > lo && (v < hi || open)) {
			g[j] = 0
		}
	}
	r.Give(r.dx, g, e0, e1)
}

type act8 struct {
	*layer.Rows
	one, zero []float32
}

func newAct8(n *layer.Node, b *layer.Bench) layer.Integer {
	return &act8{Rows: layer.NewRows(n, b), one: layer.Constant(n.Shape.C, 1), zero: make([]float32, n.Shape.C)}
}

func (r *act8) Run(p layer.Piece) {
	x, e0, e1 := r.In[0], p.R0*r.Width, p.R1*r.Width
	if !r.Coded {
		r.Set.Affine(x.Data[e0:e1], kernel.Operand{}, r.Out[e0:e1], nil, r.one, r.zero, r.Node.Act)
		return
	}
	lo, hi := clipLimits(x.Format, r.Node.Act)
	clip(x.Codes[e0:e1], r.Codes[e0:e1], lo, hi)
}
