package convbn

import (
	"qpipe/ops/grid"
	"qpipe/ops/kernel"
)

// Backward takes the gradient dy of the last Forward's output, which it
// overwrites, to the parameters' gradients, x (dx) and the added operand (dz).
//
// With BN a first pass sums the gradient up per channel. Then the gradient in front of
// BN is made a block of images at a time, and goes into the weight's gradient and
// into dx while it is near. Where the weight is so large that its gradient is not cut over
// images, the three are passes of their own.
func (e *Exec) Backward(dy []float32, dx, dz grid.Grad) {
	r := &e.run
	r.dy, r.dx, r.dz = dy, dx, dz
	if e.n.BN != nil {
		e.m.Workers.Run(r.cut.N, e.sumTask)
		count := float64(r.p.Rows() * r.p.OW)
		for o := range e.a {
			g, ga := e.m.Total(r.cut.N, r.p.OutC, o)
			e.a[o], e.k[o], e.b[o] = e.bn.Backward(o, e.n.BN, r.batch, float64(e.n.bias(o)), g, ga, count)
		}
	}
	if dx.Data != nil {
		tasks, _ := e.blocks(r.p.C)
		e.m.Workers.Run(tasks, e.turnTask)
	}
	r.dw = newDWCut(&r.p, r.p.N)
	if r.dw.outs == 1 {
		e.m.Workers.Run(r.dw.images, e.blockTask)
	} else {
		e.m.Workers.Run(r.cut.N, e.gateTask)
		if r.x.Remake != nil {
			e.m.Workers.Run(grid.NewCut(r.p.InRows(), r.p.W*r.p.C).N, e.remakeTask)
		}
		e.m.Workers.Run(r.dw.images*r.dw.outs, e.weightTask)
		if dx.Data != nil {
			e.m.Workers.Run(grid.NewCut(r.p.InRows(), r.p.W*r.p.C).N, e.dataTask)
		}
	}
	e.biasBackward()
	e.m.Workers.Run(grid.NewCut(r.p.OutC, r.p.K()).N, e.reduceTask)
}

// sumChunk sums the gradient behind BN up per channel.
func (e *Exec) sumChunk(i, _ int) {
	r := &e.run
	e0, e1 := e.Elements(i)
	sum, prod := e.m.Partial(i, r.p.OutC)
	e.m.Set.GateSums(r.dy[e0:e1], e.Gate(e0, e1), r.acc[e0:e1], nil, sum, prod)
}

// gate takes the gradient of the elements e0 to e1 back through the output's
// quantization, the activation and BN, to y, and hands it to z on the way. Part is
// where a bias without BN finds its sums.
func (e *Exec) gate(e0, e1, part int, y []float32) {
	r := &e.run
	g, mask := r.dy[e0:e1], e.Gate(e0, e1)
	if r.dz.Data != nil {
		e.m.Set.Gate(g, mask, r.dz.Data[e0:e1], r.dz.Add)
	}
	switch {
	case e.n.BN != nil && r.batch: // dc = g·a + (acc·k + b)
		e.m.Set.GateAffine(g, mask, r.acc[e0:e1], y, e.a, e.k, e.b)
	case e.n.BN != nil:
		e.m.Set.GateAffine(g, mask, nil, y, e.a, nil, nil)
	case e.n.Bias:
		sum, prod := e.m.Sum(part, r.p.OutC)
		e.m.Set.GateSums(g, mask, nil, y, sum, prod)
	default:
		e.m.Set.Gate(g, mask, y, false)
	}
}

// gateChunk makes the gradient in front of BN where the one behind it was.
func (e *Exec) gateChunk(i, _ int) {
	e0, e1 := e.Elements(i)
	e.m.Partial(i, e.run.p.OutC)
	e.gate(e0, e1, i, e.run.dy[e0:e1])
}

// blockChunk takes the images of part i back, a block at a time.
func (e *Exec) blockChunk(i, worker int) {
	r := &e.run
	out, in, w := r.p.OH*r.p.OW*r.p.OutC, r.p.H*r.p.W*r.p.C, r.p.WeightLen()
	n0, n1 := r.dw.part(i)
	dw, y := e.m.Parts[i*w:(i+1)*w], e.m.Block[worker].F32
	clear(dw)
	e.m.Partial(i, r.p.OutC)
	p, s := &e.local[worker], e.m.Scratch[worker]
	*p = r.p
	for step := e.n.blockImages(); n0 < n1; n0 += p.N {
		p.N = min(step, n1-n0)
		dy, x := y[:p.N*out], kernel.Operand{}
		e.gate(n0*out, (n0+p.N)*out, i, dy)
		if r.x.Remake != nil {
			x.F = y[p.N*out:][:p.N*in]
			r.x.Remake(n0*in, (n0+p.N)*in, x.F)
		} else {
			x = r.x.Operand(n0*in, (n0+p.N)*in)
		}
		e.m.Set.ConvBackwardWeights(p, x, dy, dw, s, 0, p.N, 0, p.OutC)
		if r.dx.Data != nil {
			e.m.Set.ConvBackwardData(p, dy, e.pack.data, r.dx.Data[n0*in:(n0+p.N)*in], r.dx.Add, s, 0, p.InRows())
		}
	}
}

// blockFloats is about how many elements of a gradient are near at a time.
const blockFloats = 96 << 10

// blockImages is how many images make a block: whole bytes of the mask.
func (n *Node) blockImages() int {
	size := n.Geom.OH * n.Geom.OW * n.Geom.OutC
	whole := grid.Whole(size)
	return max(blockFloats/size/whole, 1) * whole
}

// remakeChunk brings the operand back for a pass of its own.
func (e *Exec) remakeChunk(i, _ int) {
	p := &e.run.p
	w := p.W * p.C
	r0, r1 := grid.NewCut(p.InRows(), w).Range(i)
	e.run.x.Remake(r0*w, r1*w, e.m.Plain[r0*w:r1*w])
}

func (e *Exec) biasBackward() {
	if !e.n.Bias {
		return
	}
	parts := e.run.cut.N
	if e.run.dw.outs == 1 {
		parts = e.run.dw.images
	}
	for o := range e.n.B.Grad {
		if e.n.BN != nil {
			e.n.B.Grad[o] = float32(e.bn.db[o])
		} else {
			sum, _ := e.m.Total(parts, e.run.p.OutC, o)
			e.n.B.Grad[o] = float32(sum)
		}
	}
}

// dwCut divides the weight's gradient over images, whose parts are added up, or
// over output channels. It is a function of the shape alone.
type dwCut struct{ batch, images, outs, whole int }

// dwTasks is the number of tasks that the weight's gradient is cut into where it
// can be; partsLimit bounds the floats of partial results, and partPixels is how many
// products each should be the sum of, or adding the parts up costs what they do.
const (
	dwTasks    = 16
	partsLimit = 5 << 19
	partPixels = 64
)

func newDWCut(p *kernel.Conv, batch int) dwCut {
	whole := grid.Whole(p.OH * p.OW * p.OutC)
	units := (batch + whole - 1) / whole
	images := max(1, min(units, dwTasks, partsLimit/p.WeightLen(), batch*p.OH*p.OW/partPixels))
	if images < dwTasks/2 {
		return dwCut{batch, 1, max(1, min(dwTasks, (p.OutC+3)/4)), whole}
	}
	return dwCut{batch, images, 1, whole}
}

// part returns the images of part i.
func (c *dwCut) part(i int) (n0, n1 int) {
	units := (c.batch + c.whole - 1) / c.whole
	return i * units / c.images * c.whole, min((i+1)*units/c.images*c.whole, c.batch)
}

// weightChunk computes the gradient of the output channels of part i.
func (e *Exec) weightChunk(i, worker int) {
	r, c := &e.run, e.run.dw
	o0, o1 := i*r.p.OutC/c.outs, (i+1)*r.p.OutC/c.outs
	k := r.p.K()
	dw := e.m.Parts[:r.p.WeightLen()]
	clear(dw[o0*k : o1*k])
	size := r.p.N * r.p.H * r.p.W * r.p.C
	x := kernel.Operand{F: e.m.Plain[:min(size, len(e.m.Plain))]}
	if r.x.Remake == nil {
		x = r.x.Operand(0, size)
	}
	e.m.Set.ConvBackwardWeights(&r.p, x, r.dy, dw, e.m.Scratch[worker], 0, r.p.N, o0, o1)
}

// reduceChunk adds the parts up in a fixed tree and takes the sum back through
// the weight's quantization and folding.
func (e *Exec) reduceChunk(i, _ int) {
	p, parts := &e.run.p, e.run.dw.images
	w, k := p.WeightLen(), p.K()
	o0, o1 := grid.NewCut(p.OutC, k).Range(i)
	for step := 1; step < parts; step *= 2 {
		for j := 0; j+step < parts; j += 2 * step {
			e.m.Set.AddTo(e.m.Parts[(j+step)*w+o0*k:(j+step)*w+o1*k], e.m.Parts[j*w+o0*k:j*w+o1*k])
		}
	}
	for o := o0; o < o1; o++ {
		e.weightBackward(o, e.m.Parts[o*k:(o+1)*k])
	}
}

// weightBackward turns d, the gradient to what the convolution multiplied with
// in units of x's integers, into the gradient of channel o's weights.
func (e *Exec) weightBackward(o int, d []float32) {
	n, k, u := e.n, e.run.p.K(), e.run.x.Unit()
	dst := n.W.Grad[o*k : (o+1)*k]
	switch {
	case !e.run.st.Quantize || !n.Weight.Quantized():
		e.m.Set.WeightGrad(d, nil, nil, u, 1, dst)
	case !e.folds():
		e.m.Set.WeightGrad(d, nil, e.c.mask(o, k), u, 1, dst)
	default:
		w, s := n.W.Data[o*k:(o+1)*k], float32(e.bn.sf[o])
		e.foldBackward(o, e.m.Set.WeightGrad(d, w, e.c.mask(o, k), u, s, dst))
	}
}

// turnChunk packs the weights for the way back to x.
func (e *Exec) turnChunk(i, _ int) {
	_, step := e.blocks(e.n.Geom.C)
	e.m.Set.ConvDataPack(&e.run.p, e.values(), e.pack.data, i*step, min((i+1)*step, e.n.Geom.C))
}

func (e *Exec) dataChunk(i, worker int) {
	r := &e.run
	r0, r1 := grid.NewCut(r.p.InRows(), r.p.W*r.p.C).Range(i)
	e.m.Set.ConvBackwardData(&r.p, r.dy, e.pack.data, r.dx.Data, r.dx.Add, e.m.Scratch[worker], r0, r1)
}

// WholeOperand is the largest number of images, up to batch, of which the way back
// reads the operand as a whole where it is made again.
func (n *Node) WholeOperand(batch int) int {
	c := newDWCut(&n.Geom, batch)
	if c.outs > 1 {
		return batch
	}
	return min(batch, dwTasks/2*c.whole)
}
