package convbn

import (
	"slices"

	"qpipe/ops/grid"
	"qpipe/ops/kernel"
	"qpipe/ops/layer"
	"qpipe/ops/spread"
)

// conv8 is a convolution of the int8 form. It requantizes in its own epilogue, so that no
// accumulator is ever written.
type conv8 struct {
	*layer.Bench
	node      *layer.Node
	geom      kernel.Conv
	up        *spread.Input // of a transposed convolution, else nil
	x         []uint8       // the operand as the kernel reads it
	packed    []int8
	bias      []int32 // the zero point's part included
	requant   kernel.Requant
	out       kernel.Int8Out
	one, zero []float32
	width     int
}

func newConv8(n *layer.Node, b *layer.Bench) layer.Integer {
	q, x := Of(n).Int8, b.In[0]
	r := &conv8{Bench: b, node: n, geom: Of(n).Geom, width: n.Shape.W * n.Shape.C}
	r.geom.N = b.Batch
	c := r.geom.OutC
	sums := make([]int32, c)
	r.packed = make([]int8, b.Set.Conv(&r.geom).Int8PackSize(&r.geom))
	b.Set.Conv(&r.geom).Int8Pack(&r.geom, q.W, r.packed, sums, 0, c)
	r.bias = make([]int32, c)
	copy(r.bias, q.Bias)
	for o, s := range sums {
		r.bias[o] -= x.Format.Zero * s
	}
	unit := make([]float32, c)
	for o, s := range q.WScale {
		unit[o] = x.Format.Scale * s
	}
	var z *grid.Value
	if len(b.In) == 2 {
		z = &grid.Value{Format: b.In[1].Format}
	}
	if Of(n).Up != nil {
		r.up = spread.New(*Of(n).Up, n, b)
	}
	r.requant = b.Epilogue(unit, z, n.Act)
	r.out.Q = &r.requant
	r.one, r.zero = slices.Repeat([]float32{1}, c), make([]float32, c)
	return r
}

func cost(n *layer.Node) layer.Cost {
	g := &Of(n).Geom
	if g.Groups > 1 {
		return layer.Cost{Work: g.K(), Per: 40}
	}
	return layer.Cost{Work: g.K(), Per: 150, Weights: g.WeightLen()}
}

// Begin says what is read, and where the epilogue writes.
func (r *conv8) Begin(n int) {
	r.geom.N = n
	r.x = r.In[0].Codes
	if r.up != nil {
		r.x = r.up.Spread(n).Codes
	}
	if !r.Coded {
		r.out.F = r.Out
		return
	}
	r.out.Y = r.Codes
	if len(r.In) == 2 {
		r.out.Z = r.In[1].Codes
	}
}

func (r *conv8) Run(p layer.Piece) {
	r.Set.Conv(&r.geom).Int8(&r.geom, r.x, uint8(r.In[0].Format.Zero), r.packed, r.bias, &r.out, r.Scratch[p.Worker], p.R0, p.R1, p.C0, p.C1)
	if !r.Coded && (len(r.In) == 2 || r.node.Act != kernel.None) {
		r.finish(p)
	}
}

// finish adds the second operand to a float32 output and activates it.
func (r *conv8) finish(p layer.Piece) {
	operand := kernel.Operand{}
	for at := p.R0 * r.width; at < p.R1*r.width; at += r.node.Shape.C {
		if len(r.In) == 2 {
			operand = r.In[1].Operand(at+p.C0, at+p.C1)
		}
		f := r.Out[at+p.C0 : at+p.C1]
		r.Set.Affine(f, operand, f, nil, r.one[p.C0:p.C1], r.zero[p.C0:p.C1], r.node.Act)
	}
}
