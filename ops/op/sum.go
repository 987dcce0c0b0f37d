package op

import (
	"qpipe/ops/grid"
	"qpipe/ops/kernel"
	"qpipe/ops/layer"
)

// summing is the row of a reduction that adds up, or averages. Of codes it makes sums, exactly, and leaves the division to the
// epilogue, as the int8 form does.
func summing[A spanning[A]](name string, mean bool) *layer.Kind {
	to := func(n *layer.Node) *sums { return newSums(layer.ArgumentsOf[A](n).spans(), mean) }
	return layer.Argued[A](layer.Kind{
		Name:    name,
		Train:   func(n *layer.Node, b *layer.Bench) layer.Runner { return newSum(n, b, to(n)) },
		Integer: func(n *layer.Node, b *layer.Bench) layer.Integer { return newSum8(n, b, to(n)) },
		Room: func(n *layer.Node, _ *layer.Bench) layer.Room {
			r := n.PlainRoom()
			r.Bytes = 40*int64(n.Shape.H+n.Shape.W) + blockSizes*(8*int64(n.Shape.C)+layer.RequantBytes)
			return r
		},
		Cost: spanCost[A],
	})
}

type sumRunner struct {
	*layer.Bench
	*sums
	node               *layer.Node
	out                grid.Output
	x                  *layer.Operand
	unit, mul          [][]float32 // by the place in counts: of every channel
	requants           []kernel.Requant
	dx                 grid.Grad
	cut                grid.Cut
	gateTask, backTask func(i, worker int)
}

func newSum(n *layer.Node, b *layer.Bench, s *sums) layer.Runner {
	r := &sumRunner{Bench: b, sums: s, node: n, x: b.In[0], requants: make([]kernel.Requant, len(s.counts))}
	for range s.counts {
		r.unit, r.mul = append(r.unit, make([]float32, n.Shape.C)), append(r.mul, make([]float32, n.Shape.C))
	}
	r.out.Init(b.Machine)
	r.out.Fill, r.out.Target, r.gateTask, r.backTask = r.fill, r.target, r.gateChunk, r.backImages
	return r
}

// Forward implements layer.Runner.
func (r *sumRunner) Forward(n int, st grid.Step) grid.Value {
	s, w := r.node.Shape, grid.Valued
	if r.x.OnGrid {
		w = grid.Exact
	}
	for k, count := range r.counts {
		layer.Fill(r.unit[k], r.x.Unit()/float32(count))
	}
	r.Bind(&r.out, n*s.H, s.W*s.C)
	return r.Complete(&r.out, st, &r.node.Quant, w)
}

func (r *sumRunner) target(q kernel.Quant) {
	for k := range r.counts {
		r.requants[k] = grid.Requant(r.unit[k], r.mul[k], nil, q, kernel.None)
	}
}

func (r *sumRunner) fill(i, worker int, codes bool, mask []uint8) {
	e0, e1 := r.out.Elements(i)
	r0, r1 := r.out.Cut.Range(i)
	c, acc, width := r.node.Shape.C, r.Block[worker].I32, r.node.Shape.W*r.node.Shape.C
	for row := r0; row < r1; row++ {
		if !r.x.OnGrid {
			r.values(row, r.x.Data, r.out.Dst[row*width:][:width])
			continue
		}
		r.integers(row, r.x.Codes, r.x.Format.Zero, acc[row*width-e0:][:width])
	}
	switch {
	case !r.x.OnGrid:
	case len(r.counts) == 1:
		r.divide(acc[:e1-e0], e0, 0, codes, mask)
	default:
		bits := r.Block[worker].U8[:(c+7)/8]
		for at := e0; at < e1; at += c {
			k := r.at(at/width, at%width/c)
			if mask == nil {
				r.divide(acc[at-e0:][:c], at, k, codes, nil)
				continue
			}
			r.divide(acc[at-e0:][:c], at, k, codes, bits)
			place(bits, mask, at-e0, c)
		}
	}
}

// divide makes output elements, from at on, of their sums.
func (r *sumRunner) divide(acc []int32, at, k int, codes bool, mask []uint8) {
	c, end := r.node.Shape.C, at+len(acc)
	if codes {
		r.Set.Requantize(acc, nil, nil, r.out.Codes[at:end], mask, c, &r.requants[k])
	} else {
		r.Set.Dequantize(acc, nil, r.out.Dst[at:end], c, r.unit[k])
	}
}

// Backward implements layer.Runner.
func (r *sumRunner) Backward(n int) {
	r.dx = r.Gradient(0)
	r.Workers.Run(r.out.Cut.N, r.gateTask)
	if r.dx.Data != nil {
		r.cut = grid.NewCut(n, r.in.WithN(1).Len())
		r.Workers.Run(r.cut.N, r.backTask)
	}
}

func (r *sumRunner) gateChunk(i, _ int) { r.Gate(&r.out, i) }

// backImages gives every element of a block its share of the gradient, image by image and in order.
func (r *sumRunner) backImages(i, _ int) {
	n0, n1 := r.cut.Range(i)
	if size := r.in.WithN(1).Len(); !r.dx.Add {
		clear(r.dx.Data[n0*size : n1*size])
	}
	c, h := r.node.Shape.C, len(r.rows)
	for row := n0 * h; row < n1*h; row++ {
		for w := range r.columns {
			g, k := r.Grad[(row*len(r.columns)+w)*c:][:c], float32(r.counts[r.at(row, w)])
			r.pixels(row, w, func(at int) {
				px := r.dx.Data[at:][:r.in.C]
				if !r.all {
					for i, v := range g {
						px[i] += v / k
					}
					return
				}
				share := g[0] / k
				for i := range px {
					px[i] += share
				}
			})
		}
	}
}

// sum8 has a set of units for every number that it divides by.
type sum8 struct {
	*layer.Rows
	*sums
}

func newSum8(n *layer.Node, b *layer.Bench, s *sums) layer.Integer {
	r := &sum8{layer.NewRows(n, b), s}
	for _, k := range s.counts {
		r.Unit(layer.Constant(n.Shape.C, b.In[0].Format.Scale/float32(k)), nil)
	}
	return r
}

// Run implements layer.Integer.
func (r *sum8) Run(p layer.Piece) {
	c, acc := r.Node.Shape.C, r.Block[p.Worker].I32[:r.Width]
	for row := p.R0; row < p.R1; row++ {
		r.integers(row, r.In[0].Codes, r.In[0].Format.Zero, acc)
		if len(r.counts) == 1 {
			r.Write(acc, nil, row*r.Width, 0)
			continue
		}
		for w := range r.columns {
			r.Write(acc[w*c:][:c], nil, row*r.Width+w*c, r.at(row, w))
		}
	}
}
