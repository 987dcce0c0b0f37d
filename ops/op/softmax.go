package op

import (
	"qpipe/ops/elementary"
	"qpipe/ops/grid"
	"qpipe/ops/kernel"
	"qpipe/ops/kernel/formula"
	"qpipe/ops/layer"
	"qpipe/ops/tensor"
)

// Softmax makes shares of the elements along an axis, 0, 1 or 2 for rows, columns and channels: exp(x) divided by the sum of the
// exponentials along the axis.
type Softmax struct {
	Axis int `json:"axis"`
}

// LogSoftmax is the logarithm of Softmax.
type LogSoftmax Softmax

var (
	softmaxKind    = softmaxOf[Softmax]("softmax", false, layer.Prescribed{Scale: 1.0 / 256, Zero: -128})
	logSoftmaxKind = softmaxOf[LogSoftmax]("log_softmax", true, layer.Prescribed{Scale: 16.0 / 256, Zero: 127})
)

// Kind implements layer.Op.
func (Softmax) Kind() *layer.Kind { return softmaxKind }

// Node implements layer.Op.
func (a Softmax) Node(in []layer.Source) (*layer.Node, error) {
	return layer.Argue(softmaxKind, a, in[0])
}

// On implements layer.Arguments.
func (a Softmax) On(s tensor.Shape) (Softmax, tensor.Shape, error) {
	if a.Axis < 0 || a.Axis > 2 {
		return a, s, layer.BadArg("Axis", "there is no axis %d; 0, 1 and 2 are rows, columns and channels", a.Axis)
	}
	return a, s, nil
}

func (a Softmax) axis() int { return a.Axis }

// Kind implements layer.Op.
func (LogSoftmax) Kind() *layer.Kind { return logSoftmaxKind }

// Node implements layer.Op.
func (a LogSoftmax) Node(in []layer.Source) (*layer.Node, error) {
	return layer.Argue(logSoftmaxKind, a, in[0])
}

// On implements layer.Arguments.
func (a LogSoftmax) On(s tensor.Shape) (LogSoftmax, tensor.Shape, error) {
	_, s, err := Softmax(a).On(s)
	return a, s, err
}

func (a LogSoftmax) axis() int { return a.Axis }

// alongAxis is the arguments of a softmax.
type alongAxis[A any] interface {
	layer.Arguments[A]
	axis() int
}

// softmaxOf is the row of a softmax.
func softmaxOf[A alongAxis[A]](name string, log bool, tflite layer.Prescribed) *layer.Kind {
	is := layer.OfScores
	if log {
		is = layer.LogShares
	}
	of := func(n *layer.Node) shares { return newShares(n.Shape, layer.ArgumentsOf[A](n).axis(), log) }
	return layer.Argued[A](layer.Kind{
		Name: name, Aligned: true, Rereads: true, Shares: is, TFLite: tflite,
		Train:   func(n *layer.Node, b *layer.Bench) layer.Runner { return newSoftmax(of(n), n, b) },
		Integer: func(n *layer.Node, b *layer.Bench) layer.Integer { return newSoftmax8(of(n), n, b) },
		Room: func(n *layer.Node, _ *layer.Bench) layer.Room {
			r, s := n.PlainRoom(), of(n)
			r.Block.F32, r.Block.F64 = 2*s.n, s.exp.Room()
			if n.Int8 {
				r.Block.F32 += s.unit
			}
			return r
		},
		Cost: func(*layer.Node) layer.Cost { return layer.Cost{Work: 4, Per: 1} },
	})
}

// shares computes a softmax along lines: n elements, step apart. A unit of the output, a row or an image, has whole lines; they
// begin gap elements apart.
type shares struct {
	n, step    int
	count, gap int // of the lines of a unit
	unit, rows int // elements and rows of a unit
	log        bool

	// Of codes, by how far they are below the largest of the line: the difference of the values, and exp of it.
	less, power [256]float32
	exp         *formula.Formula
}

func newShares(s tensor.Shape, axis int, log bool) shares {
	l := shares{n: layer.Axes(s)[axis], step: layer.Steps(s)[axis], count: s.C, gap: 1, unit: s.W * s.C, rows: 1, log: log}
	l.exp = formula.New((*formula.Number).Exp)
	switch axis {
	case 0:
		l.count, l.unit, l.rows = s.W*s.C, s.H*s.W*s.C, s.H
	case 2:
		l.count, l.gap = s.W, s.C
	}
	return l
}

// enter computes the tables of codes in the format q.
func (l *shares) enter(m *grid.Machine, q kernel.Quant) {
	for d := range l.less {
		l.less[d] = -float32(float32(d) * q.Scale)
	}
	m.Set.Formula(l.exp, l.less[:], nil, l.power[:], m.Block[0])
}

// line computes how far the elements of the line at first are below the largest, and exp of that; it returns the sum of these.
func (l *shares) line(set *kernel.Set, x *layer.Operand, first int, b *kernel.Scratch) (less, power []float32, sum float64) {
	less, power = b.F32[:l.n], b.F32[l.n:2*l.n]
	if x.OnGrid {
		most := largestOf(x.Codes[first:], l.n, l.step)
		for i := range less {
			d := most - x.Codes[first+i*l.step]
			less[i], power[i] = l.less[d], l.power[d]
			sum += float64(power[i])
		}
		return less, power, sum
	}
	most := largestOf(x.Data[first:], l.n, l.step)
	for i := range less {
		less[i] = x.Data[first+i*l.step] - most
	}
	set.Formula(l.exp, less, nil, power, b)
	for _, p := range power {
		sum += float64(p)
	}
	return less, power, sum
}

// largestOf is the largest of n elements, step apart; NaN where there is one.
func largestOf[T uint8 | float32](x []T, n, step int) T {
	most := x[0]
	for i := 1; i < n; i++ {
		most = max(most, x[i*step])
	}
	return most
}

// forward computes elements i0 to i1 of the lines of a unit; y has the output from element base on. Block has room for two lines.
func (l *shares) forward(set *kernel.Set, x *layer.Operand, unit, i0, i1 int, y []float32, base int, block *kernel.Scratch) {
	for k := range l.count {
		first := unit*l.unit + k*l.gap
		less, power, sum := l.line(set, x, first, block)
		to := y[first+i0*l.step-base:]
		if l.log {
			whole := float32(elementary.Log(sum))
			for i, v := range less[i0:i1] {
				to[i*l.step] = v - whole
			}
			continue
		}
		whole := float32(sum)
		for i, v := range power[i0:i1] {
			to[i*l.step] = v / whole
		}
	}
}

// backward adds the gradient of the lines of a unit to that of the operand.
func (l *shares) backward(set *kernel.Set, x *layer.Operand, unit int, g, dx []float32, block *kernel.Scratch) {
	for k := range l.count {
		first := unit*l.unit + k*l.gap
		_, power, sum := l.line(set, x, first, block)
		whole, all := float32(sum), 0.0
		for i, v := range power {
			power[i] = v / whole
			d := float64(g[first+i*l.step])
			if !l.log {
				d = float64(d * float64(power[i]))
			}
			all += d
		}
		for i, p := range power {
			at := first + i*l.step
			if l.log {
				dx[at] += g[at] - float32(p*float32(all))
			} else {
				dx[at] += float32(p * (g[at] - float32(all)))
			}
		}
	}
}

type softmaxRunner struct {
	*layer.Bench
	shares
	node *layer.Node
	out  grid.Output
	x    *layer.Operand
	dx   grid.Grad
	back func(i, worker int)
}

func newSoftmax(s shares, n *layer.Node, b *layer.Bench) layer.Runner {
	r := &softmaxRunner{Bench: b, shares: s, node: n, x: b.In[0]}
	r.out.Init(b.Machine)
	r.out.Fill, r.back = r.fill, r.backChunk
	return r
}

// Forward implements layer.Runner. A chunk has whole units.
func (r *softmaxRunner) Forward(n int, st grid.Step) grid.Value {
	if r.x.OnGrid {
		r.enter(r.Machine, r.x.Format)
	}
	r.Bind(&r.out, n*r.node.Shape.H/r.rows, r.unit)
	return r.Complete(&r.out, st, &r.node.Quant, grid.Valued)
}

func (r *softmaxRunner) fill(i, worker int, _ bool, _ []uint8) {
	u0, u1 := r.out.Cut.Range(i)
	for u := u0; u < u1; u++ {
		r.forward(r.Set, r.x, u, 0, r.n, r.out.Dst, 0, r.Block[worker])
	}
}

// Backward implements layer.Runner.
func (r *softmaxRunner) Backward(int) {
	if r.dx = r.Gradient(0); r.dx.Data != nil {
		r.Workers.Run(r.out.Cut.N, r.back)
	}
}

func (r *softmaxRunner) backChunk(i, worker int) {
	r.Gate(&r.out, i)
	if e0, e1 := r.out.Elements(i); !r.dx.Add {
		clear(r.dx.Data[e0:e1])
	}
	u0, u1 := r.out.Cut.Range(i)
	for u := u0; u < u1; u++ {
		r.backward(r.Set, r.x, u, r.Grad, r.dx.Data, r.Block[worker])
	}
}

// softmax8 is the int8 form.
type softmax8 struct {
	*layer.Rows
	shares
}

func newSoftmax8(s shares, n *layer.Node, b *layer.Bench) layer.Integer {
	r := &softmax8{layer.NewRows(n, b), s}
	r.enter(b.Machine, b.In[0].Format)
	return r
}

// Run implements layer.Integer. Where lines go down the rows of an image, it needs all of them for any.
func (r *softmax8) Run(p layer.Piece) {
	block := r.Block[p.Worker]
	for row := p.R0; row < p.R1; {
		unit := row / r.rows
		next := min((unit+1)*r.rows, p.R1)
		i0, i1 := 0, r.n
		if r.rows > 1 {
			i0, i1 = row%r.rows, row%r.rows+next-row
		}
		e0, e1 := row*r.Width, next*r.Width
		if r.Coded {
			y := block.F32[2*r.n:][:e1-e0]
			r.forward(r.Set, r.In[0], unit, i0, i1, y, e0, block)
			r.Set.Quantize(y, r.Codes[e0:e1], nil, r.Format, kernel.None)
		} else {
			r.forward(r.Set, r.In[0], unit, i0, i1, r.Out, 0, block)
		}
		row = next
	}
}
