package curve

import (
	"encoding/binary"

	"qpipe/ops/grid"
	"qpipe/ops/kernel"
	"qpipe/ops/layer"
)

// lookup is a curve over codes: value and slope of each, what the value is quantized to, and 1 where the gradient passes that.
type lookup struct {
	value, slope [256]float32
	code, pass   [256]uint8
	mask         [256 / 8]uint8 // pass, as kernels write it
}

// enter computes the values of codes in the format q.
func (l *lookup) enter(m *grid.Machine, c steps, q kernel.Quant) {
	for i := range l.slope {
		l.slope[i] = float32(int32(i)-q.Zero) * q.Scale
	}
	m.Set.Formula(c.f, l.slope[:], nil, l.value[:], m.Block[0])
	m.Set.Formula(c.slope, l.slope[:], nil, l.slope[:], m.Block[0])
}

// Values are what the node's curve makes of each code of a format; nil if the node is no curve.
func Values(n *layer.Node, set *kernel.Set, q kernel.Quant) []float32 {
	k := Pointwise{Function: n.Kind.Name}.row()
	if k == nil {
		return nil
	}
	c := k.steps(n)
	var l lookup
	l.enter(&grid.Machine{Set: set, Block: []*kernel.Scratch{kernel.Room{F64: c.room()}.Make()}}, c, q)
	return l.value[:]
}

// leave computes the codes of the values in the format q.
func (l *lookup) leave(set *kernel.Set, q kernel.Quant) {
	set.Quantize(l.value[:], l.code[:], l.mask[:], q, kernel.None)
	for i := range l.pass {
		l.pass[i] = l.mask[i/8] >> (i % 8) & 1
	}
}

// multiply writes g times the slopes of codes to dx, which may be g.
func (l *lookup) multiply(g []float32, codes []uint8, dx []float32) {
	g, dx = g[:len(codes)], dx[:len(codes)]
	for j, c := range codes {
		dx[j] = g[j] * l.slope[c]
	}
}

type pointwiseRunner struct {
	*layer.Bench
	node       *layer.Node
	curve      steps
	out        grid.Output
	x          *layer.Operand
	table      lookup
	occurs     [][256]bool  // the codes that a worker has seen
	seen       [256]float32 // the values of those that occur
	dx         grid.Grad
	see, back  func(i, worker int)
	valueRange func() (lo, hi float32)
}

func newPointwise(c steps, n *layer.Node, b *layer.Bench) layer.Runner {
	r := &pointwiseRunner{Bench: b, node: n, curve: c, x: b.In[0], occurs: make([][256]bool, b.Workers.Size())}
	r.out.Init(b.Machine)
	r.out.Fill, r.out.Target = r.fill, r.target
	r.see, r.back, r.valueRange = r.seeChunk, r.backChunk, r.extremes
	return r
}

func (r *pointwiseRunner) target(q kernel.Quant) { r.table.leave(r.Set, q) }

func (r *pointwiseRunner) Forward(n int, st grid.Step) grid.Value {
	s, w := r.node.Shape, grid.Valued
	r.out.Range = nil
	if r.x.OnGrid {
		w, r.out.Range = grid.Exact, r.valueRange
		r.table.enter(r.Machine, r.curve, r.x.Format)
	}
	r.Bind(&r.out, n*s.H, s.W*s.C)
	return r.Complete(&r.out, st, &r.node.Quant, w)
}

// extremes are those of the values of the codes that occur.
func (r *pointwiseRunner) extremes() (lo, hi float32) {
	clear(r.occurs)
	r.Workers.Run(r.out.Cut.N, r.see)
	n, all := 0, &r.occurs[0]
	for c, v := range r.table.value {
		for i := range r.occurs {
			all[c] = all[c] || r.occurs[i][c]
		}
		if all[c] {
			r.seen[n] = v
			n++
		}
	}
	return r.Set.MinMax(r.seen[:n])
}

func (r *pointwiseRunner) seeChunk(i, worker int) {
	e0, e1 := r.out.Elements(i)
	occurs := &r.occurs[worker]
	for _, c := range r.x.Codes[e0:e1] {
		occurs[c] = true
	}
}

func (r *pointwiseRunner) fill(i, worker int, codes bool, mask []uint8) {
	e0, e1 := r.out.Elements(i)
	switch {
	case !r.x.OnGrid:
		r.Set.Formula(r.curve.f, r.x.Data[e0:e1], nil, r.out.Dst[e0:e1], r.Block[worker])
	case codes:
		r.Set.Lookup(r.x.Codes[e0:e1], &r.table.code, r.out.Codes[e0:e1])
		if mask != nil {
			flags := r.Block[worker].U8[:e1-e0]
			r.Set.Lookup(r.x.Codes[e0:e1], &r.table.pass, flags)
			pack(flags, mask)
		}
	default:
		y := r.out.Dst[e0:e1]
		for j, x := range r.x.Codes[e0:e1] {
			y[j] = r.table.value[x]
		}
	}
}

// pack makes a mask of bytes that are 0 or 1.
func pack(flags, mask []uint8) {
	for ; len(flags) >= 8; flags, mask = flags[8:], mask[1:] {
		mask[0] = uint8(binary.LittleEndian.Uint64(flags) * 0x0102040810204080 >> 56) // byte i is moved to bit 56+i
	}
	if len(flags) > 0 {
		mask[0] = 0
	}
	for i, f := range flags {
		mask[0] |= f << i
	}
}

func (r *pointwiseRunner) Backward(int) {
	r.dx = r.Gradient(0)
	if r.dx.Data != nil {
		r.Workers.Run(r.out.Cut.N, r.back)
	}
}

func (r *pointwiseRunner) backChunk(i, worker int) {
	e0, e1 := r.out.Elements(i)
	g := r.Gate(&r.out, i)
	to := g
	if !r.dx.Add {
		to = r.dx.Data[e0:e1]
	}
	if r.x.OnGrid {
		r.table.multiply(g, r.x.Codes[e0:e1], to)
	} else {
		r.Set.Formula(r.curve.slope, r.x.Data[e0:e1], g, to, r.Block[worker])
	}
	if r.dx.Add {
		r.Give(r.dx, g, e0, e1)
	}
}

type pointwise8 struct {
	*layer.Rows
	table lookup
}

func newPointwise8(c steps, n *layer.Node, b *layer.Bench) layer.Integer {
	r := &pointwise8{Rows: layer.NewRows(n, b)}
	r.table.enter(b.Machine, c, b.In[0].Format)
	if b.Coded {
		r.table.leave(b.Set, b.Format)
	}
	return r
}

func (r *pointwise8) Run(p layer.Piece) {
	e0, e1 := p.R0*r.Width, p.R1*r.Width
	x := r.In[0].Codes[e0:e1]
	if r.Coded {
		r.Set.Lookup(x, &r.table.code, r.Codes[e0:e1])
		return
	}
	for j, c := range x {
		r.Out[e0+j] = r.table.value[c]
	}
}
