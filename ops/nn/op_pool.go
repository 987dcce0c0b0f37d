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
	o := &maxPoolOp{e: e, c: c, p: c.pool, index: make([]int32, e.batch*c.shape.WithN(1).Len())}
	o.forth, o.back = o.forwardChunk, o.backChunk
	o.tmp = nil
	e.leaseTmp(c, p, &o.tmp)
	return o
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
	return grid.Value{Data: o.c.out, On: o.x.On, Q: o.x.Q}
}

func (o *maxPoolOp) forwardChunk(i, _ int) {
	r0, r1 := o.cut.Range(i)
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
	eps      []grid.Epilogue // by the number of elements that a window divides by
	x        *grid.Value
	sums     [][]int32 // per worker
	tmp      []float32
	dx       convbn.Grad
	cut      grid.Cut
	gateTask func(i, worker int)
	backTask func(i, worker int)
}

func newAvgPoolOp(e *Net, c *cell, p *plan) *avgPoolOp {
	o := &avgPoolOp{e: e, c: c, p: c.pool, eps: make([]grid.Epilogue, c.pool.KH*c.pool.KW+1)}
	for _, k := range counts(&c.pool) {
		o.eps[k] = grid.NewEpilogue(c.shape.C, kernel.None)
		o.eps[k].Settle(float64(c.pool.KH*c.pool.KW) * maxCode)
	}
	for range e.pool.Size() {
		o.sums = append(o.sums, make([]int32, c.shape.C))
	}
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

func (o *avgPoolOp) bind() { o.out.Out, o.out.Mask = o.c.out, o.c.mask }

func (o *avgPoolOp) forward(n int, st grid.Step) grid.Value {
	o.p.N = n
	o.x = &o.e.cells[o.c.in[0]].val
	for k := range o.eps {
		for c := range o.eps[k].Unit {
			o.eps[k].Unit[c] = o.x.Unit() / float32(k)
		}
	}
	return o.out.Forward(n*o.p.OH, o.p.OW*o.p.C, st, &o.c.quant, o.x.On)
}

func (o *avgPoolOp) target(q kernel.Quant) {
	for k := range o.eps {
		if o.eps[k].Unit != nil {
			o.eps[k].Target(q)
		}
	}
}

func (o *avgPoolOp) fill(i, worker int, codes bool, mask []uint8) {
	r0, r1 := o.out.Cut.Range(i)
	if !o.x.On {
		o.e.set.AvgPool(&o.p, o.x.Data, o.c.out, r0, r1)
		return
	}
	c := o.p.C
	sum := o.sums[worker]
	first := r0 * o.p.OW * c
	for r := r0; r < r1; r++ {
		for ow := range o.p.OW {
			at := (r*o.p.OW + ow) * c
			grid.WindowSum(&o.p, o.x.Data, sum, r, ow)
			var m []uint8
			if mask != nil {
				m = mask[at-first : at-first+c]
			}
			grid.Fill(&o.eps[max(o.p.Count(r%o.p.OH, ow), 1)], sum, nil, o.c.out[at:at+c], codes, m)
		}
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
	e0, e1 := o.out.Range(i)
	o.out.Gate(i, o.c.grad[e0:e1])
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
