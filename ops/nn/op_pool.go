package nn

import (
	"qpipe/ops/convbn"
	"qpipe/ops/grid"
	"qpipe/ops/kernel"
)

// maxPoolOp passes codes on.
type maxPoolOp struct {
	e           *Net
	c           *cell
	p           kernel.Pool
	cut         grid.Cut
	x           *grid.Value
	index       []int32
	tmp         []float32
	dx          convbn.Grad
	forth, back func(i, worker int)
}

func newMaxPoolOp(e *Net, c *cell, p *plan) *maxPoolOp {
	o := &maxPoolOp{e: e, c: c, p: c.pool}
	if n := e.indexSize(c); n > 0 {
		o.index = make([]int32, n)
	}
	o.forth, o.back = o.forwardChunk, o.backChunk
	e.leaseTmp(c, p, &o.tmp)
	return o
}

// indexSize is of how many elements a maximum's place is kept.
func (e *Net) indexSize(c *cell) int {
	if e.training || e.plain(c) {
		return e.batch * c.shape.WithN(1).Len()
	}
	return 0
}

// leaseTmp leases room for the gradient of an operand that others read too.
func (e *Net) leaseTmp(c *cell, p *plan, dst *[]float32) {
	if x := e.cells[e.rootOf(c.in[0])]; e.training && len(e.readers(x)) > 1 {
		p.f32.lease(dst, e.batch*x.shape.WithN(1).Len(), e.back(c.i), e.back(c.i))
	}
}

func (o *maxPoolOp) forward(n int, _ grid.Step) grid.Value {
	o.p.N = n
	o.x = &o.e.cells[o.c.in[0]].val
	o.cut = grid.NewCut(n*o.p.OH, o.p.OW*o.p.C)
	o.e.pool.Run(o.cut.N, o.forth)
	return grid.Value{Data: o.c.out, Codes: o.c.codes, On: o.x.On, Q: o.x.Q}
}

func (o *maxPoolOp) forwardChunk(i, _ int) {
	r0, r1 := o.cut.Range(i)
	if o.x.On {
		o.e.set.MaxPoolInt8(&o.p, o.x.Codes, o.c.codes, o.index, r0, r1)
		return
	}
	o.e.set.MaxPool(&o.p, o.x.Data, o.c.out, o.index, r0, r1)
}

func (o *maxPoolOp) backward(n int) {
	o.dx = o.e.gradOf(o.c.in[0])
	if o.dx.Data != nil {
		o.cut = grid.NewCut(n, o.p.H*o.p.W*o.p.C)
		o.e.pool.Run(o.cut.N, o.back)
	}
}

func (o *maxPoolOp) backChunk(i, _ int) {
	n0, n1 := o.cut.Range(i)
	dst := o.dx.Data
	if o.dx.Add {
		dst = o.tmp
	}
	o.e.set.MaxPoolBackward(&o.p, o.c.grad, o.index, dst, n0, n1)
	if size := o.p.H * o.p.W * o.p.C; o.dx.Add {
		o.e.set.AddTo(dst[n0*size:n1*size], o.dx.Data[n0*size:n1*size])
	}
}

// avgPoolOp averages windows, or whole images. On a grid it sums codes, exactly,
// and leaves the division to the epilogue, as the int8 model does.
type avgPoolOp struct {
	e        *Net
	c        *cell
	p        kernel.Pool
	out      grid.Output
	counts   []int            // the numbers that windows divide by
	unit     []float32        // by the number: one value a channel
	mul      []float32        // likewise
	req      []kernel.Requant // by the number
	x        *grid.Value
	tmp      []float32
	dx       convbn.Grad
	cut      grid.Cut
	gateTask func(i, worker int)
	backTask func(i, worker int)
}

func newAvgPoolOp(e *Net, c *cell, p *plan) *avgPoolOp {
	window := c.pool.KH*c.pool.KW + 1
	o := &avgPoolOp{e: e, c: c, p: c.pool, counts: counts(&c.pool), req: make([]kernel.Requant, window)}
	o.unit, o.mul = make([]float32, window*c.shape.C), make([]float32, window*c.shape.C)
	o.out.Init(e.m)
	o.out.Fill, o.out.Target = o.fill, o.target
	o.gateTask, o.backTask = o.gateChunk, o.backChunk
	e.leaseTmp(c, p, &o.tmp)
	return o
}

// counts lists the numbers that the windows of a pool divide by, each once.
func counts(p *kernel.Pool) []int {
	var list []int
	seen := make([]bool, p.KH*p.KW+1)
	for oh := range p.OH {
		for ow := range p.OW {
			if k := max(p.Count(oh, ow), 1); !seen[k] {
				seen[k] = true
				list = append(list, k)
			}
		}
	}
	return list
}

func (o *avgPoolOp) bind() { o.out.Out, o.out.Codes, o.out.Mask = o.c.out, o.c.codes, o.c.mask }

// units returns what 1 in a window's sum is worth when it is divided by count, per channel.
func (o *avgPoolOp) units(count int) []float32 {
	c := o.c.shape.C
	return o.unit[count*c : (count+1)*c]
}

func (o *avgPoolOp) forward(n int, st grid.Step) grid.Value {
	o.p.N = n
	o.x = &o.e.cells[o.c.in[0]].val
	for _, k := range o.counts {
		u := o.units(k)
		for c := range u {
			u[c] = o.x.Unit() / float32(k)
		}
	}
	w := grid.Valued
	if o.x.On {
		w = grid.Exact
	}
	o.out.Bind(n*o.p.OH, o.p.OW*o.p.C)
	o.out.Begin(st, &o.c.quant, w)
	return o.out.Forward(st, &o.c.quant)
}

func (o *avgPoolOp) target(q kernel.Quant) {
	c := o.c.shape.C
	for _, k := range o.counts {
		o.req[k] = grid.Requant(o.units(k), o.mul[k*c:(k+1)*c], nil, q, kernel.None)
	}
}

func (o *avgPoolOp) fill(i, worker int, codes bool, mask []uint8) {
	r0, r1 := o.out.Cut.Range(i)
	if !o.x.On {
		o.e.set.AvgPool(&o.p, o.x.Data, o.out.Dst, r0, r1)
		return
	}
	o.e.set.SumPoolInt8(&o.p, o.x.Codes, o.x.Q.Zero, o.e.m.Acc, r0, r1)
	if len(o.counts) == 1 {
		e0, e1 := o.out.Elements(i)
		o.divide(e0, e1, o.counts[0], codes, mask)
		return
	}
	first := r0 * o.p.OW
	for pixel := first; pixel < r1*o.p.OW; pixel++ {
		at, c := pixel*o.p.C, o.p.C
		count := max(o.p.Count(pixel/o.p.OW%o.p.OH, pixel%o.p.OW), 1)
		if mask == nil {
			o.divide(at, at+c, count, codes, nil)
			continue
		}
		part := o.e.m.Block[worker].U8[:(c+7)/8]
		o.divide(at, at+c, count, codes, part)
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
func (o *avgPoolOp) divide(e0, e1, count int, codes bool, mask []uint8) {
	acc, c := o.e.m.Acc[e0:e1], o.c.shape.C
	if codes {
		o.e.set.Requantize(acc, nil, nil, o.out.Codes[e0:e1], mask, c, &o.req[count])
	} else {
		o.e.set.Dequantize(acc, nil, o.out.Dst[e0:e1], c, o.units(count))
	}
}

func (o *avgPoolOp) backward(n int) {
	o.dx = o.e.gradOf(o.c.in[0])
	o.e.pool.Run(o.out.Cut.N, o.gateTask)
	if o.dx.Data != nil {
		o.cut = grid.NewCut(n, o.p.H*o.p.W*o.p.C)
		o.e.pool.Run(o.cut.N, o.backTask)
	}
}

func (o *avgPoolOp) gateChunk(i, _ int) {
	e0, e1 := o.out.Elements(i)
	if mask := o.out.Gate(e0, e1); mask != nil {
		o.e.set.Gate(o.c.grad[e0:e1], mask, o.c.grad[e0:e1], false)
	}
}

func (o *avgPoolOp) backChunk(i, _ int) {
	n0, n1 := o.cut.Range(i)
	dst := o.dx.Data
	if o.dx.Add {
		dst = o.tmp
	}
	o.e.set.AvgPoolBackward(&o.p, o.c.grad, dst, n0, n1)
	if size := o.p.H * o.p.W * o.p.C; o.dx.Add {
		o.e.set.AddTo(dst[n0*size:n1*size], o.dx.Data[n0*size:n1*size])
	}
}
