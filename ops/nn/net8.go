package nn

import (
	"qpipe/ops/grid"
	"qpipe/ops/kernel"
)

// net8 runs the int8 form: integers from the quantized input to the last node.
type net8 struct {
	e      *Net
	cells  []*cell8
	acc    []int32
	bytes  [][]byte
	result []float32
	x      []float32
	n      int
}

// cell8 is a node of the int8 form. Its output is y, codes of the format q, or f
// where it is float32.
type cell8 struct {
	*node
	net   *net8
	root  *cell8
	in    []*cell8
	on    bool
	q     kernel.Quant
	y     []int8
	f     []float32
	cut   grid.Cut
	width int // elements of an output row
	fill  func(e0, e1 int)
	task  func(i, worker int)

	conv  kernel.Conv
	pool  kernel.Pool
	req   []kernel.Requant // one; of a concat one per input, of a pool by count
	unit  [][]float32      // what 1 in the accumulator is worth, likewise
	bias  []int32
	tmp   []int8
	whole bool // every window of the pool divides by the same number
}

func newNet8(e *Net) *net8 {
	q := &net8{e: e}
	p := &plan{}
	last := make([]int, len(e.g.nodes))
	for i := len(e.g.nodes) - 1; i >= 0; i-- {
		last[i] = max(last[i], i)
		for _, j := range e.g.nodes[i].in {
			last[j] = max(last[j], i)
			if e.g.nodes[i].op == opFlatten {
				last[j] = max(last[j], last[i])
			}
		}
	}
	accs, bytes := 0, 0
	for i, n := range e.g.nodes {
		c := &cell8{node: n, net: q}
		q.cells = append(q.cells, c)
		c.root = c
		for _, j := range n.in {
			c.in = append(c.in, q.cells[j].root)
		}
		if n.op == opFlatten {
			c.root = c.in[0]
			continue
		}
		c.q, c.on = e.g.format(i)
		size, until := e.batch*n.shape.WithN(1).Len(), last[i]
		if e.keep || i == e.g.out {
			until = len(e.g.nodes)
		}
		if c.on {
			p.i8.lease(&c.y, size, i, until)
		} else {
			p.f32.lease(&c.f, size, i, until)
		}
		accs = max(accs, size)
		bytes = max(bytes, c.prepare(e, p, i))
	}
	p.allocate()
	q.acc, q.result = make([]int32, accs), make([]float32, e.batch*e.g.Output().WithN(1).Len())
	for range e.pool.Size() {
		q.bytes = append(q.bytes, make([]byte, bytes))
	}
	return q
}

// prepare settles the node's numbers and returns the bytes of scratch that it needs.
func (c *cell8) prepare(e *Net, p *plan, i int) (scratch int) {
	c.width = c.shape.W * c.shape.C
	c.task = c.chunk
	switch {
	case c.node.op == opInput:
		c.fill = c.input
	case c.node.conv != nil:
		c.conv, c.task = c.node.conv.Geom, c.convChunk
		c.conv.N = e.batch
		scratch = e.set.ConvInt8Size(&c.conv)
		c.prepareConv()
	case c.node.bn != nil:
		c.fill, c.bias = c.norm, c.affine.Bias
		c.unit = [][]float32{scaled(c.affine.Mul, c.in[0].q.Scale)}
	case c.node.op == opAdd:
		c.fill, c.unit = c.sum, [][]float32{{c.in[0].q.Scale}}
	case c.node.op == opConcat:
		c.fill = c.concat
		for _, x := range c.in {
			c.unit = append(c.unit, []float32{x.q.Scale})
		}
		p.i8.lease(&c.tmp, e.batch*c.shape.WithN(1).Len(), i, i)
	case c.node.op == opAct:
		c.fill = c.clip
	case c.node.op == opMaxPool:
		c.pool, c.task = c.node.pool, c.maxChunk
	default:
		c.pool, c.task = c.node.pool, c.avgChunk
		c.prepareAvg()
	}
	for _, u := range c.unit {
		c.req = append(c.req, c.requant(u))
	}
	return scratch
}

func (c *cell8) prepareConv() {
	q := c.node.conv.Int8
	c.bias = q.Bias
	c.unit = [][]float32{scaled(q.WScale, c.in[0].q.Scale)}
}

func (c *cell8) prepareAvg() {
	c.unit = make([][]float32, c.pool.KH*c.pool.KW+1)
	list := counts(&c.pool)
	for _, k := range list {
		c.unit[k] = []float32{c.in[0].q.Scale / float32(k)}
	}
	c.whole = len(list) == 1
}

func scaled(x []float32, s float32) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = s * v
	}
	return y
}

// requant is the epilogue for an accumulator of the given units.
func (c *cell8) requant(unit []float32) kernel.Requant {
	if !c.on {
		return kernel.Requant{}
	}
	r := kernel.Requant{Zero: c.q.Zero, Min: c.q.Min, Max: c.q.Max, Act: c.act, HalfUp: c.q.HalfUp}
	r.Six = int32(grid.Six(c.q)) + c.q.Zero
	for _, u := range unit {
		r.M = append(r.M, u/c.q.Scale)
	}
	if len(c.in) == 2 && c.node.op != opConcat {
		r.MZ, r.ZZero = c.in[1].q.Scale/c.q.Scale, c.in[1].q.Zero
	}
	return r
}

func (q *net8) forward(x []float32, n int) []float32 {
	q.x, q.n = x, n
	for _, c := range q.cells {
		if c.root == c {
			c.conv.N, c.pool.N = n, n
			c.cut = grid.NewCut(n*c.shape.H, c.width)
			q.e.pool.Run(c.cut.N, c.task)
		}
	}
	out := q.cells[q.e.g.out].root
	size := n * q.e.g.Output().WithN(1).Len()
	if !out.on {
		return out.f[:size]
	}
	out.values(q.result[:size])
	return q.result[:size]
}

func (c *cell8) values(dst []float32) {
	for i := range dst {
		dst[i] = float32(int32(c.y[i])-c.q.Zero) * c.q.Scale
	}
}

func (c *cell8) chunk(i, _ int) {
	r0, r1 := c.cut.Range(i)
	c.fill(r0*c.width, r1*c.width)
}

func (c *cell8) input(e0, e1 int) {
	if c.on {
		c.net.e.set.Quantize(c.net.x[e0:e1], c.y[e0:e1], c.q)
	} else {
		copy(c.f[e0:e1], c.net.x[e0:e1])
	}
}

func (c *cell8) convChunk(i, worker int) {
	r0, r1 := c.cut.Range(i)
	x := c.in[0]
	c.net.e.set.ConvInt8(&c.conv, x.y, x.q.Zero, c.node.conv.Int8.W, c.net.acc, c.net.bytes[worker], r0, r1)
	c.finish(r0*c.width, r1*c.width, c.bias)
}

// finish writes elements e0 to e1 of the output from the accumulator, with the
// second operand where there is one.
func (c *cell8) finish(e0, e1 int, bias []int32) {
	var z *cell8
	if len(c.in) == 2 {
		z = c.in[1]
	}
	set, acc := c.net.e.set, c.net.acc[e0:e1]
	if c.on {
		var zc []int8
		if z != nil {
			zc = z.y[e0:e1]
		}
		set.Requantize(acc, bias, zc, c.y[e0:e1], c.shape.C, &c.req[0])
		return
	}
	f := c.f[e0:e1]
	set.Dequantize(acc, bias, f, c.shape.C, c.unit[0])
	if z != nil {
		for i, v := range z.y[e0:e1] {
			f[i] += float32(float32(int32(v)-z.q.Zero) * z.q.Scale)
		}
	}
	if c.act != kernel.None {
		grid.Clip(f, f, grid.Top(&grid.Value{}, c.act))
	}
}

// widen brings x's codes, less the zero point, to the accumulator.
func (c *cell8) widen(x *cell8, e0, e1, at int) {
	acc := c.net.acc[at : at+e1-e0]
	for i, v := range x.y[e0:e1] {
		acc[i] = int32(v) - x.q.Zero
	}
}

func (c *cell8) sum(e0, e1 int) {
	c.widen(c.in[0], e0, e1, e0)
	c.finish(e0, e1, nil)
}

func (c *cell8) norm(e0, e1 int) {
	c.widen(c.in[0], e0, e1, e0)
	c.finish(e0, e1, c.bias)
}

func (c *cell8) concat(e0, e1 int) {
	width, at := c.shape.C, 0
	p0, p1 := e0/width, e1/width
	for k, x := range c.in {
		w := x.shape.C
		size := (p1 - p0) * w
		c.widen(x, p0*w, p1*w, e0)
		acc := c.net.acc[e0 : e0+size]
		if c.on {
			tmp := c.tmp[e0 : e0+size]
			c.net.e.set.Requantize(acc, nil, nil, tmp, w, &c.req[k])
			for p := p0; p < p1; p++ {
				copy(c.y[p*width+at:p*width+at+w], tmp[(p-p0)*w:])
			}
		} else {
			for p := p0; p < p1; p++ {
				for j, v := range acc[(p-p0)*w : (p-p0+1)*w] {
					c.f[p*width+at+j] = float32(v) * x.q.Scale
				}
			}
		}
		at += w
	}
}

func (c *cell8) clip(e0, e1 int) {
	x := c.in[0]
	if !c.on {
		grid.Clip(x.f[e0:e1], c.f[e0:e1], grid.Top(&grid.Value{}, c.act))
		return
	}
	lo, hi := x.q.Zero, x.q.Max
	if c.act == kernel.ReLU6 {
		hi = min(hi, int32(grid.Six(x.q))+x.q.Zero)
	}
	for i, v := range x.y[e0:e1] {
		c.y[e0+i] = int8(min(max(int32(v), lo), hi))
	}
}

func (c *cell8) maxChunk(i, _ int) {
	r0, r1 := c.cut.Range(i)
	c.net.e.set.MaxPoolInt8(&c.pool, c.in[0].y, c.y, r0, r1)
}

func (c *cell8) avgChunk(i, _ int) {
	r0, r1 := c.cut.Range(i)
	x := c.in[0]
	c.net.e.set.SumPoolInt8(&c.pool, x.y, x.q.Zero, c.net.acc, r0, r1)
	if c.whole {
		c.divide(r0*c.width, r1*c.width, max(c.pool.Count(0, 0), 1))
		return
	}
	for r := r0; r < r1; r++ {
		for ow := range c.pool.OW {
			at := r*c.width + ow*c.pool.C
			c.divide(at, at+c.pool.C, max(c.pool.Count(r%c.pool.OH, ow), 1))
		}
	}
}

func (c *cell8) divide(e0, e1, count int) {
	set, acc := c.net.e.set, c.net.acc[e0:e1]
	if c.on {
		set.Requantize(acc, nil, nil, c.y[e0:e1], c.shape.C, &c.req[count])
	} else {
		set.Dequantize(acc, nil, c.f[e0:e1], c.shape.C, c.unit[count])
	}
}

// cell finds a node's cell.
func (q *net8) cell(n *node) *cell8 {
	for _, c := range q.cells {
		if c.node == n {
			return c.root
		}
	}
	return nil
}

func (q *net8) output(n *node, images int) (values []float32, scale float32, zero int32, ok bool) {
	c := q.cell(n)
	values = make([]float32, images*n.shape.WithN(1).Len())
	if c.on {
		c.values(values)
	} else {
		copy(values, c.f)
	}
	return values, c.q.Scale, c.q.Zero, true
}

func (q *net8) codes(n *node, images int) ([]int8, bool) {
	c := q.cell(n)
	if !c.on {
		return nil, false
	}
	return append([]int8(nil), c.y[:images*n.shape.WithN(1).Len()]...), true
}
