package bench

import (
	"fmt"
	"slices"
	"strings"

	"qpipe/interp/part"
	"qpipe/ops/engine"
	"qpipe/ops/grid"
	"qpipe/ops/kernel"
)

// ConvShape is a square convolution: channels in and out, the image's side, the
// kernel's, stride, padding and groups.
type ConvShape struct {
	name                                       string
	inC, outC, side, size, stride, pad, groups int
}

// String is the shape as a line for scripts.
func (s ConvShape) String() string {
	return fmt.Sprintf("%s %d,%d,%d,%d,%d,%d,%d", s.name, s.inC, s.outC, s.side, s.size, s.stride, s.pad, s.groups)
}

// ConvShapes are the convolutions of ResNet-18 for CIFAR, ResNet-50 and MobileNetV2 that are compared with other
// programs separately: NET_KERNEL_CHANNELS_SIDE.
func ConvShapes() []ConvShape {
	return []ConvShape{
		{"r18c_stem_3x3_3-64_32", 3, 64, 32, 3, 1, 1, 1},
		{"r18c_3x3_64_32", 64, 64, 32, 3, 1, 1, 1},
		{"r18c_3x3s2_64-128_32", 64, 128, 32, 3, 2, 1, 1},
		{"r18c_1x1s2_64-128_32", 64, 128, 32, 1, 2, 0, 1},
		{"r18c_3x3_128_16", 128, 128, 16, 3, 1, 1, 1},
		{"r18c_3x3s2_128-256_16", 128, 256, 16, 3, 2, 1, 1},
		{"r18c_1x1s2_128-256_16", 128, 256, 16, 1, 2, 0, 1},
		{"r18c_3x3s2_256-512_8", 256, 512, 8, 3, 2, 1, 1},
		{"r18c_3x3_256_8", 256, 256, 8, 3, 1, 1, 1},
		{"r18c_1x1s2_256-512_8", 256, 512, 8, 1, 2, 0, 1},
		{"r18c_3x3_512_4", 512, 512, 4, 3, 1, 1, 1},
		{"r50_stem_7x7s2_3-64_224", 3, 64, 224, 7, 2, 3, 1},
		{"r50_1x1_64-64_56", 64, 64, 56, 1, 1, 0, 1},
		{"r50_3x3_64_56", 64, 64, 56, 3, 1, 1, 1},
		{"r50_1x1_64-256_56", 64, 256, 56, 1, 1, 0, 1},
		{"r50_1x1_256-64_56", 256, 64, 56, 1, 1, 0, 1},
		{"r50_3x3s2_128_56", 128, 128, 56, 3, 2, 1, 1},
		{"r50_3x3_128_28", 128, 128, 28, 3, 1, 1, 1},
		{"r50_1x1_128-512_28", 128, 512, 28, 1, 1, 0, 1},
		{"r50_1x1_512-128_28", 512, 128, 28, 1, 1, 0, 1},
		{"r50_3x3_256_14", 256, 256, 14, 3, 1, 1, 1},
		{"r50_1x1_256-1024_14", 256, 1024, 14, 1, 1, 0, 1},
		{"r50_1x1_1024-256_14", 1024, 256, 14, 1, 1, 0, 1},
		{"r50_3x3_512_7", 512, 512, 7, 3, 1, 1, 1},
		{"r50_1x1_512-2048_7", 512, 2048, 7, 1, 1, 0, 1},
		{"r50_1x1_2048-512_7", 2048, 512, 7, 1, 1, 0, 1},
		{"mnv2_dw3x3s2_96_112", 96, 96, 112, 3, 2, 1, 96},
		{"mnv2_dw3x3_144_56", 144, 144, 56, 3, 1, 1, 144},
		{"mnv2_dw3x3_192_28", 192, 192, 28, 3, 1, 1, 192},
		{"mnv2_dw3x3_576_14", 576, 576, 14, 3, 1, 1, 576},
		{"mnv2_dw3x3_960_7", 960, 960, 7, 3, 1, 1, 960},
		{"mnv2c_dw3x3_144_32", 144, 144, 32, 3, 1, 1, 144},
		{"mnv2c_dw3x3_384_8", 384, 384, 8, 3, 1, 1, 384},
		{"mnv2_1x1_24-144_56", 24, 144, 56, 1, 1, 0, 1},
		{"mnv2_1x1_144-24_56", 144, 24, 56, 1, 1, 0, 1},
		{"mnv2_1x1_96-576_14", 96, 576, 14, 1, 1, 0, 1},
		{"mnv2_1x1_320-1280_7", 320, 1280, 7, 1, 1, 0, 1},
	}
}

// The kinds of kernels that are measured on one convolution. The types are written as in oneDNN: u8s8s32 has uint8
// inputs, int8 weights and int32 results.
const (
	kindF32     = "f32"     // forward, bias and ReLU
	kindPlain   = "plain"   // only forward
	kindU8S8S32 = "u8s8s32" // integer forward, accumulators out
	kindS8S8S32 = "s8s8s32" // the same for signed inputs
	kindU8S8U8  = "u8s8u8"  // integer forward, bias, a scale per channel, ReLU, codes out
	kindBwdD    = "bwd_d"   // the gradient of the input
	kindBwdW    = "bwd_w"   // the gradient of the weights
)

func convKinds() []string {
	return []string{kindF32, kindPlain, kindU8S8S32, kindS8S8S32, kindU8S8U8, kindBwdD, kindBwdW}
}

// geometry is the shape as kernels take it, for n images.
func (s *ConvShape) geometry(n int) kernel.Conv {
	out := (s.side+2*s.pad-s.size)/s.stride + 1
	return kernel.Conv{
		N: n, H: s.side, W: s.side, C: s.inC, OutC: s.outC, OH: out, OW: out, KH: s.size, KW: s.size,
		StrideH: s.stride, StrideW: s.stride, PadTop: s.pad, PadLeft: s.pad, DilationH: 1, DilationW: 1, Groups: s.groups,
	}
}

// Conv is one kernel on one convolution, as bench-worker and the machine's peak measure it; weights are packed
// beforehand.
func (l *Lab) Conv(pool *engine.Workers, shape, kind string, n int) (*Work, error) {
	list := ConvShapes()
	i := slices.IndexFunc(list, func(s ConvShape) bool { return s.name == shape })
	if i < 0 {
		var names []string
		for _, s := range list {
			names = append(names, s.name)
		}
		return nil, unknown("no convolution is called %q; there are %s", shape, strings.Join(names, ", "))
	}
	if n < 1 || n > MostBatch {
		return nil, unknown("%d is not a number of images from 1 to %d", n, MostBatch)
	}
	c := &convCase{p: list[i].geometry(n), set: l.Kernels, pool: pool}
	run, ok := map[string]func() func(){
		kindF32: c.forward, kindPlain: c.plain, kindU8S8S32: c.sums, kindS8S8S32: c.sums, kindU8S8U8: c.codes,
		kindBwdD: c.data, kindBwdW: c.weights,
	}[kind]
	if !ok {
		return nil, unknown("there is no kind %q; there are %s", kind, strings.Join(convKinds(), ", "))
	}
	c.signed = kind == kindS8S8S32
	do := run()
	return &Work{
		items: n, flop: 2 * float64(c.p.Rows()*c.p.OW*c.p.OutC) * float64(c.p.K()),
		integer: kind == kindU8S8S32 || kind == kindS8S8S32 || kind == kindU8S8U8,
		clock:   l.nanoseconds(),
		run:     func() error { do(); return nil },
	}, nil
}

// convCase is a convolution with what its kernels need. The rows of the result are divided as in the network's nodes;
// if there are more threads than rows, the channels are.
type convCase struct {
	p      kernel.Conv
	set    *kernel.Set
	pool   *engine.Workers
	signed bool
	rooms  []*kernel.Scratch
}

// ready makes a scratch for every worker.
func (c *convCase) ready(r kernel.Room) {
	for range c.pool.Size() {
		c.rooms = append(c.rooms, r.Make())
	}
}

// over returns a function that runs f over ranges of rows, all channels in each: as few ranges as keep the threads
// busy, or with fine the ranges that the nodes use.
func (c *convCase) over(rows, width int, fine bool, f func(worker, r0, r1 int)) func() {
	cut := grid.NewCut(rows, width)
	if !fine {
		tasks := c.pool.Size()
		if tasks > 1 {
			tasks = min(4*tasks, rows)
		}
		step := (rows + tasks - 1) / tasks
		cut = grid.Cut{Rows: rows, Step: step, N: (rows + step - 1) / step}
	}
	task := func(i, worker int) {
		r0, r1 := cut.Range(i)
		f(worker, r0, r1)
	}
	return func() { c.pool.Run(cut.N, task) }
}

// channels returns a function that runs f over ranges of n channels, one per thread.
func (c *convCase) channels(n int, f func(worker, o0, o1 int)) func() {
	block := c.set.Block
	step := (n + c.pool.Size()*block - 1) / (c.pool.Size() * block) * block
	task := func(i, worker int) { f(worker, i*step, min((i+1)*step, n)) }
	tasks := (n + step - 1) / step
	return func() { c.pool.Run(tasks, task) }
}

// few reports whether the rows are too few for the threads.
func (c *convCase) few() bool {
	return c.pool.Size() > 1 && c.p.Groups == 1 && c.p.Rows() < 4*c.pool.Size() && c.p.OutC >= c.pool.Size()*c.set.Block
}

// spread runs f over ranges of output rows, or of channels where rows are few.
func (c *convCase) spread(fine bool, f func(worker, r0, r1, o0, o1 int)) func() {
	if c.few() {
		return c.channels(c.p.OutC, func(w, o0, o1 int) { f(w, 0, c.p.Rows(), o0, o1) })
	}
	return c.over(c.p.Rows(), c.p.OW*c.p.OutC, fine, func(w, r0, r1 int) { f(w, r0, r1, 0, c.p.OutC) })
}

func (c *convCase) input() []float32  { return floats32(c.p.N*c.p.H*c.p.W*c.p.C, 1) }
func (c *convCase) output() []float32 { return floats32(c.p.Rows()*c.p.OW*c.p.OutC, 2) }

func (c *convCase) packed() []float32 {
	packed := make([]float32, c.set.Conv(&c.p).PackSize(&c.p))
	c.set.Conv(&c.p).Pack(&c.p, floats32(c.p.WeightLen(), 3), packed, 0, c.p.OutC)
	return packed
}

// forward is the convolution with bias and ReLU, row by row while the row is in the cache.
func (c *convCase) forward() func() {
	x, y, w := c.input(), c.output(), c.packed()
	one, bias := make([]float32, c.p.OutC), floats32(c.p.OutC, 4)
	for i := range one {
		one[i] = 1
	}
	c.ready(c.set.Conv(&c.p).ForwardRoom(&c.p))
	width := c.p.OW * c.p.OutC
	conv := func(worker, r0, r1, o0, o1 int) {
		c.set.Conv(&c.p).Forward(&c.p, x, w, y, c.rooms[worker], r0, r1, o0, o1)
	}
	act := func(r0, r1 int) {
		c.set.Affine(y[r0*width:r1*width], kernel.Operand{}, y[r0*width:r1*width], nil, one, bias, kernel.ReLU)
	}
	if c.few() {
		all := c.spread(true, conv)
		return func() { all(); act(0, c.p.Rows()) }
	}
	return c.spread(true, func(worker, r0, r1, o0, o1 int) {
		conv(worker, r0, r1, o0, o1)
		act(r0, r1)
	})
}

// plain is the convolution alone.
func (c *convCase) plain() func() {
	x, y, w := c.input(), c.output(), c.packed()
	c.ready(c.set.Conv(&c.p).ForwardRoom(&c.p))
	return c.spread(false, func(worker, r0, r1, o0, o1 int) {
		c.set.Conv(&c.p).Forward(&c.p, x, w, y, c.rooms[worker], r0, r1, o0, o1)
	})
}

// integers is the integer convolution with any output.
func (c *convCase) integers(out *kernel.Int8Out) func() {
	x := codes[uint8](c.p.N*c.p.H*c.p.W*c.p.C, 1)
	packed, sums := make([]int8, c.set.Conv(&c.p).Int8PackSize(&c.p)), make([]int32, c.p.OutC)
	c.set.Conv(&c.p).Int8Pack(&c.p, codes[int8](c.p.WeightLen(), 3), packed, sums, 0, c.p.OutC)
	pad, bias := uint8(0), make([]int32, c.p.OutC)
	if c.signed {
		pad = grid.Offset
	}
	for o := range bias {
		bias[o] = -int32(pad) * sums[o]
	}
	c.ready(c.set.Conv(&c.p).Int8Room(&c.p))
	return c.spread(false, func(worker, r0, r1, o0, o1 int) {
		c.set.Conv(&c.p).Int8(&c.p, x, pad, packed, bias, out, c.rooms[worker], r0, r1, o0, o1)
	})
}

// sums is the integer convolution with accumulators as output.
func (c *convCase) sums() func() {
	return c.integers(&kernel.Int8Out{Acc: make([]int32, c.p.Rows()*c.p.OW*c.p.OutC)})
}

// codes is the integer convolution with codes as output.
func (c *convCase) codes() func() {
	q := &kernel.Requant{M: make([]float32, c.p.OutC), Max: 255, Act: kernel.ReLU}
	for o := range q.M {
		q.M[o] = 0.003
	}
	return c.integers(&kernel.Int8Out{Y: make([]uint8, c.p.Rows()*c.p.OW*c.p.OutC), Q: q})
}

// data is the gradient of the input.
func (c *convCase) data() func() {
	dx, dy := c.input(), c.output()
	packed := make([]float32, c.set.Conv(&c.p).DataPackSize(&c.p))
	c.set.Conv(&c.p).DataPack(&c.p, floats32(c.p.WeightLen(), 3), packed, 0, c.p.C)
	c.ready(c.set.Conv(&c.p).BackwardDataRoom(&c.p))
	return c.over(c.p.InRows(), c.p.W*c.p.C, false, func(worker, r0, r1 int) {
		c.set.Conv(&c.p).BackwardData(&c.p, dy, packed, dx, false, c.rooms[worker], r0, r1)
	})
}

// weights is the gradient of the weights, zeroed first.
func (c *convCase) weights() func() {
	x, dy, dw := kernel.Operand{F: c.input()}, c.output(), make([]float32, c.p.WeightLen())
	c.ready(c.set.Conv(&c.p).BackwardWeightsRoom(&c.p))
	add := c.channels(c.p.OutC, func(worker, o0, o1 int) {
		k := c.p.K()
		clear(dw[o0*k : o1*k])
		c.set.Conv(&c.p).BackwardWeights(&c.p, x, dy, dw, c.rooms[worker], 0, c.p.N, o0, o1)
	})
	return add
}

// floats32 are n values in [-0.5, 0.5). codes are n codes from 0 to 63, so that no sum of products overflows.
func floats32(n int, seed uint64) []float32 {
	r, x := part.NewRand(seed), make([]float32, n)
	for i := range x {
		x[i] = float32(r.Float64() - 0.5)
	}
	return x
}

func codes[T int8 | uint8](n int, seed uint64) []T {
	r, x := part.NewRand(seed), make([]T, n)
	for i := range x {
		x[i] = T(r.Uint64() & 63)
	}
	return x
}
