package op

import (
	"qpipe/ops/grid"
	"qpipe/ops/layer"
)

// largest is the row of a reduction to the largest element. Its gradient goes to the first one that is as large; it is looked for
// again in the backward pass.
func largest[A spanning[A]](name string) *layer.Kind {
	to := func(n *layer.Node) *spans { return layer.ArgumentsOf[A](n).spans() }
	return layer.Argued[A](layer.Kind{
		Name: name, Output: layer.Passes, Floats: true, Rereads: true,
		Train:   func(n *layer.Node, b *layer.Bench) layer.Runner { return newLargest(b, to(n)) },
		Integer: func(n *layer.Node, b *layer.Bench) layer.Integer { return &largest8{b, to(n)} },
		Room: func(n *layer.Node, _ *layer.Bench) layer.Room {
			return layer.Room{NoAcc: true, Bytes: 32 * int64(n.Shape.H+n.Shape.W)}
		},
		Cost: spanCost[A],
	})
}

// most writes the largest elements of the blocks of an output row; NaN where there is one.
func most[T uint8 | float32](s *spans, row int, x, y []T) {
	c := s.channels()
	for w := range s.columns {
		o, first := y[(row*len(s.columns)+w)*c:][:c], true
		s.pixels(row, w, func(at int) {
			px := x[at:][:s.in.C]
			if first {
				copy(o, px)
				first = false
			}
			if !s.all {
				for i, v := range px {
					o[i] = max(o[i], v)
				}
				return
			}
			for _, v := range px {
				o[0] = max(o[0], v)
			}
		})
	}
}

// giveMost adds the gradients of an output row to those of the first of the largest elements.
func giveMost[T uint8 | float32](s *spans, row int, x []T, g, dx []float32) {
	c, step := s.channels(), s.in.C
	if s.all {
		step = 1
	}
	for w := range s.columns {
		for k := range c {
			at := -1
			s.pixels(row, w, func(first int) {
				for i := first + k; i < first+s.in.C; i += step {
					if at < 0 || x[i] > x[at] || x[i] != x[i] && x[at] == x[at] {
						at = i
					}
				}
			})
			dx[at] += g[(row*len(s.columns)+w)*c+k]
		}
	}
}

type largestRunner struct {
	*layer.Bench
	*spans
	x           *layer.Operand
	cut         grid.Cut
	dx          grid.Grad
	forth, back func(i, worker int)
}

func newLargest(b *layer.Bench, s *spans) layer.Runner {
	r := &largestRunner{Bench: b, spans: s, x: b.In[0]}
	r.forth, r.back = r.forwardChunk, r.backImages
	return r
}

// Forward implements layer.Runner.
func (r *largestRunner) Forward(n int, _ grid.Step) grid.Value {
	rows := len(r.rows) // of the output: they may be more than the operand has elements
	r.cut = grid.NewCut(n*rows, max(r.in.WithN(1).Len()/rows, len(r.columns)*r.channels()))
	r.Workers.Run(r.cut.N, r.forth)
	return grid.Value{Data: r.Out, Codes: r.Codes, OnGrid: r.x.OnGrid, Format: r.x.Format}
}

func (r *largestRunner) forwardChunk(i, _ int) {
	r0, r1 := r.cut.Range(i)
	for row := r0; row < r1; row++ {
		if r.x.OnGrid {
			most(r.spans, row, r.x.Codes, r.Codes)
		} else {
			most(r.spans, row, r.x.Data, r.Out)
		}
	}
}

// Backward implements layer.Runner.
func (r *largestRunner) Backward(n int) {
	if r.dx = r.Gradient(0); r.dx.Data != nil {
		r.cut = grid.NewCut(n, r.in.WithN(1).Len())
		r.Workers.Run(r.cut.N, r.back)
	}
}

func (r *largestRunner) backImages(i, _ int) {
	n0, n1 := r.cut.Range(i)
	if size := r.in.WithN(1).Len(); !r.dx.Add {
		clear(r.dx.Data[n0*size : n1*size])
	}
	h := len(r.rows)
	for row := n0 * h; row < n1*h; row++ {
		if r.x.OnGrid {
			giveMost(r.spans, row, r.x.Codes, r.Grad, r.dx.Data)
		} else {
			giveMost(r.spans, row, r.x.Data, r.Grad, r.dx.Data)
		}
	}
}

type largest8 struct {
	*layer.Bench
	*spans
}

// Begin implements layer.Integer.
func (r *largest8) Begin(int) {}

// Run implements layer.Integer.
func (r *largest8) Run(p layer.Piece) {
	for row := p.R0; row < p.R1; row++ {
		if r.Coded {
			most(r.spans, row, r.In[0].Codes, r.Codes)
		} else {
			most(r.spans, row, r.In[0].Data, r.Out)
		}
	}
}
