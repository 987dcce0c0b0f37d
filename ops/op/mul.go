package op

import (
	"fmt"

	"qpipe/ops/grid"
	"qpipe/ops/kernel"
	"qpipe/ops/layer"
	"qpipe/ops/tensor"
)

// Mul multiplies two values element by element. An operand with an extent of 1 (height, width or channels) is
// repeated along it: a gate of 1×1×C scales the channels of a map, one of H×W×1 its pixels.
type Mul struct{}

var mulKind = &layer.Kind{
	Name: "mul", Least: 2, Most: 2, Rereads: true,
	Shape: mulShape, Train: newMul, Integer: newMul8,
}

func mulShape(_ *layer.Node, in []tensor.Shape) (tensor.Shape, error) {
	x, y := in[0], in[1]
	fits := func(a, b int) bool { return a == b || a == 1 || b == 1 }
	if !fits(x.H, y.H) || !fits(x.W, y.W) || !fits(x.C, y.C) {
		return x, fmt.Errorf("%v and %v differ in an extent that is not 1", x, y)
	}
	return tensor.Shape{H: max(x.H, y.H), W: max(x.W, y.W), C: max(x.C, y.C)}, nil
}

// Kind implements Op.
func (Mul) Kind() *layer.Kind { return mulKind }

// Node implements Op.
func (Mul) Node(in []layer.Source) (*layer.Node, error) {
	s, err := mulShape(nil, []tensor.Shape{in[0].Shape, in[1].Shape})
	if err != nil {
		return nil, layer.BadArg("", "cannot multiply %s (%v) and %s (%v)", in[0].Name, in[0].Shape, in[1].Name, in[1].Shape)
	}
	return &layer.Node{Kind: mulKind, Shape: s, Origin: s}, nil
}

// factor is an operand of a product, and how its elements lie beside the output's.
type factor struct {
	*layer.Operand
	image, row, pixel, channel int // steps to the next of each; 0 where it is repeated
}

func newFactor(x *layer.Operand) factor {
	s := x.Shape
	step := func(extent, size int) int {
		if extent == 1 {
			return 0
		}
		return size
	}
	return factor{x, s.WithN(1).Len(), step(s.H, s.W*s.C), step(s.W, s.C), step(s.C, 1)}
}

// at is the place of the first element of an output row of h rows an image.
func (f *factor) at(row, h int) int { return row/h*f.image + row%h*f.row }

// integers and values multiply the elements of output rows r0 to r1 of shape s.
func integers(x, y *factor, s tensor.Shape, r0, r1 int, out []int32) {
	zx, zy := x.Format.Zero, y.Format.Zero
	for row := r0; row < r1; row++ {
		i, j := x.at(row, s.H), y.at(row, s.H)
		for w := range s.W {
			o := out[((row-r0)*s.W+w)*s.C:][:s.C]
			a, b := i+w*x.pixel, j+w*y.pixel
			for c := range o {
				o[c] = (int32(x.Codes[a+c*x.channel]) - zx) * (int32(y.Codes[b+c*y.channel]) - zy)
			}
		}
	}
}

func values(x, y *factor, s tensor.Shape, r0, r1 int, out []float32) {
	for row := r0; row < r1; row++ {
		i, j := x.at(row, s.H), y.at(row, s.H)
		for w := range s.W {
			o := out[((row-r0)*s.W+w)*s.C:][:s.C]
			a, b := i+w*x.pixel, j+w*y.pixel
			for c := range o {
				o[c] = x.float(a+c*x.channel) * y.float(b+c*y.channel)
			}
		}
	}
}

// float is element i as float32.
func (f *factor) float(i int) float32 {
	if f.OnGrid {
		return float32(int32(f.Codes[i])-f.Format.Zero) * f.Format.Scale
	}
	return f.Data[i]
}

type mulRunner struct {
	*layer.Bench
	node               *layer.Node
	out                grid.Output
	x, y               factor
	requant            kernel.Requant
	unit, mul          []float32
	dx, dy             grid.Grad
	cut                grid.Cut
	gateTask, backTask func(i, worker int)
}

func newMul(n *layer.Node, b *layer.Bench) layer.Runner {
	c := n.Shape.C
	r := &mulRunner{Bench: b, node: n, unit: make([]float32, c), mul: make([]float32, c)}
	r.x, r.y = newFactor(b.In[0]), newFactor(b.In[1])
	r.out.Init(b.Machine)
	r.out.Fill, r.out.Target, r.gateTask, r.backTask = r.fill, r.target, r.gateChunk, r.backImages
	return r
}

func (r *mulRunner) target(q kernel.Quant) {
	r.requant = grid.Requant(r.unit, r.mul, nil, q, kernel.None)
}

func (r *mulRunner) Forward(n int, st grid.Step) grid.Value {
	s, w := r.node.Shape, grid.Valued
	if r.x.OnGrid && r.y.OnGrid {
		w = grid.Exact
	}
	for c := range r.unit {
		r.unit[c] = r.x.Unit() * r.y.Unit()
	}
	r.Bind(&r.out, n*s.H, s.W*s.C)
	return r.Complete(&r.out, st, &r.node.Quant, w)
}

func (r *mulRunner) fill(i, worker int, codes bool, mask []uint8) {
	e0, e1 := r.out.Elements(i)
	r0, r1 := r.out.Cut.Range(i)
	s := r.node.Shape
	if !(r.x.OnGrid && r.y.OnGrid) {
		values(&r.x, &r.y, s, r0, r1, r.out.Dst[e0:e1])
		return
	}
	acc := r.Block[worker].I32[:e1-e0]
	integers(&r.x, &r.y, s, r0, r1, acc)
	if codes {
		r.Set.Requantize(acc, nil, nil, r.out.Codes[e0:e1], mask, s.C, &r.requant)
	} else {
		r.Set.Dequantize(acc, nil, r.out.Dst[e0:e1], s.C, r.unit)
	}
}

func (r *mulRunner) Backward(n int) {
	r.dx, r.dy = r.Gradient(0), r.Gradient(1)
	r.Workers.Run(r.out.Cut.N, r.gateTask)
	s := r.node.Shape
	r.cut = grid.NewCut(n, s.WithN(1).Len())
	r.Workers.Run(r.cut.N, r.backTask)
}

func (r *mulRunner) gateChunk(i, _ int) { r.Gate(&r.out, i) }

// backImages gives the gradients of the operands of some images. Repeated elements add theirs up, image by image
// and in order, so that the sums do not depend on the workers.
func (r *mulRunner) backImages(i, _ int) {
	n0, n1 := r.cut.Range(i)
	r.giveTo(r.dx, &r.x, &r.y, n0, n1)
	r.giveTo(r.dy, &r.y, &r.x, n0, n1)
}

// giveTo gives x its gradient, that of the output times y.
func (r *mulRunner) giveTo(d grid.Grad, x, y *factor, n0, n1 int) {
	if d.Data == nil {
		return
	}
	if !d.Add {
		clear(d.Data[n0*x.image : n1*x.image])
	}
	s := r.node.Shape
	for row := n0 * s.H; row < n1*s.H; row++ {
		i, j := x.at(row, s.H), y.at(row, s.H)
		for w := range s.W {
			g := r.Grad[(row*s.W+w)*s.C:][:s.C]
			a, b := i+w*x.pixel, j+w*y.pixel
			for c, v := range g {
				d.Data[a+c*x.channel] += float32(v * y.float(b+c*y.channel))
			}
		}
	}
}

type mul8 struct {
	*layer.Rows
	x, y factor
}

func newMul8(n *layer.Node, b *layer.Bench) layer.Integer {
	r := &mul8{Rows: layer.NewRows(n, b), x: newFactor(b.In[0]), y: newFactor(b.In[1])}
	r.Unit(layer.Constant(n.Shape.C, r.x.Format.Scale*r.y.Format.Scale), nil)
	return r
}

func (r *mul8) Run(p layer.Piece) {
	acc := r.Block[p.Worker].I32[:r.Width]
	for row := p.R0; row < p.R1; row++ {
		integers(&r.x, &r.y, r.Node.Shape, row, row+1, acc)
		r.Write(acc, nil, row*r.Width, 0)
	}
}
