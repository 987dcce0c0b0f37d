package nn

import (
	"qpipe/ops/convbn"
	"qpipe/ops/grid"
	"qpipe/ops/kernel"
)

// inputOp brings the images in.
type inputOp struct {
	e   *Net
	c   *cell
	out grid.Output
}

func newInputOp(e *Net, c *cell) *inputOp {
	o := &inputOp{e: e, c: c}
	o.out.Init(e.m)
	o.out.Fill = o.fill
	return o
}

func (o *inputOp) bind() { o.out.Codes, o.out.Mask = o.c.codes, o.c.mask }

func (o *inputOp) forward(n int, st grid.Step) grid.Value {
	s := o.c.shape
	if !o.c.quant.Spec.Quantized() {
		return grid.Value{Data: o.e.x}
	}
	o.out.Out = o.c.out
	o.out.Bind(n*s.H, s.W*s.C)
	o.out.Begin(st, &o.c.quant, grid.Coding)
	return o.out.Forward(st, &o.c.quant)
}

func (o *inputOp) fill(i, _ int, codes bool, mask []uint8) {
	e0, e1 := o.out.Elements(i)
	if codes {
		o.e.set.Quantize(o.e.x[e0:e1], o.out.Codes[e0:e1], mask, o.out.Q, kernel.None)
		return
	}
	copy(o.out.Dst[e0:e1], o.e.x[e0:e1])
}

func (o *inputOp) backward(int) {
	for i := range o.out.Cut.N {
		e0, e1 := o.out.Elements(i)
		if mask := o.out.Gate(e0, e1); mask != nil {
			o.e.set.Gate(o.c.grad[e0:e1], mask, o.c.grad[e0:e1], false)
		}
	}
}

// addOp adds two values where no convolution could take the addition.
type addOp struct {
	e         *Net
	c         *cell
	out       grid.Output
	req       kernel.Requant
	unit, mul []float32
	one, zero []float32
	a, b      *grid.Value
	da, db    convbn.Grad
	back      func(i, worker int)
	exact     bool
}

func newAddOp(e *Net, c *cell) *addOp {
	n := c.shape.C
	o := &addOp{e: e, c: c, unit: make([]float32, n), mul: make([]float32, n), one: constant(n, 1), zero: make([]float32, n)}
	o.out.Init(e.m)
	o.out.Fill, o.out.Target, o.back = o.fill, o.target, o.backChunk
	return o
}

func (o *addOp) bind() { o.out.Out, o.out.Codes, o.out.Mask = o.c.out, o.c.codes, o.c.mask }

func (o *addOp) target(q kernel.Quant) { o.req = grid.Requant(o.unit, o.mul, o.b, q, kernel.None) }

func (o *addOp) forward(n int, st grid.Step) grid.Value {
	s := o.c.shape
	o.a, o.b = &o.e.cells[o.c.in[0]].val, &o.e.cells[o.c.in[1]].val
	for c := range o.unit {
		o.unit[c] = o.a.Unit()
	}
	w := grid.Valued
	if o.exact = o.a.On && o.b.On; o.exact {
		w = grid.Exact
	}
	o.out.Bind(n*s.H, s.W*s.C)
	o.out.Begin(st, &o.c.quant, w)
	return o.out.Forward(st, &o.c.quant)
}

func (o *addOp) fill(i, worker int, codes bool, mask []uint8) {
	e0, e1 := o.out.Elements(i)
	set, block := o.e.set, o.e.m.Block[worker]
	if codes {
		acc := block.I32[:e1-e0]
		set.Widen(o.a.Codes[e0:e1], o.a.Q.Zero, acc)
		set.Requantize(acc, nil, o.b.Codes[e0:e1], o.out.Codes[e0:e1], mask, o.c.shape.C, &o.req)
		return
	}
	x := o.out.Dst[e0:e1]
	if o.a.On {
		set.Values(o.a.Codes[e0:e1], o.a.Q.Zero, o.a.Q.Scale, x)
	} else {
		copy(x, o.a.Data[e0:e1])
	}
	set.Affine(x, o.b.Operand(e0, e1), x, mask, o.one, o.zero, kernel.None)
}

func (o *addOp) backward(int) {
	o.da, o.db = o.e.gradOf(o.c.in[0]), o.e.gradOf(o.c.in[1])
	o.e.pool.Run(o.out.Cut.N, o.back)
}

func (o *addOp) backChunk(i, _ int) {
	e0, e1 := o.out.Elements(i)
	g, mask := o.c.grad[e0:e1], o.out.Gate(e0, e1)
	for _, d := range [...]convbn.Grad{o.da, o.db} {
		if d.Data != nil {
			o.e.set.Gate(g, mask, d.Data[e0:e1], d.Add)
		}
	}
}

// give hands g to elements e0 to e1 of a gradient.
func (e *Net) give(d convbn.Grad, g []float32, e0, e1 int) {
	if d.Data != nil {
		e.set.Gate(g, nil, d.Data[e0:e1], d.Add)
	}
}

// actOp is an activation of its own. It passes codes on.
type actOp struct {
	e           *Net
	c           *cell
	out         grid.Output // for values
	x           *grid.Value
	one, zero   []float32
	dx          convbn.Grad
	forth, back func(i, worker int)
}

func newActOp(e *Net, c *cell) *actOp {
	o := &actOp{e: e, c: c, one: constant(c.shape.C, 1), zero: make([]float32, c.shape.C)}
	o.out.Init(e.m)
	o.out.Act, o.out.Fill = c.act, o.fill
	o.forth, o.back = o.clipChunk, o.backChunk
	return o
}

func (o *actOp) bind() { o.out.Out, o.out.Codes, o.out.Mask = o.c.out, o.c.codes, o.c.mask }

func (o *actOp) forward(n int, st grid.Step) grid.Value {
	s := o.c.shape
	o.x = &o.e.cells[o.c.in[0]].val
	o.out.Bind(n*s.H, s.W*s.C)
	if o.x.On {
		o.e.pool.Run(o.out.Cut.N, o.forth)
		return grid.Value{Codes: o.c.codes, On: true, Q: o.x.Q}
	}
	st.Observe, st.Quantize = false, false
	o.out.Begin(st, &o.c.quant, grid.Valued)
	v := o.out.Forward(st, &o.c.quant)
	v.Q = o.x.Q
	return v
}

func (o *actOp) fill(i, _ int, _ bool, mask []uint8) {
	e0, e1 := o.out.Elements(i)
	o.e.set.Affine(o.x.Data[e0:e1], kernel.Operand{}, o.out.Dst[e0:e1], mask, o.one, o.zero, o.c.act)
}

// clipChunk clips codes to those of the activation's range.
func (o *actOp) clipChunk(i, _ int) {
	e0, e1 := o.out.Elements(i)
	lo, hi := clipLimits(o.x.Q, o.c.act)
	clip(o.x.Codes[e0:e1], o.c.codes[e0:e1], lo, hi)
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

func (o *actOp) backward(int) {
	o.dx = o.e.gradOf(o.c.in[0])
	if o.dx.Data != nil {
		o.e.pool.Run(o.out.Cut.N, o.back)
	}
}

func (o *actOp) backChunk(i, _ int) {
	e0, e1 := o.out.Elements(i)
	g := o.c.grad[e0:e1]
	if !o.x.On {
		o.e.set.Gate(g, o.out.Gate(e0, e1), o.dx.Data[e0:e1], o.dx.Add)
		return
	}
	// On codes: inside the linear part is strictly between the limits, and ReLU has no upper one.
	lo, hi := clipLimits(o.x.Q, o.c.act)
	open := o.c.act == kernel.ReLU || 6/o.x.Q.Scale > float32(o.x.Q.Max-o.x.Q.Zero)+0.5
	for j, v := range o.c.codes[e0:e1] {
		if !(v > lo && (v < hi || open)) {
			g[j] = 0
		}
	}
	o.e.give(o.dx, g, e0, e1)
}
