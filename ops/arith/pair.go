package arith

import (
	"qpipe/ops/grid"
	"qpipe/ops/kernel"
	"qpipe/ops/layer"
)

// pair is what an op computes of two operands.
type pair struct {
	// of computes it of values; out may be x.
	of func(set *kernel.Set, x, y, out []float32)
	// slope is the gradient of operand k, where g is that of the output: g itself, or written to out.
	slope func(set *kernel.Set, k int, g, x, y, out []float32) []float32
	// crossed says that the slope of an operand does not read that operand itself.
	crossed bool
	// coder makes what computes it of codes.
	coder func(c int) coder
	// exact says that training computes codes with the coder, too. Else it quantizes the values, which gives the same codes.
	exact bool
}

// coder computes the codes of an output out of those of the operands.
type coder interface {
	// enter sets the formats of the operands, leave that of the output.
	enter(x, y kernel.Quant)
	leave(set *kernel.Set, out kernel.Quant)
	// codes computes codes; mask, unless nil, says where the gradient passes. Acc has room for as many integers.
	codes(set *kernel.Set, x, y []uint8, acc []int32, out, mask []uint8)
}

// dequantizer is a coder with values of its own: of codes they are not what is computed of the operands' values.
type dequantizer interface {
	values(set *kernel.Set, x, y []uint8, acc []int32, out []float32)
}

// kind completes the row of an op of two operands.
func (p *pair) kind(k layer.Kind) *layer.Kind {
	k.Least, k.Most, k.Shape, k.Room = 2, 2, broadcast, pairRoom
	k.Train = func(n *layer.Node, b *layer.Bench) layer.Runner { return newPair(p, n, b) }
	k.Integer = func(n *layer.Node, b *layer.Bench) layer.Integer { return newPair8(p, n, b) }
	return &k
}

// pairNode is a node of such an op; verb says what it does.
func pairNode(k *layer.Kind, verb string, in []layer.Source) (*layer.Node, error) {
	x, y := in[0], in[1]
	s, err := broadcast(nil, layer.Shapes(in))
	if err != nil {
		return nil, layer.Differ("", verb, x, y, true)
	}
	return &layer.Node{Kind: k, Shape: s, Origin: s}, nil
}

func pairRoom(n *layer.Node, _ *layer.Bench) layer.Room {
	r, w := n.PlainRoom(), n.Shape.W*n.Shape.C
	if n.Int8 {
		r.Block = r.Block.Max(kernel.Room{F32: 2 * w, U8: 2 * w})
	} else {
		r.Block = kernel.Room{F32: 3 * w}
	}
	return r
}

type pairRunner struct {
	*layer.Bench
	pair
	node               *layer.Node
	out                grid.Output
	x, y               operand
	coder              coder
	d                  [2]grid.Grad
	cut                grid.Cut
	gateTask, backTask func(i, worker int)
}

func newPair(p *pair, n *layer.Node, b *layer.Bench) layer.Runner {
	r := &pairRunner{Bench: b, pair: *p, node: n, coder: p.coder(n.Shape.C)}
	r.x, r.y = newOperand(b.In[0], n.Shape), newOperand(b.In[1], n.Shape)
	r.out.Init(b.Machine)
	r.out.Fill, r.out.Target, r.gateTask, r.backTask = r.fill, r.target, r.gateChunk, r.backImages
	if n.Kind.Output == layer.Joins {
		r.out.Format = b.JoinedFormat
	}
	return r
}

func (r *pairRunner) coded() bool { return r.x.OnGrid && r.y.OnGrid }

func (r *pairRunner) target(q kernel.Quant) { r.coder.leave(r.Set, q) }

// Forward implements layer.Runner.
func (r *pairRunner) Forward(n int, st grid.Step) grid.Value {
	s, w := r.node.Shape, grid.Valued
	if r.exact && r.coded() {
		w = grid.Exact
		r.coder.enter(r.x.Format, r.y.Format)
	}
	r.Bind(&r.out, n*s.H, s.W*s.C)
	return r.Complete(&r.out, st, &r.node.Quant, w)
}

func (r *pairRunner) fill(i, worker int, codes bool, mask []uint8) {
	e0, e1 := r.out.Elements(i)
	r0, r1 := r.out.Cut.Range(i)
	b, n := r.Block[worker], e1-e0
	own, dequantizes := r.coder.(dequantizer)
	if !codes && !(dequantizes && r.coded()) {
		y := r.out.Dst[e0:e1]
		r.of(r.Set, r.x.values(r.Set, r0, r1, b.U8, y), r.y.values(r.Set, r0, r1, b.U8, b.F32), y)
		return
	}
	x, y := r.x.codes(r0, r1, b.U8[:n]), r.y.codes(r0, r1, b.U8[n:])
	if codes {
		r.coder.codes(r.Set, x, y, b.I32[:n], r.out.Codes[e0:e1], mask)
	} else {
		own.values(r.Set, x, y, b.I32[:n], r.out.Dst[e0:e1])
	}
}

// Backward implements layer.Runner.
func (r *pairRunner) Backward(n int) {
	r.d = [2]grid.Grad{r.Gradient(0), r.Gradient(1)}
	r.Workers.Run(r.out.Cut.N, r.gateTask)
	r.cut = grid.NewCut(n, r.node.Shape.WithN(1).Len())
	r.Workers.Run(r.cut.N, r.backTask)
}

func (r *pairRunner) gateChunk(i, _ int) { r.Gate(&r.out, i) }

// backImages gives the gradients of the operands of some images. Repeated elements add theirs up, image by image
// and in order, so that the sums do not depend on the workers.
func (r *pairRunner) backImages(i, worker int) {
	n0, n1 := r.cut.Range(i)
	for k, o := range [...]*operand{&r.x, &r.y} {
		d := r.d[k]
		if d.Data == nil {
			continue
		}
		if !d.Add && !o.whole {
			clear(d.Data[n0*o.image : n1*o.image])
		}
		r.backRows(k, n0*r.node.Shape.H, n1*r.node.Shape.H, d, r.Block[worker])
	}
}

// backRows gives operand k the gradients of output rows r0 to r1. Values that are those of the row before stay where they are.
func (r *pairRunner) backRows(k, r0, r1 int, d grid.Grad, b *kernel.Scratch) {
	width := r.node.Shape.W * r.node.Shape.C
	var of [2][]float32
	for row := r0; row < r1; row++ {
		for j, o := range [...]*operand{&r.x, &r.y} {
			if r.node.Kind.Rereads && !(r.crossed && j == k) && (row == r0 || !o.again(row)) {
				of[j] = o.values(r.Set, row, row+1, b.U8, b.F32[j*width:])
			}
		}
		o, to := [...]*operand{&r.x, &r.y}[k], b.F32[2*width:][:width]
		if o.whole && !d.Add {
			to = d.Data[row*width:][:width]
		}
		switch g := r.slope(r.Set, k, r.Grad[row*width:][:width], of[0], of[1], to); {
		case !o.whole:
			o.give(row, g, d.Data)
		case d.Add || &g[0] != &to[0]:
			r.Set.Gate(g, nil, d.Data[row*width:][:width], d.Add)
		}
	}
}

// pair8 is the int8 form, row by row.
type pair8 struct {
	*layer.Rows
	pair
	x, y  operand
	coder coder
}

func newPair8(p *pair, n *layer.Node, b *layer.Bench) layer.Integer {
	r := &pair8{Rows: layer.NewRows(n, b), pair: *p, coder: p.coder(n.Shape.C)}
	r.x, r.y = newOperand(b.In[0], n.Shape), newOperand(b.In[1], n.Shape)
	r.coder.enter(r.x.Format, r.y.Format)
	if b.Coded {
		r.coder.leave(b.Set, b.Format)
	}
	return r
}

// Run implements layer.Integer.
func (r *pair8) Run(p layer.Piece) {
	b, w := r.Block[p.Worker], r.Width
	own, dequantizes := r.coder.(dequantizer)
	var x, y []uint8
	for row := p.R0; row < p.R1; row++ {
		if row == p.R0 || !r.x.again(row) {
			x = r.x.codes(row, row+1, b.U8[:w])
		}
		if row == p.R0 || !r.y.again(row) {
			y = r.y.codes(row, row+1, b.U8[w:])
		}
		switch at := row * w; {
		case r.Coded:
			r.coder.codes(r.Set, x, y, b.I32[:w], r.Codes[at:at+w], nil)
		case dequantizes:
			own.values(r.Set, x, y, b.I32[:w], r.Out[at:at+w])
		default:
			r.Set.Values(x, r.x.Format.Zero, r.x.Format.Scale, b.F32[:w])
			r.Set.Values(y, r.y.Format.Zero, r.y.Format.Scale, b.F32[w:2*w])
			r.of(r.Set, b.F32[:w], b.F32[w:2*w], r.Out[at:at+w])
		}
	}
}
