package convbn

import (
	"qpipe/ops/grid"
	"qpipe/ops/kernel"
)

// Backward takes the gradient dy of the last Forward's output, which it
// overwrites, to the parameters' gradients, x (dx) and the added operand (dz).
//
// With BN a first pass sums the gradient up per channel. Then the gradient in front of
// BN is made a block of images at a time, and is used for the weight's gradient and
// into dx while it is near. Where the weight is so large that its gradient is not cut over
// images, the three are passes of their own.
func (e *Exec) Backward(dy []float32, dx, dz grid.Grad) {
	r := &e.run
	r.dy, r.dx, r.dz = dy, dx, dz
	if e.node.BN != nil {
		e.machine.Workers.Run(r.cut.N, e.sumTask)
		count := float64(r.geom.Rows() * r.geom.OW)
		for o := range e.scale {
			g, ga := e.machine.Total(r.cut.N, r.geom.OutC, o)
			e.scale[o], e.slope[o], e.shift[o] = e.norm.Backward(o, e.node.BN, r.batch, float64(e.node.bias(o)), g, ga, count)
		}
	}
	if dx.Data != nil {
		tasks, _ := e.blocks(r.geom.C)
		e.machine.Workers.Run(tasks, e.turnTask)
	}
	r.dw = newDWCut(&r.geom, r.geom.N)
	if r.dw.outs == 1 {
		e.machine.Workers.Run(r.dw.images, e.blockTask)
	} else {
		e.machine.Workers.Run(r.cut.N, e.gateTask)
		if r.x.Remake != nil {
			e.machine.Workers.Run(grid.NewCut(r.geom.InRows(), r.geom.W*r.geom.C).N, e.remakeTask)
		}
		e.machine.Workers.Run(r.dw.images*r.dw.outs, e.weightTask)
		if dx.Data != nil {
			e.machine.Workers.Run(grid.NewCut(r.geom.InRows(), r.geom.W*r.geom.C).N, e.dataTask)
		}
	}
	e.biasBackward()
	e.machine.Workers.Run(grid.NewCut(r.geom.OutC, r.geom.K()).N, e.reduceTask)
}

// sumChunk sums the gradient behind BN up per channel.
func (e *Exec) sumChunk(i, _ int) {
	r := &e.run
	e0, e1 := e.Elements(i)
	sum, prod := e.machine.Partial(i, r.geom.OutC)
	e.machine.Set.GateSums(r.dy[e0:e1], e.Gate(e0, e1), r.acc[e0:e1], nil, sum, prod)
}

// gate takes the gradient of the elements e0 to e1 back through the output's
// quantization, the activation and BN, to y, and gives it to z in between. Part is
// where a bias without BN finds its sums.
func (e *Exec) gate(e0, e1, part int, y []float32) {
	r := &e.run
	g, mask := r.dy[e0:e1], e.Gate(e0, e1)
	if r.dz.Data != nil {
		e.machine.Set.Gate(g, mask, r.dz.Data[e0:e1], r.dz.Add)
	}
	switch {
	case e.node.BN != nil && r.batch: // dc = g·a + (acc·k + b)
		e.machine.Set.GateAffine(g, mask, r.acc[e0:e1], y, e.scale, e.slope, e.shift)
	case e.node.BN != nil:
		e.machine.Set.GateAffine(g, mask, nil, y, e.scale, nil, nil)
	case e.node.Bias:
		sum, prod := e.machine.Sum(part, r.geom.OutC)
		e.machine.Set.GateSums(g, mask, nil, y, sum, prod)
	default:
		e.machine.Set.Gate(g, mask, y, false)
	}
}

// gateChunk makes the gradient in front of BN where the one behind it was.
func (e *Exec) gateChunk(i, _ int) {
	e0, e1 := e.Elements(i)
	e.machine.Partial(i, e.run.geom.OutC)
	e.gate(e0, e1, i, e.run.dy[e0:e1])
}

// blockChunk takes the images of part i back, a block at a time.
func (e *Exec) blockChunk(i, worker int) {
	r := &e.run
	out, in, w := r.geom.OH*r.geom.OW*r.geom.OutC, r.geom.H*r.geom.W*r.geom.C, r.geom.WeightLen()
	n0, n1 := r.dw.part(i)
	dw, y := e.machine.Parts[i*w:(i+1)*w], e.machine.Block[worker].F32
	clear(dw)
	e.machine.Partial(i, r.geom.OutC)
	p, s := &e.local[worker], e.machine.Scratch[worker]
	*p = r.geom
	for step := e.node.blockImages(); n0 < n1; n0 += p.N {
		p.N = min(step, n1-n0)
		dy, x := y[:p.N*out], kernel.Operand{}
		e.gate(n0*out, (n0+p.N)*out, i, dy)
		if r.x.Remake != nil {
			x.F = y[p.N*out:][:p.N*in]
			r.x.Remake(n0*in, (n0+p.N)*in, x.F)
		} else {
			x = r.x.Operand(n0*in, (n0+p.N)*in)
		}
		e.machine.Set.Conv(p).BackwardWeights(p, x, dy, dw, s, 0, p.N, 0, p.OutC)
		if r.dx.Data != nil {
			e.machine.Set.Conv(p).BackwardData(p, dy, e.pack.data, r.dx.Data[n0*in:(n0+p.N)*in], r.dx.Add, s, 0, p.InRows())
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
	p := &e.run.geom
	w := p.W * p.C
	r0, r1 := grid.NewCut(p.InRows(), w).Range(i)
	e.run.x.Remake(r0*w, r1*w, e.machine.Plain[r0*w:r1*w])
}

func (e *Exec) biasBackward() {
	if !e.node.Bias {
		return
	}
	parts := e.run.cut.N
	if e.run.dw.outs == 1 {
		parts = e.run.dw.images
	}
	for o := range e.node.B.Grad {
		if e.node.BN != nil {
			e.node.B.Grad[o] = float32(e.norm.sumGrad[o])
		} else {
			sum, _ := e.machine.Total(parts, e.run.geom.OutC, o)
			e.node.B.Grad[o] = float32(sum)
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
	o0, o1 := i*r.geom.OutC/c.outs, (i+1)*r.geom.OutC/c.outs
	k := r.geom.K()
	dw := e.machine.Parts[:r.geom.WeightLen()]
	clear(dw[o0*k : o1*k])
	size := r.geom.N * r.geom.H * r.geom.W * r.geom.C
	x := kernel.Operand{F: e.machine.Plain[:min(size, len(e.machine.Plain))]}
	if r.x.Remake == nil {
		x = r.x.Operand(0, size)
	}
	e.machine.Set.Conv(&r.geom).BackwardWeights(&r.geom, x, r.dy, dw, e.machine.Scratch[worker], 0, r.geom.N, o0, o1)
}

// reduceChunk adds the parts up in a fixed tree and takes the sum back through
// the weight's quantization and folding.
func (e *Exec) reduceChunk(i, _ int) {
	p, parts := &e.run.geom, e.run.dw.images
	w, k := p.WeightLen(), p.K()
	o0, o1 := grid.NewCut(p.OutC, k).Range(i)
	for step := 1; step < parts; step *= 2 {
		for j := 0; j+step < parts; j += 2 * step {
			e.machine.Set.AddTo(e.machine.Parts[(j+step)*w+o0*k:(j+step)*w+o1*k], e.machine.Parts[j*w+o0*k:j*w+o1*k])
		}
	}
	for o := o0; o < o1; o++ {
		e.weightBackward(o, e.machine.Parts[o*k:(o+1)*k])
	}
}

// weightBackward turns d, the gradient to what the convolution multiplied with
// in units of x's integers, into the gradient of channel o's weights.
func (e *Exec) weightBackward(o int, d []float32) {
	n, k, u := e.node, e.run.geom.K(), e.run.x.Unit()
	dst := n.W.Grad[o*k : (o+1)*k]
	switch {
	case !e.run.step.Quantize || !n.Weight.Quantized():
		e.machine.Set.WeightGrad(d, nil, nil, u, 1, dst)
	case !e.folds():
		e.machine.Set.WeightGrad(d, nil, e.codes.mask(o, k), u, 1, dst)
	default:
		w, s := n.W.Data[o*k:(o+1)*k], float32(e.norm.folded[o])
		e.foldBackward(o, e.machine.Set.WeightGrad(d, w, e.codes.mask(o, k), u, s, dst))
	}
}

// turnChunk packs the weights for the gradient to x.
func (e *Exec) turnChunk(i, _ int) {
	_, step := e.blocks(e.node.Geom.C)
	e.machine.Set.Conv(&e.run.geom).DataPack(&e.run.geom, e.values(), e.pack.data, i*step, min((i+1)*step, e.node.Geom.C))
}

func (e *Exec) dataChunk(i, worker int) {
	r := &e.run
	r0, r1 := grid.NewCut(r.geom.InRows(), r.geom.W*r.geom.C).Range(i)
	e.machine.Set.Conv(&r.geom).BackwardData(&r.geom, r.dy, e.pack.data, r.dx.Data, r.dx.Add, e.machine.Scratch[worker], r0, r1)
}

// WholeOperand is the largest number of images, up to batch, of which the backward pass
// reads the operand as a whole where it is computed again.
func (n *Node) WholeOperand(batch int) int {
	c := newDWCut(&n.Geom, batch)
	if c.outs > 1 {
		return batch
	}
	return min(batch, dwTasks/2*c.whole)
}
