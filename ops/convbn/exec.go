package convbn

import (
	"qpipe/ops/grid"
	"qpipe/ops/kernel"
	"qpipe/ops/quant"
)

// Exec runs a node forward and backward. Its buffers are for the largest batch
// and come from whoever plans them. Every form reduces to one computation: the
// convolution gives an accumulator, of which 1 is worth unit per channel; then
//
//	absorbed or fuse_bn on integers: the int8 model's epilogue (fuse_bn.go)
//	else: y = act(acc·a + b [+ z]), with a and b from BN (float.go, with_bn.go, reverse_fold.go)
//
// followed by the output's quantization.
type Exec struct {
	grid.Output
	Acc []float32 // may be Out where no backward pass follows
	Tmp []float32 // for a gradient to x that is added to another's

	n    *Node
	m    *grid.Machine
	run  run
	c    codes
	w    []float32 // what the convolution multiplies with
	v    []float32 // what w stands for
	w8   []int8    // w, for sums that float32 does not hold exactly
	bn   *Norm
	a    []float32
	b    []float32
	k    []float32
	zero []float32
	ep   grid.Epilogue
	bnd  []float64 // Σ|w| per channel

	encodeTask, packTask, convTask                         func(i, worker int)
	gateTask, centreTask, weightTask, reduceTask, dataTask func(i, worker int)
}

// run is the state of one forward pass, which the backward pass reads.
type run struct {
	p       kernel.Conv
	cut     grid.Cut
	st      grid.Step
	x, z    *grid.Value
	integer bool // the accumulator is a sum of products of integers
	grid    bool // and the epilogue that of the int8 model
	wide    bool // it is in int32, for it may be too large for float32
	batch   bool // BN uses the batch's statistics
	dy      []float32
	dx, dz  Grad
	dw      dwCut
}

// Grad is where a gradient goes: nowhere with nil Data; Add keeps what is there.
type Grad struct {
	Data []float32
	Add  bool
}

// NewExec returns the runner of n.
func NewExec(n *Node, m *grid.Machine) *Exec {
	c := n.Geom.OutC
	e := &Exec{n: n, m: m, bn: NewNorm(c), ep: grid.NewEpilogue(c, n.Act)}
	e.a, e.b, e.k, e.bnd = make([]float32, c), make([]float32, c), make([]float32, c), make([]float64, c)
	if n.Weight.Quantized() {
		e.c.init(n)
	} else {
		e.c.Scale, e.c.Bias = make([]float32, c), make([]int32, c)
	}
	e.zero = make([]float32, c)
	e.Output.Init(m)
	e.Act, e.Fill, e.Target = n.Act, e.fill, e.ep.Target
	e.encodeTask, e.packTask, e.convTask = e.encodeChunk, e.packChunk, e.convChunk
	e.gateTask, e.centreTask, e.weightTask, e.reduceTask, e.dataTask = e.gateChunk, e.centreChunk, e.weightChunk, e.reduceChunk, e.dataChunk
	return e
}

// Forward computes the node's output for batch images. x and z (nil without a fused
// add) must stay as they are until Backward.
func (e *Exec) Forward(batch int, st grid.Step, x, z *grid.Value, q *quant.Node) grid.Value {
	n, r := e.n, &e.run
	*r = run{p: n.Geom, st: st, x: x, z: z}
	r.p.N = batch
	r.cut = grid.NewCut(r.p.Rows(), r.p.OW*r.p.OutC)
	quantized := st.Quantize && n.Weight.Quantized()
	r.integer = quantized && x.On
	r.grid = r.integer && n.BN == nil
	r.batch = n.BN != nil && st.Train && !n.BN.Frozen
	e.weights(quantized)
	r.wide = r.grid && e.bound()*x.MaxCode() > 1<<24
	if r.wide {
		e.pack()
	}
	e.m.Pool.Run(r.cut.N, e.convTask)
	e.coefficients()
	return e.Output.Forward(r.p.Rows(), r.p.OW*r.p.OutC, st, q, r.grid)
}

// weights settles w and v: the weight, or its codes and what they stand for.
func (e *Exec) weights(quantized bool) {
	n := e.n
	if !quantized {
		e.w, e.v = n.W.Data, n.W.Data
		for o := range e.c.Scale {
			e.c.Scale[o] = 1
		}
		return
	}
	if !n.Weight.PerChannel || n.WScale == nil {
		n.UpdateScale()
	}
	e.m.Pool.Run(grid.NewCut(n.Geom.OutC, n.Geom.K()).N, e.encodeTask)
	e.w, e.v = e.c.W, e.c.V
}

func (e *Exec) encodeChunk(i, _ int) {
	n, sx := e.n, float32(0)
	if e.run.grid && !n.FloatBias {
		sx = e.run.x.Q.Scale
	}
	o0, o1 := grid.NewCut(n.Geom.OutC, n.Geom.K()).Range(i)
	for o := o0; o < o1; o++ {
		if n.Weight.PerChannel && !n.Frozen {
			lo, hi := n.channelRange(o)
			n.WScale[o], _ = n.Weight.Scale(lo, hi)
		}
		e.bnd[o] = n.encodeChannel(&e.c, o, sx)
	}
}

func (e *Exec) bound() (b float64) {
	for _, v := range e.bnd {
		b = max(b, v)
	}
	return b
}

// pack makes int8 operands for accumulators that float32 might not hold exactly.
func (e *Exec) pack() {
	r := &e.run
	if e.w8 == nil {
		e.w8 = make([]int8, len(e.w))
	}
	for i, v := range e.w {
		e.w8[i] = int8(v)
	}
	size := r.p.N * r.p.H * r.p.W * r.p.C
	if len(e.m.Codes) < size {
		e.m.Codes = make([]int8, size)
	}
	if n := r.p.Rows() * r.p.OW * r.p.OutC; len(e.m.Acc) < n {
		e.m.Acc = make([]int32, n)
	}
	e.m.Pool.Run(grid.NewCut(r.p.InRows(), r.p.W*r.p.C).N, e.packTask)
}

func (e *Exec) packChunk(i, _ int) {
	p := &e.run.p
	r0, r1 := grid.NewCut(p.InRows(), p.W*p.C).Range(i)
	w := p.W * p.C
	x, y := e.run.x.Data[r0*w:r1*w], e.m.Codes[r0*w:r1*w]
	for i, v := range x {
		y[i] = int8(v)
	}
}

// chunk returns the range of output elements of chunk i.
func (e *Exec) chunk(i int) (int, int) {
	w := e.run.p.OW * e.run.p.OutC
	r0, r1 := e.run.cut.Range(i)
	return r0 * w, r1 * w
}

func (e *Exec) convChunk(i, worker int) {
	r := &e.run
	r0, r1 := r.cut.Range(i)
	if r.wide {
		e.m.Set.ConvInt8(&r.p, e.m.Codes, 0, e.w8, e.m.Acc, e.m.Bytes[worker], r0, r1)
		return
	}
	e.m.Set.ConvForward(&r.p, r.x.Data, e.w, e.Acc, e.m.Scratch[worker], r0, r1)
	if r.batch {
		e0, e1 := e.chunk(i)
		sum, sq := e.sums(i)
		e.m.Set.ChannelSums(e.Acc[e0:e1], e.Acc[e0:e1], sum, sq)
	}
}

// sums returns the zeroed partial channel sums of chunk i.
func (e *Exec) sums(i int) (sum, prod []float64) { return e.m.Partial(i, e.run.p.OutC) }

// total adds up the chunks' sums of channel o.
func (e *Exec) total(o int) (sum, prod float64) { return e.m.Total(e.run.cut.N, e.run.p.OutC, o) }

// coefficients settles what follows the accumulator.
func (e *Exec) coefficients() {
	r, u := &e.run, e.run.x.Unit()
	switch {
	case r.grid:
		e.fused(u)
	case e.n.BN == nil:
		e.plain(u)
	default:
		e.normalize(u)
	}
}

// fill writes chunk i of the output.
func (e *Exec) fill(i, worker int, codes bool, mask []uint8) {
	e0, e1 := e.chunk(i)
	if e.run.grid {
		e.fillFused(e0, e1, codes, mask)
		return
	}
	e.m.Set.ScaleShift(e.Acc[e0:e1], e.addend(e0, e1, worker), e.Out[e0:e1], e.a, e.b, e.n.Act)
}

// addend returns z's values, nil without a fused add.
func (e *Exec) addend(e0, e1, worker int) []float32 {
	z := e.run.z
	if z == nil || !z.On {
		return e.operand(e0, e1)
	}
	s := e.m.Scratch[worker][:e1-e0]
	grid.Scale(z.Data[e0:e1], s, z.Q.Scale, false)
	return s
}

// operand returns z as it is.
func (e *Exec) operand(e0, e1 int) []float32 {
	if e.run.z == nil {
		return nil
	}
	return e.run.z.Data[e0:e1]
}

// ScratchSize is the number of floats and bytes that a worker needs for a batch.
func (n *Node) ScratchSize(set *kernel.Set, batch int, training bool) (floats, bytes int) {
	p := n.Geom
	p.N = batch
	cut := grid.NewCut(p.Rows(), p.OW*p.OutC)
	floats = max(set.ConvForwardSize(&p), cut.Step*p.OW*p.OutC)
	if training {
		floats = max(floats, set.ConvBackwardDataSize(&p), set.ConvBackwardWeightsSize(&p))
	}
	return floats, set.ConvInt8Size(&p)
}

// PartsSize is the number of floats of partial weight gradients, SumsSize of float64 channel sums.
func (n *Node) PartsSize(batch int) int { return newDWCut(&n.Geom, batch).images * n.Geom.WeightLen() }

// SumsSize is the number of channel sums over all chunks.
func (n *Node) SumsSize() int { return grid.Chunks() * 2 * n.Geom.OutC }
