package move

import (
	"qpipe/ops/grid"
	"qpipe/ops/kernel"
	"qpipe/ops/layer"
	"qpipe/ops/tensor"
)

// Ops that only move values differ in their arguments and in where an element comes from. All else is here: codes are
// passed on as they are, the backward pass adds every gradient to that of the element it came from.

// mover is the arguments of such an op.
type mover[A any] interface {
	layer.Arguments[A]
	// places says where the elements of the output come from, for arguments that on returned.
	places(in, out tensor.Shape) places
}

// places: element (h, w, c) of the output is rows[h] + columns[w] + channels[c] of the operand's image, or fill where one of
// these is below zero.
type places struct {
	rows, columns, channels []int32
	fill                    float32
}

// along makes places of what from says of element i along each axis of the output.
func along(out tensor.Shape, from func(axis, i int) int) places {
	var lists [3][]int32
	for k, n := range layer.Axes(out) {
		lists[k] = make([]int32, n)
		for i := range n {
			lists[k][i] = int32(from(k, i))
		}
	}
	return places{rows: lists[0], columns: lists[1], channels: lists[2]}
}

// moving is the row of an op that only moves values.
func moving[A mover[A]](name string) *layer.Kind {
	to := func(n *layer.Node, b *layer.Bench) *route {
		in := b.In[0].Shape
		return newRoute(layer.ArgumentsOf[A](n).places(in, n.Shape), in)
	}
	return layer.Argued[A](layer.Kind{
		Name: name, Output: layer.Passes, Floats: true, Room: moveRoom,
		Train:   func(n *layer.Node, b *layer.Bench) layer.Runner { return newMove(to(n, b), b) },
		Integer: func(n *layer.Node, b *layer.Bench) layer.Integer { return newMove8(to(n, b), b) },
		Cost:    func(*layer.Node) layer.Cost { return layer.Cost{Work: 1, Per: 4} },
	})
}

// route is how a row of the output is filled: element i comes from rows[h] + line[i] of the operand's image, and runs
// are the same where most neighbours stay neighbours, else nil.
type route struct {
	image, width int
	rows, line   []int32
	runs         []run
	fill         float32
}

// run is n elements from at on; they come from those at from, or are filled where that is below zero.
type run struct{ at, from, n int32 }

// copied is from how many elements on, on average, a run is copied as one.
const copied = 8

func newRoute(p places, in tensor.Shape) *route {
	r := &route{image: in.WithN(1).Len(), width: len(p.columns) * len(p.channels), rows: p.rows, fill: p.fill}
	r.line = make([]int32, 0, r.width)
	for _, w := range p.columns {
		for _, c := range p.channels {
			if from := w + c; w < 0 || c < 0 {
				r.line = append(r.line, -1)
			} else {
				r.line = append(r.line, from)
			}
		}
	}
	count := 0
	for i := range r.line {
		if !r.follows(i) {
			count++
		}
	}
	if count*copied > r.width && count > 1 {
		return r
	}
	r.runs = make([]run, 0, count)
	for i, from := range r.line {
		if !r.follows(i) {
			r.runs = append(r.runs, run{at: int32(i), from: from})
		}
		r.runs[len(r.runs)-1].n++
	}
	return r
}

// follows reports whether element i of a row comes from right behind where the one before it does.
func (r *route) follows(i int) bool {
	switch {
	case i == 0:
		return false
	case r.line[i] < 0:
		return r.line[i-1] < 0
	}
	return r.line[i-1] >= 0 && r.line[i] == r.line[i-1]+1
}

// start is the place in x that row's sources are counted from, below 0 where the row is filled. Rows count on from image to image.
func (r *route) start(row int) int {
	from := r.rows[row%len(r.rows)]
	if from < 0 {
		return -1
	}
	return row/len(r.rows)*r.image + int(from)
}

// move writes a row of the output.
func move[T float32 | uint8](r *route, row int, x, y []T, value T) {
	to, start := y[row*r.width:][:r.width], r.start(row)
	switch {
	case start < 0:
		layer.Fill(to, value)
	case r.runs != nil:
		x = x[start:]
		for _, u := range r.runs {
			if part := to[u.at:][:u.n]; u.from < 0 {
				layer.Fill(part, value)
			} else {
				copy(part, x[u.from:])
			}
		}
	default:
		x = x[start:]
		for i, from := range r.line {
			if from < 0 {
				to[i] = value
			} else {
				to[i] = x[from]
			}
		}
	}
}

// moveBack adds the gradient of a row to that of the operand.
func (r *route) moveBack(row int, g, dx []float32) {
	start := r.start(row)
	if start < 0 {
		return
	}
	g, dx = g[row*r.width:][:r.width], dx[start:]
	for i, from := range r.line {
		if from >= 0 {
			dx[from] += g[i]
		}
	}
}

func moveRoom(n *layer.Node, _ *layer.Bench) layer.Room {
	s := n.Shape
	return layer.Room{NoAcc: true, Bytes: 4*int64(s.H) + 6*int64(s.W*s.C)}
}

type moveRunner struct {
	*layer.Bench
	route       *route
	cut         grid.Cut
	x           *layer.Operand
	value       [1]float32 // what is filled in
	code        [1]uint8
	dx          grid.Grad
	forth, back func(i, worker int)
}

func newMove(to *route, b *layer.Bench) layer.Runner {
	r := &moveRunner{Bench: b, route: to, x: b.In[0]}
	r.forth, r.back = r.forwardChunk, r.backImages
	return r
}

// Forward implements layer.Runner.
func (r *moveRunner) Forward(n int, _ grid.Step) grid.Value {
	r.value[0] = r.route.fill
	switch q := r.x.Format; {
	case r.x.OnGrid:
		r.Set.Quantize(r.value[:], r.code[:], nil, q, kernel.None)
	case q.Scale != 0: // values on a grid that has no codes
		r.Set.FakeQuant(r.value[:], r.value[:], nil, q, kernel.None)
	}
	r.cut = grid.NewCut(n*len(r.route.rows), r.route.width)
	r.Workers.Run(r.cut.N, r.forth)
	return grid.Value{Data: r.Out, Codes: r.Codes, OnGrid: r.x.OnGrid, Format: r.x.Format}
}

func (r *moveRunner) forwardChunk(i, _ int) {
	r0, r1 := r.cut.Range(i)
	for row := r0; row < r1; row++ {
		if r.x.OnGrid {
			move(r.route, row, r.x.Codes, r.Codes, r.code[0])
		} else {
			move(r.route, row, r.x.Data, r.Out, r.value[0])
		}
	}
}

// Backward implements layer.Runner.
func (r *moveRunner) Backward(n int) {
	if r.dx = r.Gradient(0); r.dx.Data != nil {
		r.cut = grid.NewCut(n, len(r.route.rows)*r.route.width)
		r.Workers.Run(r.cut.N, r.back)
	}
}

// backImages gives the gradient of some images: an element that was moved to several places adds theirs up in order.
func (r *moveRunner) backImages(i, _ int) {
	n0, n1 := r.cut.Range(i)
	if !r.dx.Add {
		clear(r.dx.Data[n0*r.route.image : n1*r.route.image])
	}
	h := len(r.route.rows)
	for row := n0 * h; row < n1*h; row++ {
		r.route.moveBack(row, r.Grad, r.dx.Data)
	}
}

type move8 struct {
	*layer.Bench
	route *route
	code  [1]uint8
}

func newMove8(to *route, b *layer.Bench) layer.Integer {
	r := &move8{Bench: b, route: to}
	if b.Coded {
		b.Set.Quantize([]float32{r.route.fill}, r.code[:], nil, b.Format, kernel.None)
	}
	return r
}

// Begin implements layer.Integer.
func (r *move8) Begin(int) {}

// Run implements layer.Integer.
func (r *move8) Run(p layer.Piece) {
	for row := p.R0; row < p.R1; row++ {
		if r.Coded {
			move(r.route, row, r.In[0].Codes, r.Codes, r.code[0])
		} else {
			move(r.route, row, r.In[0].Data, r.Out, r.route.fill)
		}
	}
}
