package op

import (
	"qpipe/ops/grid"
	"qpipe/ops/kernel"
	"qpipe/ops/layer"
)

// AvgPool is average pooling.
type AvgPool PoolArgs

// GlobalAvgPool averages over height and width.
type GlobalAvgPool struct{}

var (
	avgPoolKind       = averaging("avg_pool", layer.Prescribed{Keeps: true})
	globalAvgPoolKind = averaging("global_avg_pool", layer.Prescribed{})
)

func averaging(name string, tflite layer.Prescribed) *layer.Kind {
	return &layer.Kind{
		Name: name, Least: 1, Most: 1, TFLite: tflite,
		Shape: poolShape, Restore: restorePool, Room: avgPoolRoom, Label: poolLabel,
		Train: newAvgPool, Integer: newAvgPool8,
	}
}

// Kind implements Op.
func (AvgPool) Kind() *layer.Kind { return avgPoolKind }

// Node implements Op.
func (a AvgPool) Node(in []layer.Source) (*layer.Node, error) {
	return pooling(avgPoolKind, in[0], PoolArgs(a))
}

// Kind implements Op.
func (GlobalAvgPool) Kind() *layer.Kind { return globalAvgPoolKind }

// Node implements Op.
func (GlobalAvgPool) Node(in []layer.Source) (*layer.Node, error) {
	s := in[0].Shape
	return pooling(globalAvgPoolKind, in[0], PoolArgs{Kernel: [2]int{s.H, s.W}})
}

func avgPoolRoom(n *layer.Node, b *layer.Bench) layer.Room {
	p := PoolGeom(n)
	windows := int64(p.KH*p.KW + 1)
	if n.Int8 {
		return layer.Room{Block: n.RowRoom(), Acc: b.Batch * n.Shape.WithN(1).Len(), Bytes: windows * layer.RequantBytes}
	}
	return layer.Room{Back: poolBack(b), Bytes: windows * (8*int64(n.Shape.C) + layer.RequantBytes)}
}

// avgPoolRunner averages windows. Of codes it makes sums, exactly, and leaves the division
// to the epilogue, as the int8 form does.
type avgPoolRunner struct {
	*layer.Bench
	node               *layer.Node
	geom               kernel.Pool
	out                grid.Output
	counts             []int            // the numbers that windows divide by
	unit               []float32        // by the number: one value a channel
	mul                []float32        // likewise
	requants           []kernel.Requant // by the number
	x                  *layer.Operand
	dx                 grid.Grad
	cut                grid.Cut
	gateTask, backTask func(i, worker int)
}

func newAvgPool(n *layer.Node, b *layer.Bench) layer.Runner {
	p := PoolGeom(n)
	windows := p.KH*p.KW + 1
	r := &avgPoolRunner{Bench: b, node: n, geom: p, counts: counts(&p), requants: make([]kernel.Requant, windows), x: b.In[0]}
	r.unit, r.mul = make([]float32, windows*n.Shape.C), make([]float32, windows*n.Shape.C)
	r.out.Init(b.Machine)
	r.out.Fill, r.out.Target = r.fill, r.target
	r.Keep(n, &r.out)
	r.gateTask, r.backTask = r.gateChunk, r.backChunk
	return r
}

// counts lists the numbers that the windows of a pool divide by, each once.
func counts(p *kernel.Pool) []int {
	var list []int
	seen := make([]bool, p.KH*p.KW+1)
	for oh := range p.OH {
		for ow := range p.OW {
			if k := divisor(p, oh, ow); !seen[k] {
				seen[k] = true
				list = append(list, k)
			}
		}
	}
	return list
}

// divisor is what the sum of the window at (oh, ow) is divided by.
func divisor(p *kernel.Pool, oh, ow int) int { return max(p.Count(oh, ow), 1) }

// units returns, by channel, the unit of a window's sum that is divided by count.
func (r *avgPoolRunner) units(count int) []float32 {
	c := r.node.Shape.C
	return r.unit[count*c : (count+1)*c]
}

func (r *avgPoolRunner) Forward(n int, st grid.Step) grid.Value {
	r.geom.N = n
	for _, k := range r.counts {
		u := r.units(k)
		for c := range u {
			u[c] = r.x.Unit() / float32(k)
		}
	}
	w := grid.Valued
	if r.x.OnGrid {
		w = grid.Exact
	}
	r.Bind(&r.out, n*r.geom.OH, r.geom.OW*r.geom.C)
	return r.Complete(&r.out, st, &r.node.Quant, w)
}

func (r *avgPoolRunner) target(q kernel.Quant) {
	c := r.node.Shape.C
	for _, k := range r.counts {
		r.requants[k] = grid.Requant(r.units(k), r.mul[k*c:(k+1)*c], nil, q, kernel.None)
	}
}

func (r *avgPoolRunner) fill(i, worker int, codes bool, mask []uint8) {
	r0, r1 := r.out.Cut.Range(i)
	if !r.x.OnGrid {
		r.Set.AvgPool(&r.geom, r.x.Data, r.out.Dst, r0, r1)
		return
	}
	r.Set.SumPoolInt8(&r.geom, r.x.Codes, r.x.Format.Zero, r.Acc, r0, r1)
	if len(r.counts) == 1 {
		e0, e1 := r.out.Elements(i)
		r.divide(e0, e1, r.counts[0], codes, mask)
		return
	}
	first := r0 * r.geom.OW
	for pixel := first; pixel < r1*r.geom.OW; pixel++ {
		at, c := pixel*r.geom.C, r.geom.C
		count := divisor(&r.geom, pixel/r.geom.OW%r.geom.OH, pixel%r.geom.OW)
		if mask == nil {
			r.divide(at, at+c, count, codes, nil)
			continue
		}
		part := r.Block[worker].U8[:(c+7)/8]
		r.divide(at, at+c, count, codes, part)
		place(part, mask, (pixel-first)*c, c)
	}
}

// place copies n bits to those of mask from at on. The bits are placed in order,
// so that what is left of mask's last byte is written as zero.
func place(bits, mask []uint8, at, n int) {
	for j := range n {
		b := bits[j/8] >> (j % 8) & 1
		if k := at + j; k%8 == 0 {
			mask[k/8] = b
		} else {
			mask[k/8] |= b << (k % 8)
		}
	}
}

// divide makes the output elements e0 to e1 of their windows' sums.
func (r *avgPoolRunner) divide(e0, e1, count int, codes bool, mask []uint8) {
	acc, c := r.Acc[e0:e1], r.node.Shape.C
	if codes {
		r.Set.Requantize(acc, nil, nil, r.out.Codes[e0:e1], mask, c, &r.requants[count])
	} else {
		r.Set.Dequantize(acc, nil, r.out.Dst[e0:e1], c, r.units(count))
	}
}

func (r *avgPoolRunner) Backward(n int) {
	r.dx = r.Gradient(0)
	r.Workers.Run(r.out.Cut.N, r.gateTask)
	if r.dx.Data != nil {
		r.cut = grid.NewCut(n, r.geom.H*r.geom.W*r.geom.C)
		r.Workers.Run(r.cut.N, r.backTask)
	}
}

func (r *avgPoolRunner) gateChunk(i, _ int) { r.Gate(&r.out, i) }

func (r *avgPoolRunner) backChunk(i, _ int) {
	n0, n1 := r.cut.Range(i)
	dst := r.dx.Data
	if r.dx.Add {
		dst = r.Back
	}
	r.Set.AvgPoolBackward(&r.geom, r.Grad, dst, n0, n1)
	if size := r.geom.H * r.geom.W * r.geom.C; r.dx.Add {
		r.Set.AddTo(dst[n0*size:n1*size], r.dx.Data[n0*size:n1*size])
	}
}

// avgPool8 has a set of units for every number that a window divides by.
type avgPool8 struct {
	*layer.Rows
	geom  kernel.Pool
	set   []int // by the number: its set of units
	whole bool  // every window divides by the same number
}

func newAvgPool8(n *layer.Node, b *layer.Bench) layer.Integer {
	r := &avgPool8{Rows: layer.NewRows(n, b), geom: PoolGeom(n)}
	r.set = make([]int, r.geom.KH*r.geom.KW+1)
	list := counts(&r.geom)
	for i, k := range list {
		r.set[k] = i
		r.Unit(layer.Constant(n.Shape.C, b.In[0].Format.Scale/float32(k)), nil)
	}
	r.whole = len(list) == 1
	return r
}

func (r *avgPool8) Begin(n int) { r.geom.N = n }

func (r *avgPool8) Run(p layer.Piece) {
	x, acc := r.In[0], r.Acc
	r.Set.SumPoolInt8(&r.geom, x.Codes, x.Format.Zero, acc, p.R0, p.R1)
	if r.whole {
		r.Write(acc[p.R0*r.Width:p.R1*r.Width], nil, p.R0*r.Width, 0)
		return
	}
	for row := p.R0; row < p.R1; row++ {
		for ow := range r.geom.OW {
			at := row*r.Width + ow*r.geom.C
			r.Write(acc[at:at+r.geom.C], nil, at, r.set[divisor(&r.geom, row%r.geom.OH, ow)])
		}
	}
}
