package convbn

import (
	"slices"

	"qpipe/ops/grid"
	"qpipe/ops/kernel"
	"qpipe/ops/quant"
)

// Exec runs a node forward and backward. Its buffers are for the largest batch
// and come from the caller. Every form reduces to one computation: the
// convolution gives an accumulator; multiplied by unit[channel] it is a real value; then
//
//	on the grid: the int8 model's epilogue (fuse_bn.go)
//	else: y = act(acc·scale + shift [+ z]), with both from BN (float.go, with_bn.go, reverse_fold.go)
//
// followed by the output's quantization. Where the operand is on a grid and the
// weight is quantized, the convolution itself is the int8 kernel, in every form.
// The evaluation of a quantized form computes a node with BN as its absorbed self
// (absorb.go), so that neither absorption nor conversion changes it.
type Exec struct {
	grid.Output
	Acc []float32 // of a node with BN, kept for the backward pass; nil where none follows

	// Remakes tells that the output is not kept for the backward pass: a reader that needs
	// it there computes it from the accumulator. For a node with BN and without an addition.
	Remakes bool

	node    *Node
	machine *grid.Machine
	run     run
	codes   codes
	norm    *Norm
	scale   []float32
	shift   []float32
	slope   []float32
	unit    []float32 // multiplied by it the accumulator is a real value
	mul     []float32 // the epilogue's multipliers
	bias    []int32   // of the integer kernel, the zero point's part included
	req     kernel.Requant
	pack    pack
	packed  bool // there was a forward pass
	ones    []float32
	zero    []float32
	out8    kernel.Int8Out
	ext     grid.Spread

	local []kernel.Conv // by worker: the geometry of a block of images
	again func(e0, e1 int, dst []float32)

	encodeTask, packTask, plainTask, convTask, rangeTask                     func(i, worker int)
	sumTask, turnTask, blockTask, gateTask, weightTask, dataTask, reduceTask func(i, worker int)
	remakeTask                                                               func(i, worker int)
}

// pack is the weights as the kernels read them, rebuilt every step.
type pack struct {
	forward []float32
	data    []float32
	int8    []int8
	sums    []int32
}

// run is the state of one forward pass, which the backward pass reads.
type run struct {
	geom    kernel.Conv
	cut     grid.Cut
	step    grid.Step
	x, z    *grid.Value
	acc     []float32
	integer bool // the accumulator is a sum of products of integers
	grid    bool // and the epilogue that of the int8 model
	batch   bool // BN uses the batch's statistics
	absorb  bool // the node computes as if its BN were absorbed
	merged  bool // the output is finished where it is convolved
	ranged  bool // the channels' extremes are collected
	dy      []float32
	dx, dz  grid.Grad
	dw      dwCut
}

// NewExec returns the runner of n for batches of up to batch images.
func NewExec(n *Node, m *grid.Machine, batch int, training bool) *Exec {
	c := n.Geom.OutC
	e := &Exec{node: n, machine: m, norm: NewNorm(c)}
	for _, s := range []*[]float32{&e.scale, &e.shift, &e.slope, &e.unit, &e.mul, &e.zero} {
		*s = make([]float32, c)
	}
	e.ones = slices.Repeat([]float32{1}, c)
	e.bias, e.codes.Scale = make([]int32, c), make([]float32, c)
	p := n.Geom
	p.N = batch
	if n.Weight.Quantized() {
		e.codes.init(n)
		if n.Island {
			e.codes.decode(n)
		}
		e.pack.int8, e.pack.sums = make([]int8, m.Set.Conv(&p).Int8PackSize(&p)), make([]int32, c)
	} else {
		e.pack.forward = make([]float32, m.Set.Conv(&p).PackSize(&p))
	}
	if training {
		e.pack.data = make([]float32, m.Set.Conv(&p).DataPackSize(&p))
	}
	e.Output.Init(m)
	e.Act, e.Fill, e.Target, e.Range = n.Act, e.fill, e.target, e.extremes
	e.encodeTask, e.packTask, e.plainTask, e.convTask, e.rangeTask = e.encodeChunk, e.packChunk, e.plainChunk, e.convChunk, e.rangeChunk
	e.sumTask, e.turnTask, e.blockTask, e.gateTask = e.sumChunk, e.turnChunk, e.blockChunk, e.gateChunk
	e.weightTask, e.dataTask, e.reduceTask = e.weightChunk, e.dataChunk, e.reduceChunk
	e.remakeTask, e.again = e.remakeChunk, e.remake
	e.local = make([]kernel.Conv, m.Workers.Size())
	return e
}

// Forward computes the node's output for batch images. x and z (nil without a fused
// add) must stay as they are until Backward.
func (e *Exec) Forward(batch int, st grid.Step, x, z *grid.Value, q *quant.Node) grid.Value {
	n, r := e.node, &e.run
	*r = run{geom: n.Geom, step: st, x: x, z: z}
	r.geom.N = batch
	width := r.geom.OW * r.geom.OutC
	r.cut = grid.NewCut(r.geom.Rows(), width)
	quantized := st.Quantize && n.Weight.Quantized()
	r.integer = quantized && x.OnGrid && r.geom.K() <= kernel.MaxProducts
	r.absorb = n.BN != nil && st.Quantize && !st.Train
	r.grid = r.integer && (n.BN == nil || r.absorb) && (z == nil || z.OnGrid)
	r.batch = n.BN != nil && st.Train && !n.BN.Frozen
	e.weights(quantized)
	e.operand()
	e.units()
	if !r.batch {
		e.coefficients()
	}
	e.Bind(r.geom.Rows(), width)
	observes := e.Begin(st, q, e.writer())
	r.acc = e.accumulator()
	r.merged = !observes && !r.batch
	r.ranged = r.batch || observes && z == nil && !q.NeedsValues()
	e.out8 = e.integerOut()
	e.machine.Workers.Run(r.cut.N, e.convTask)
	if r.batch {
		e.coefficients()
	}
	v := e.Value()
	if !r.merged {
		v = e.Output.Forward(st, q)
	}
	if e.Remakes && st.Train {
		v.Remake = e.again
	}
	return v
}

// remake writes the output's values e0 to e1 as Forward did.
func (e *Exec) remake(e0, e1 int, dst []float32) {
	e.machine.Set.Affine(e.run.acc[e0:e1], kernel.Operand{}, dst, nil, e.scale, e.shift, e.node.Act)
}

func (e *Exec) writer() grid.Writer {
	if e.run.grid {
		return grid.Exact
	}
	return grid.Coding
}

// accumulator is where a float32 accumulator goes.
func (e *Exec) accumulator() []float32 {
	if e.node.BN != nil && e.Acc != nil {
		return e.Acc
	}
	return e.Dst
}

// blocks is the number of tasks that c channels are packed in.
func (e *Exec) blocks(c int) (tasks, step int) {
	b := e.machine.Set.Block
	step = max(b, (c/16+b-1)/b*b)
	if e.node.Geom.Groups > 1 {
		step = c
	}
	return (c + step - 1) / step, step
}

// weights prepares what the convolution multiplies with: the weight, or its codes.
func (e *Exec) weights(quantized bool) {
	n := e.node
	if n.Island && e.packed {
		return // nothing changes its weights
	}
	e.packed = true
	switch {
	case quantized && n.Island:
	case quantized:
		if !n.Weight.PerChannel || n.WScale == nil {
			n.Update()
		}
		e.machine.Workers.Run(grid.NewCut(n.Geom.OutC, n.Geom.K()).N, e.encodeTask)
	default:
		for o := range e.codes.Scale {
			e.codes.Scale[o] = 1
		}
		if e.run.absorb {
			if e.codes.Values == nil {
				e.codes.Values = make([]float32, n.Geom.WeightLen())
			}
			n.foldWeight(e.codes.Values)
		}
	}
	tasks, _ := e.blocks(n.Geom.OutC)
	if !e.run.integer && e.pack.forward == nil {
		e.pack.forward = make([]float32, e.machine.Set.Conv(&e.run.geom).PackSize(&e.run.geom))
	}
	e.machine.Workers.Run(tasks, e.packTask)
}

func (e *Exec) encodeChunk(i, _ int) {
	n, sx := e.node, float32(0)
	if e.run.grid {
		sx = e.run.x.Format.Scale
	}
	k := n.Geom.K()
	o0, o1 := grid.NewCut(n.Geom.OutC, k).Range(i)
	for o := o0; o < o1; o++ {
		if n.Weight.PerChannel && !n.Frozen {
			lo, hi := e.machine.Set.MinMax(n.W.Data[o*k : (o+1)*k])
			n.WScale[o], _ = n.Weight.Scale(n.foldRange(o, lo, hi))
		}
		n.encodeChannel(e.machine.Set, &e.codes, o, sx, e.run.absorb)
	}
}

func (e *Exec) packChunk(i, _ int) {
	_, step := e.blocks(e.node.Geom.OutC)
	o0, o1 := i*step, min((i+1)*step, e.node.Geom.OutC)
	switch {
	case e.run.integer:
		e.machine.Set.Conv(&e.run.geom).Int8Pack(&e.run.geom, e.codes.Codes, e.pack.int8, e.pack.sums, o0, o1)
	default:
		e.machine.Set.Conv(&e.run.geom).Pack(&e.run.geom, e.values(), e.pack.forward, o0, o1)
	}
}

// values is the weight that the float32 kernels multiply with.
func (e *Exec) values() []float32 {
	if e.run.absorb || e.run.step.Quantize && e.node.Weight.Quantized() {
		return e.codes.Values
	}
	return e.node.W.Data
}

// operand brings codes that meet a float32 weight to float32.
func (e *Exec) operand() {
	if r := &e.run; r.x.OnGrid && !r.integer {
		e.machine.Workers.Run(grid.NewCut(r.geom.InRows(), r.geom.W*r.geom.C).N, e.plainTask)
	}
}

func (e *Exec) plainChunk(i, _ int) {
	p, x := &e.run.geom, e.run.x
	w := p.W * p.C
	r0, r1 := grid.NewCut(p.InRows(), w).Range(i)
	e.machine.Set.Values(x.Codes[r0*w:r1*w], x.Format.Zero, 1, e.machine.Plain[r0*w:r1*w])
}

// units computes the accumulator's units, and the integer kernel's bias.
func (e *Exec) units() {
	r, u := &e.run, e.run.x.Unit()
	for o := range e.unit {
		e.unit[o] = u
		if r.integer {
			e.unit[o] = u * e.codes.Scale[o]
			e.bias[o] = -r.x.Format.Zero * e.pack.sums[o]
		}
		if r.grid && (e.node.Bias || r.absorb) {
			e.bias[o] += e.codes.Bias[o]
		}
	}
}

// convChunk convolves chunk i and does with the accumulators, while they are near,
// what needs no other chunk.
func (e *Exec) convChunk(i, worker int) {
	r := &e.run
	r0, r1 := r.cut.Range(i)
	e0, e1 := e.Elements(i)
	if r.integer {
		e.machine.Set.Conv(&r.geom).Int8(&r.geom, r.x.Codes, uint8(r.x.Format.Zero), e.pack.int8, e.bias, &e.out8, e.machine.Scratch[worker], r0, r1, 0, r.geom.OutC)
	} else {
		e.machine.Set.Conv(&r.geom).Forward(&r.geom, e.plainOperand(), e.pack.forward, r.acc, e.machine.Scratch[worker], r0, r1, 0, r.geom.OutC)
	}
	if e.out8.Y != nil {
		return
	}
	if r.batch {
		sum, sq := e.machine.Partial(i, r.geom.OutC)
		lo, hi := e.machine.Extremes(i, r.geom.OutC)
		start(lo, hi)
		e.machine.Set.ChannelStats(r.acc[e0:e1], sum, sq, lo, hi)
	} else if r.ranged {
		e.collect(i, e0, e1, worker)
	}
	if r.merged {
		e.FillChunk(i, worker)
	}
}

// plainOperand is the operand as float32, codes less their zero point.
func (e *Exec) plainOperand() []float32 {
	if e.run.x.OnGrid {
		return e.machine.Plain
	}
	return e.run.x.Data
}

// integerOut says where the integer kernel's accumulators go: the codes themselves,
// where nothing must be known of them before, int32 on the grid, float32 elsewhere.
func (e *Exec) integerOut() kernel.Int8Out {
	r := &e.run
	switch {
	case r.grid && r.merged && e.Coded && !e.Masked:
		o := kernel.Int8Out{Y: e.Codes, Q: &e.req}
		if r.z != nil {
			o.Z = r.z.Codes
		}
		return o
	case r.grid:
		return kernel.Int8Out{Acc: e.machine.Acc}
	case r.integer:
		return kernel.Int8Out{F: r.acc}
	}
	return kernel.Int8Out{}
}

// coefficients computes scale and shift, which follow the accumulator.
func (e *Exec) coefficients() {
	switch {
	case e.run.grid:
	case e.node.BN == nil || e.run.absorb:
		e.plain()
	default:
		e.normalize()
	}
}

// fill writes chunk i of the output.
func (e *Exec) fill(i, worker int, codes bool, mask []uint8) {
	r := &e.run
	e0, e1 := e.Elements(i)
	z := r.z.Operand(e0, e1)
	switch {
	case r.grid && codes:
		e.machine.Set.Requantize(e.machine.Acc[e0:e1], nil, z.Q, e.Codes[e0:e1], mask, r.geom.OutC, &e.req)
	case r.grid:
		e.machine.Set.Dequantize(e.machine.Acc[e0:e1], nil, e.Dst[e0:e1], r.geom.OutC, e.unit)
		e.machine.Set.Affine(e.Dst[e0:e1], z, e.Dst[e0:e1], mask, e.ones, e.zero, e.node.Act)
	case codes:
		e.machine.Set.AffineQuant(r.acc[e0:e1], z, e.Codes[e0:e1], mask, e.scale, e.shift, e.node.Act, e.Quant)
	default:
		e.machine.Set.Affine(r.acc[e0:e1], z, e.Dst[e0:e1], mask, e.scale, e.shift, e.node.Act)
	}
}

// Rooms is the kernels' scratch and the node's own block that a worker needs for a batch.
func (n *Node) Rooms(set *kernel.Set, batch int, training bool) (scratch, block kernel.Room) {
	p := n.Geom
	p.N = batch
	scratch = set.Conv(&p).ForwardRoom(&p)
	if n.Weight.Quantized() {
		scratch = scratch.Max(set.Conv(&p).Int8Room(&p))
	}
	if training {
		scratch = scratch.Max(set.Conv(&p).BackwardDataRoom(&p)).Max(set.Conv(&p).BackwardWeightsRoom(&p))
	}
	cut, image := grid.NewCut(p.Rows(), p.OW*p.OutC), p.OH*p.OW*p.OutC
	block = kernel.Room{F32: cut.Step * p.OW * p.OutC, I32: 2 * p.OutC}
	if training {
		images := min(n.blockImages(), batch)
		block.F32 = max(block.F32, images*(image+p.H*p.W*p.C))
	}
	return scratch, block
}

// ExecBytes is how many bytes NewExec takes, and, with forward, the weights that the
// float32 kernel reads.
func (n *Node) ExecBytes(set *kernel.Set, batch int, training, forward bool) int64 {
	c, w := n.Geom.OutC, n.Geom.WeightLen()
	p := n.Geom
	p.N = batch
	total := 92 * int64(c) // coefficients, and those of BN in float64
	if n.Weight.Quantized() {
		total += int64(5*w+c*maskBytes(n.Geom.K())) + int64(set.Conv(&p).Int8PackSize(&p)+16*c)
	}
	if forward {
		total += 4 * int64(set.Conv(&p).PackSize(&p))
	}
	if training {
		total += 4 * int64(set.Conv(&p).DataPackSize(&p))
	}
	return total
}

// PartsSize is the number of floats of partial weight gradients.
func (n *Node) PartsSize(batch int) int { return newDWCut(&n.Geom, batch).images * n.Geom.WeightLen() }
