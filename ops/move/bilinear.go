package move

import (
	"math"

	"qpipe/ops/grid"
	"qpipe/ops/kernel"
	"qpipe/ops/layer"
	"qpipe/ops/tensor"
)

// ResizeBilinear resizes a map, each pixel being a mean of four of the operand's, the nearer the heavier. Its place is clamped to
// the operand. PyTorch's "bilinear" without align_corners is half_pixel, the default.
type ResizeBilinear struct{ Sampling }

var bilinearKind = layer.Argued[ResizeBilinear](layer.Kind{
	Name:    "resize_bilinear",
	TFLite:  layer.Prescribed{Keeps: true},
	Train:   newBilinear,
	Integer: newBilinear8,
	Room: func(n *layer.Node, b *layer.Bench) layer.Room {
		r := n.PlainRoom()
		r.Bytes += 40*int64(n.Shape.H+n.Shape.W) + layer.RequantBytes
		r.Scratch.I32 = layer.Steps(b.In[0].Shape)[0]
		return r
	},
	Cost: func(*layer.Node) layer.Cost { return layer.Cost{Work: 4, Per: 4} },
	MACs: func(n *layer.Node) int64 { return 4 * int64(n.Shape.WithN(1).Len()) },
})

// Kind implements layer.Op.
func (ResizeBilinear) Kind() *layer.Kind { return bilinearKind }

// Node implements layer.Op.
func (a ResizeBilinear) Node(in []layer.Source) (*layer.Node, error) {
	return layer.Argue(bilinearKind, a, in[0])
}

// On implements layer.Arguments.
func (a ResizeBilinear) On(s tensor.Shape) (ResizeBilinear, tensor.Shape, error) {
	var out tensor.Shape
	var err error
	a.Sampling, out, err = a.Sampling.sized(s, "half_pixel")
	return a, out, err
}

// whole is the sum of the weights of two neighbours, in integers.
const whole = 1 << 11

// blend is where a pixel lies along an axis: between the elements lo and hi of the operand. Weights are those of hi; those of lo are
// what is missing to 1, or to whole.
type blend struct {
	lo, hi int
	weight float32
	fixed  int32
}

// blends are those of the output's pixels along axis k, of in pixels. Elements are step apart.
func (a ResizeBilinear) blends(k, in, step int) []blend {
	var list []blend
	for _, at := range a.at(k, in) {
		at = min(max(at, 0), float32(in-1))
		lo := int(at)
		b := blend{lo: lo * step, hi: min(lo+1, in-1) * step, weight: at - float32(lo)}
		b.fixed = int32(math.RoundToEven(float64(b.weight * whole)))
		list = append(list, b)
	}
	return list
}

// Weights is how the operand's in rows (axis 0) or columns (axis 1) are added up: a row of weights for each of the output's. With
// integers they are those of codes, which are whole numbers and have the sum One; else they have the sum 1.
func (a ResizeBilinear) Weights(axis, in int, integers bool) [][]float64 {
	var list [][]float64
	for _, b := range a.blends(axis, in, 1) {
		row, w, all := make([]float64, in), float64(b.weight), 1.0
		if integers {
			w, all = float64(b.fixed), whole
		}
		row[b.lo] = all - w
		row[b.hi] += w
		list = append(list, row)
	}
	return list
}

// One is the sum of the weights of codes.
func (ResizeBilinear) One() float32 { return whole }

// bilinear is how a map is resized.
type bilinear struct {
	rows, columns []blend
	image, c      int
	line          int // elements of a row of the operand
}

func newBlends(n *layer.Node, b *layer.Bench) *bilinear {
	in, args := b.In[0].Shape, layer.ArgumentsOf[ResizeBilinear](n)
	step := layer.Steps(in)
	return &bilinear{args.blends(0, in.H, step[0]), args.blends(1, in.W, step[1]), in.WithN(1).Len(), in.C, step[0]}
}

// corners are the places of the four pixels of which output row row and column w is made.
func (r *bilinear) corners(row int, w *blend) (a, b, c, d int, h *blend) {
	h = &r.rows[row%len(r.rows)]
	at := row / len(r.rows) * r.image
	return at + h.lo + w.lo, at + h.lo + w.hi, at + h.hi + w.lo, at + h.hi + w.hi, h
}

// integers makes an output row of codes less their zero point; one is whole². A row between two of the operand's comes first, into
// between: sums of integers are the same in any order.
func (r *bilinear) integers(row int, x []uint8, zero int32, acc, between []int32) {
	h, at := &r.rows[row%len(r.rows)], row/len(r.rows)*r.image
	above, below, v := x[at+h.lo:][:len(between)], x[at+h.hi:][:len(between)], h.fixed
	for k := range between {
		between[k] = (whole-v)*int32(above[k]) + v*int32(below[k]) - whole*zero
	}
	for i := range r.columns {
		w := &r.columns[i]
		o, left, right, u := acc[i*r.c:][:r.c], between[w.lo:][:r.c], between[w.hi:][:r.c], w.fixed
		for k := range o {
			o[k] = (whole-u)*left[k] + u*right[k]
		}
	}
}

// values makes an output row of float32 values.
func (r *bilinear) values(row int, x, y []float32) {
	for i := range r.columns {
		w := &r.columns[i]
		a, b, c, d, h := r.corners(row, w)
		o, x0, x1, y0, y1 := y[i*r.c:][:r.c], x[a:][:r.c], x[b:][:r.c], x[c:][:r.c], x[d:][:r.c]
		for k := range o {
			top := float32((1-w.weight)*x0[k]) + float32(w.weight*x1[k])
			bottom := float32((1-w.weight)*y0[k]) + float32(w.weight*y1[k])
			o[k] = float32((1-h.weight)*top) + float32(h.weight*bottom)
		}
	}
}

// give adds the gradient of an output row to that of the operand, with the weights of the forward pass.
func (r *bilinear) give(row int, onGrid bool, g, dx []float32) {
	for i := range r.columns {
		w := &r.columns[i]
		a, b, c, d, h := r.corners(row, w)
		u, v := w.weight, h.weight
		if onGrid {
			u, v = float32(w.fixed)/whole, float32(h.fixed)/whole
		}
		for k := range r.c {
			e := g[(row*len(r.columns)+i)*r.c+k]
			top, bottom := (1-v)*e, v*e
			dx[a+k] += float32((1 - u) * top)
			dx[b+k] += float32(u * top)
			dx[c+k] += float32((1 - u) * bottom)
			dx[d+k] += float32(u * bottom)
		}
	}
}

type bilinearRunner struct {
	*layer.Bench
	*bilinear
	node               *layer.Node
	out                grid.Output
	x                  *layer.Operand
	unit, mul          []float32
	requant            kernel.Requant
	dx                 grid.Grad
	cut                grid.Cut
	gateTask, backTask func(i, worker int)
}

func newBilinear(n *layer.Node, b *layer.Bench) layer.Runner {
	c := n.Shape.C
	r := &bilinearRunner{Bench: b, bilinear: newBlends(n, b), node: n, x: b.In[0], unit: make([]float32, c), mul: make([]float32, c)}
	r.out.Init(b.Machine)
	r.out.Fill, r.out.Target, r.gateTask, r.backTask = r.fill, r.target, r.gateChunk, r.backImages
	r.Keep(n, &r.out)
	return r
}

// Forward implements layer.Runner.
func (r *bilinearRunner) Forward(n int, st grid.Step) grid.Value {
	s, w := r.node.Shape, grid.Valued
	if r.x.OnGrid {
		w = grid.Exact
	}
	layer.Fill(r.unit, r.x.Unit()/(whole*whole))
	r.Bind(&r.out, n*s.H, s.W*s.C)
	return r.Complete(&r.out, st, &r.node.Quant, w)
}

func (r *bilinearRunner) target(q kernel.Quant) {
	r.requant = grid.Requant(r.unit, r.mul, nil, q, kernel.None)
}

func (r *bilinearRunner) fill(i, worker int, codes bool, mask []uint8) {
	e0, e1 := r.out.Elements(i)
	r0, r1 := r.out.Cut.Range(i)
	width, acc := len(r.columns)*r.c, r.Block[worker].I32
	for row := r0; row < r1; row++ {
		if r.x.OnGrid {
			r.integers(row, r.x.Codes, r.x.Format.Zero, acc[row*width-e0:][:width], r.Scratch[worker].I32[:r.line])
		} else {
			r.values(row, r.x.Data, r.out.Dst[row*width:][:width])
		}
	}
	switch {
	case !r.x.OnGrid:
	case codes:
		r.Set.Requantize(acc[:e1-e0], nil, nil, r.out.Codes[e0:e1], mask, r.c, &r.requant)
	default:
		r.Set.Dequantize(acc[:e1-e0], nil, r.out.Dst[e0:e1], r.c, r.unit)
	}
}

// Backward implements layer.Runner.
func (r *bilinearRunner) Backward(n int) {
	r.dx = r.Gradient(0)
	r.Workers.Run(r.out.Cut.N, r.gateTask)
	if r.dx.Data != nil {
		r.cut = grid.NewCut(n, r.image)
		r.Workers.Run(r.cut.N, r.backTask)
	}
}

func (r *bilinearRunner) gateChunk(i, _ int) { r.Gate(&r.out, i) }

// backImages gives the gradients of some images, in order.
func (r *bilinearRunner) backImages(i, _ int) {
	n0, n1 := r.cut.Range(i)
	if !r.dx.Add {
		clear(r.dx.Data[n0*r.image : n1*r.image])
	}
	h := len(r.rows)
	for row := n0 * h; row < n1*h; row++ {
		r.give(row, r.x.OnGrid, r.Grad, r.dx.Data)
	}
}

type bilinear8 struct {
	*layer.Rows
	*bilinear
}

func newBilinear8(n *layer.Node, b *layer.Bench) layer.Integer {
	r := &bilinear8{layer.NewRows(n, b), newBlends(n, b)}
	r.Unit(layer.Constant(n.Shape.C, b.In[0].Format.Scale/(whole*whole)), nil)
	return r
}

// Run implements layer.Integer.
func (r *bilinear8) Run(p layer.Piece) {
	acc := r.Block[p.Worker].I32[:r.Width]
	for row := p.R0; row < p.R1; row++ {
		r.integers(row, r.In[0].Codes, r.In[0].Format.Zero, acc, r.Scratch[p.Worker].I32[:r.line])
		r.Write(acc, nil, row*r.Width, 0)
	}
}
