package convbn

import (
	"qpipe/ops/grid"
	"qpipe/ops/kernel"
)

// Backward takes the gradient dy of the last Forward's output, which it
// overwrites, to the parameters' gradients, x (dx) and the added operand (dz).
func (e *Exec) Backward(dy []float32, dx, dz Grad) {
	r := &e.run
	r.dy, r.dx, r.dz = dy, dx, dz
	e.m.Pool.Run(r.cut.N, e.gateTask)
	if e.n.BN != nil {
		count := float64(r.p.Rows() * r.p.OW)
		for o := range e.a {
			g, ga := e.m.Total(r.cut.N, r.p.OutC, o)
			e.a[o], e.k[o], e.b[o] = e.bn.Backward(o, e.n.BN, r.batch, float64(e.n.bias(o)), g, ga, count)
		}
		e.m.Pool.Run(r.cut.N, e.centreTask)
	}
	e.biasBackward()
	r.dw = newDWCut(&r.p, r.p.N)
	e.m.Pool.Run(r.dw.images*r.dw.outs, e.weightTask)
	e.m.Pool.Run(grid.NewCut(r.p.OutC, r.p.K()).N, e.reduceTask)
	if dx.Data == nil {
		return
	}
	tasks, _ := e.blocks(r.p.C)
	e.m.Pool.Run(tasks, e.turnTask)
	e.m.Pool.Run(grid.NewCut(r.p.InRows(), r.p.W*r.p.C).N, e.dataTask)
}

// gateChunk takes the gradient back through the output's quantization and the
// activation, hands it to z, and sums it up per channel. With BN the gradient itself
// is left as it is: the next pass gates it again, for less than writing it costs.
func (e *Exec) gateChunk(i, _ int) {
	r := &e.run
	e0, e1 := e.Elements(i)
	g, mask := r.dy[e0:e1], e.Gate(i)
	if r.dz.Data != nil {
		e.m.Set.Gate(g, mask, r.dz.Data[e0:e1], r.dz.Add)
	}
	switch {
	case e.n.BN != nil:
		sum, prod := e.m.Partial(i, r.p.OutC)
		e.m.Set.GateSums(g, mask, r.acc[e0:e1], nil, sum, prod)
	case e.n.Bias:
		sum, prod := e.m.Partial(i, r.p.OutC)
		y := g
		if mask == nil {
			y = nil
		}
		e.m.Set.GateSums(g, mask, nil, y, sum, prod)
	case mask != nil:
		e.m.Set.Gate(g, mask, g, false)
	}
}

// centreChunk takes the gradient back through BN: dc = g·a + (acc·k + b), or g·a
// with running statistics.
func (e *Exec) centreChunk(i, _ int) {
	e0, e1 := e.Elements(i)
	var x []float32
	if e.run.batch {
		x = e.run.acc[e0:e1]
	}
	g := e.run.dy[e0:e1]
	e.m.Set.GateAffine(g, e.Gate(i), x, g, e.a, e.k, e.b)
}

func (e *Exec) biasBackward() {
	if !e.n.Bias {
		return
	}
	for o := range e.n.B.Grad {
		if e.n.BN != nil {
			e.n.B.Grad[o] = float32(e.bn.db[o])
		} else {
			sum, _ := e.m.Total(e.run.cut.N, e.run.p.OutC, o)
			e.n.B.Grad[o] = float32(sum)
		}
	}
}

// dwCut divides the weight's gradient over images, whose parts are added up, and
// over output channels. It is a function of the shape alone.
type dwCut struct{ images, outs int }

// dwTasks is the number of tasks that the weight's gradient is cut into where it
// can be; partsLimit bounds the floats of partial results.
const (
	dwTasks    = 16
	partsLimit = 1 << 20
)

func newDWCut(p *kernel.Conv, batch int) dwCut {
	images := max(1, min(batch, dwTasks, partsLimit/p.WeightLen()))
	outs := min((dwTasks+images-1)/images, (p.OutC+3)/4)
	return dwCut{images, outs}
}

// weightChunk computes one part: images of part i/outs, channels of i%outs.
func (e *Exec) weightChunk(i, worker int) {
	r, c := &e.run, e.run.dw
	part, out := i/c.outs, i%c.outs
	n0, n1 := part*r.p.N/c.images, (part+1)*r.p.N/c.images
	o0, o1 := out*r.p.OutC/c.outs, (out+1)*r.p.OutC/c.outs
	w, k := r.p.WeightLen(), r.p.K()
	dw := e.m.Parts[part*w : (part+1)*w]
	clear(dw[o0*k : o1*k])
	x := r.x.Operand(0, r.p.N*r.p.H*r.p.W*r.p.C)
	e.m.Set.ConvBackwardWeights(&r.p, x, r.dy, dw, e.m.Scratch[worker], n0, n1, o0, o1)
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
