package convbn

import (
	"math"
	"slices"

	"qpipe/ops/grid"
	"qpipe/ops/kernel"
	"qpipe/ops/layer"
	"qpipe/ops/tensor"
)

// BatchNorm is a batch normalization, with Eps and Momentum as in PyTorch (zero means 1e-5 and 0.1).
// Behind a convolution it becomes a part of its node; else it is a node of its own.
type BatchNorm struct{ Eps, Momentum float64 }

var bnKind = &layer.Kind{
	Name: "bn", Least: 1, Most: 1, Role: layer.Norm, Aligned: true, Rereads: true,
	Shape: func(_ *layer.Node, in []tensor.Shape) (tensor.Shape, error) { return in[0], nil },
	Restore: func(n *layer.Node, f layer.Fields) (layer.Body, error) {
		bn, err := restoreBN(n.Shape.C, f)
		return &Lone{BN: bn}, err
	},
	Train: newNorm, Integer: newNorm8,
}

// Kind implements layer.Op.
func (BatchNorm) Kind() *layer.Kind { return bnKind }

// Node implements layer.Op.
func (a BatchNorm) Node(in []layer.Source) (*layer.Node, error) {
	if a.Eps == 0 {
		a.Eps = 1e-5
	}
	if a.Momentum == 0 {
		a.Momentum = 0.1
	}
	switch x := in[0]; {
	case a.Eps < 0:
		return nil, layer.BadArg("eps", "eps is %g", a.Eps)
	case a.Momentum < 0 || a.Momentum > 1:
		return nil, layer.BadArg("momentum", "the momentum %g is outside 0…1", a.Momentum)
	default:
		bn := &BN{C: x.Shape.C, Eps: a.Eps, Momentum: a.Momentum}
		return &layer.Node{Kind: bnKind, Shape: x.Shape, Origin: x.Origin, Body: &Lone{BN: bn}}, nil
	}
}

// Lone is a BN that follows no convolution. In the int8 form it is
// y = (x + Bias)·Mul in units of the operand's scale.
type Lone struct {
	BN   *BN
	Int8 bool
	Mul  []float32
	Bias []int32
}

// Clone implements layer.Body.
func (l *Lone) Clone() layer.Body {
	return &Lone{BN: l.BN.Clone(), Int8: l.Int8, Mul: slices.Clone(l.Mul), Bias: slices.Clone(l.Bias)}
}

// Attrs implements layer.Body.
func (l *Lone) Attrs() []layer.Attr { return []layer.Attr{l.BN.attr()} }

// Window implements layer.Body.
func (l *Lone) Window() string { return "no window" }

// Slots implements layer.Params.
func (l *Lone) Slots(name string) []layer.Slot {
	if !l.Int8 {
		return l.BN.slots()
	}
	return []layer.Slot{
		{Name: name + ".multiplier", Shape: []int{l.BN.C}, F32: &l.Mul},
		{Name: name + ".bias", Shape: []int{l.BN.C}, I32: &l.Bias},
	}
}

// Alloc implements layer.Params.
func (l *Lone) Alloc() {
	switch {
	case !l.Int8:
		l.BN.Alloc()
	case l.Mul == nil:
		l.Mul, l.Bias = make([]float32, l.BN.C), make([]int32, l.BN.C)
	}
}

// Init implements layer.Params.
func (l *Lone) Init(func() float64) {}

// Update implements layer.Params.
func (l *Lone) Update() {}

// Release implements layer.Params.
func (l *Lone) Release() {}

// BecomeInt8 implements layer.Params.
func (l *Lone) BecomeInt8() { l.Int8, l.Mul, l.Bias = true, nil, nil }

// Convert implements layer.Params.
func (l *Lone) Convert(scale float32) error {
	l.Int8 = true
	l.Alloc()
	for c := range l.Mul {
		l.Mul[c], l.Bias[c] = l.BN.affine(c, scale)
	}
	return nil
}

// affine is y = a·x + b of channel c with running statistics, as (x +
// bias)·mul in units of the operand's scale. Where a is so small that the bias
// would not be exact in float32, it is raised until it is, which moves no output
// by a hundredth of a step.
func (b *BN) affine(c int, scale float32) (mul float32, bias int32) {
	m, t := float64(b.Scale(c)), float64(b.Shift(c, 0))
	if least := math.Abs(t) / (float64(scale) * (1 << 23)); math.Abs(m) < least {
		m = math.Copysign(least, m)
	}
	if m == 0 {
		return 0, 0
	}
	return float32(m), int32(math.RoundToEven(t / (float64(scale) * float64(float32(m)))))
}

// normRunner runs a BN of its own. With running statistics and an operand on
// a grid it computes as the int8 form does.
type normRunner struct {
	*layer.Bench
	node                          *layer.Node
	bn                            *BN
	out                           grid.Output
	norm                          *Norm
	x                             *layer.Operand
	dx                            grid.Grad
	scale, shift, slope           []float32
	unit, mul                     []float32
	bias                          []int32
	requant                       kernel.Requant
	batch                         bool // normalizes with the batch's statistics
	exact                         bool // computes with integers
	sumTask, gateTask, centreTask func(i, worker int)
}

func newNorm(n *layer.Node, b *layer.Bench) layer.Runner {
	c := n.Shape.C
	r := &normRunner{Bench: b, node: n, bn: BNOf(n), norm: NewNorm(c), x: b.In[0], bias: make([]int32, c)}
	for _, s := range []*[]float32{&r.scale, &r.shift, &r.slope, &r.unit, &r.mul} {
		*s = make([]float32, c)
	}
	r.out.Init(b.Machine)
	r.out.Fill, r.out.Target = r.fill, r.target
	r.sumTask, r.gateTask, r.centreTask = r.sumChunk, r.gateChunk, r.centreChunk
	return r
}

func (r *normRunner) Forward(n int, st grid.Step) grid.Value {
	s := r.node.Shape
	r.batch = st.Train && !r.bn.Frozen
	r.exact = st.Quantize && r.x.OnGrid && !r.batch
	r.Bind(&r.out, n*s.H, s.W*s.C)
	if r.batch {
		r.Workers.Run(r.out.Cut.N, r.sumTask)
	}
	for c := range r.scale {
		r.norm.Unit(c, float64(r.x.Unit()))
		if r.batch {
			sum, sq := r.Total(r.out.Cut.N, s.C, c)
			r.scale[c], r.shift[c] = r.norm.Batch(c, r.bn, 0, sum, sq, float64(n*s.H*s.W))
		} else {
			r.scale[c], r.shift[c] = r.norm.Running(c, r.bn, 0)
		}
	}
	w := grid.Valued
	if r.exact {
		r.affine()
		w = grid.Exact
	}
	return r.Complete(&r.out, st, &r.node.Quant, w)
}

// affine computes the numbers of the int8 form.
func (r *normRunner) affine() {
	for c := range r.unit {
		m, b := r.bn.affine(c, r.x.Format.Scale)
		r.unit[c], r.bias[c] = r.x.Format.Scale*m, b
	}
}

func (r *normRunner) target(q kernel.Quant) {
	r.requant = grid.Requant(r.unit, r.mul, nil, q, kernel.None)
}

// plain returns the operand's elements as float32, codes less their zero point.
func (r *normRunner) plain(e0, e1, worker int) []float32 {
	if !r.x.OnGrid {
		return r.x.Data[e0:e1]
	}
	s := r.Block[worker].F32[:e1-e0]
	r.Set.Values(r.x.Codes[e0:e1], r.x.Format.Zero, 1, s)
	return s
}

func (r *normRunner) sumChunk(i, worker int) {
	e0, e1 := r.out.Elements(i)
	sum, sq := r.Partial(i, r.node.Shape.C)
	lo, hi := r.Extremes(i, r.node.Shape.C)
	r.Set.ChannelStats(r.plain(e0, e1, worker), sum, sq, lo, hi)
}

func (r *normRunner) fill(i, worker int, codes bool, mask []uint8) {
	e0, e1 := r.out.Elements(i)
	if !r.exact {
		r.Set.Affine(r.plain(e0, e1, worker), kernel.Operand{}, r.out.Dst[e0:e1], mask, r.scale, r.shift, kernel.None)
		return
	}
	acc := r.Block[worker].I32[:e1-e0]
	r.Set.Widen(r.x.Codes[e0:e1], r.x.Format.Zero, acc)
	if codes {
		r.Set.Requantize(acc, r.bias, nil, r.out.Codes[e0:e1], mask, r.node.Shape.C, &r.requant)
	} else {
		r.Set.Dequantize(acc, r.bias, r.out.Dst[e0:e1], r.node.Shape.C, r.unit)
	}
}

func (r *normRunner) Backward(n int) {
	s := r.node.Shape
	r.dx = r.Gradient(0)
	r.Workers.Run(r.out.Cut.N, r.gateTask)
	for c := range r.scale {
		g, gx := r.Total(r.out.Cut.N, s.C, c)
		r.scale[c], r.slope[c], r.shift[c] = r.norm.Backward(c, r.bn, r.batch, 0, g, gx, float64(n*s.H*s.W))
	}
	if r.dx.Data != nil {
		r.Workers.Run(r.out.Cut.N, r.centreTask)
	}
}

func (r *normRunner) gateChunk(i, worker int) {
	e0, e1 := r.out.Elements(i)
	sum, prod := r.Partial(i, r.node.Shape.C)
	r.Set.GateSums(r.Grad[e0:e1], r.out.Gate(e0, e1), r.plain(e0, e1, worker), nil, sum, prod)
}

func (r *normRunner) centreChunk(i, worker int) {
	e0, e1 := r.out.Elements(i)
	g := r.Grad[e0:e1]
	r.Set.GateAffine(g, r.out.Gate(e0, e1), r.plain(e0, e1, worker), g, r.scale, r.slope, r.shift)
	r.Set.Gate(g, nil, r.dx.Data[e0:e1], r.dx.Add)
}

// norm8 works on a row's codes, less the zero point.
type norm8 struct {
	*layer.Rows
	bias []int32
}

func newNorm8(n *layer.Node, b *layer.Bench) layer.Integer {
	l := n.Body.(*Lone)
	r := &norm8{Rows: layer.NewRows(n, b), bias: l.Bias}
	unit := make([]float32, len(l.Mul))
	for c, m := range l.Mul {
		unit[c] = m * b.In[0].Format.Scale
	}
	r.Unit(unit, nil)
	return r
}

func (r *norm8) Run(p layer.Piece) {
	x := r.In[0]
	acc := r.Block[p.Worker].I32[:r.Width]
	for at := p.R0 * r.Width; at < p.R1*r.Width; at += r.Width {
		r.Set.Widen(x.Codes[at:at+r.Width], x.Format.Zero, acc)
		r.Write(acc, r.bias, at, 0)
	}
}
