// Package kernel has the signatures of the number-crunching loops: one [Set]
// struct with a field per kernel and per gradient, and the parameter structs
// that they share. A set is chosen once, passed as a value and never changed.
// Kernels know slices and sizes; they know no graph, no names and no threads.
//
// Work is divided by the caller: a kernel with a range argument computes only that part of its result, and the union
// over disjoint ranges is the whole. A result element never depends on how the ranges were cut, so that the bytes are
// the same for every number of threads. Kernels allocate nothing; those that need room take a [Scratch], and a function
// beside the field returns how much.
//
// Activations on an integer grid are stored as unsigned bytes: a uint8 code as it is, a signed code plus 128, with the
// zero point and the limits shifted by the same amount. Masks of gradients are bits: bit i%8 of byte i/8 belongs to
// element i of the given slices. The unused bits of the last byte are written as zero.
package kernel

import (
	"math"

	"qpipe/ops/kernel/formula"
)

// Conv is the geometry of a convolution. Data is NHWC, weights are
// [OutC][KH][KW][C/Groups]. A linear layer is a convolution whose kernel covers
// its whole input.
type Conv struct {
	N, H, W, C           int // input
	OutC, OH, OW         int // output
	KH, KW               int
	StrideH, StrideW     int
	PadTop, PadLeft      int // the padding at the bottom and right edges follows from OH, OW
	DilationH, DilationW int
	Groups               int
}

// Rows is the number of output rows, N·OH: the range unit of the forward kernels.
func (c *Conv) Rows() int { return c.N * c.OH }

// InRows is the number of input rows, N·H: the range unit of the backward-data kernel.
func (c *Conv) InRows() int { return c.N * c.H }

// K is the number of products in one output element.
func (c *Conv) K() int { return c.KH * c.KW * (c.C / c.Groups) }

// MaxProducts is the largest K whose sum of products of codes fits into int32:
// each is at most 255·128 in magnitude.
const MaxProducts = 65792

// Depthwise reports whether each channel has a filter of its own.
func (c *Conv) Depthwise() bool { return c.C > 1 && c.Groups == c.C && c.OutC == c.C }

// WeightLen is the number of weights.
func (c *Conv) WeightLen() int { return c.OutC * c.K() }

// Window returns the range lo <= i < hi of the i < count whose position start + i·step is in 0 <= … < limit; 0, 0 if
// there is none.
func Window(start, step, count, limit int) (lo, hi int) {
	if start < 0 {
		lo = (-start + step - 1) / step
	}
	hi = min(count, (max(limit-start, 0)+step-1)/step)
	if lo >= hi {
		return 0, 0
	}
	return lo, hi
}

// Pool is the geometry of a pooling window. CountPad tells whether average
// pooling divides by the number of the window's elements in the padded image (true) or
// in the image (false).
type Pool struct {
	N, H, W, C           int
	OH, OW               int
	KH, KW               int
	StrideH, StrideW     int
	PadTop, PadLeft      int
	DilationH, DilationW int // of max pools; 0 is 1
	CountPad             bool
	OverhangH, OverhangW int // how far the last windows reach beyond the padding at the far edges, as ceil mode has it
}

// Dilation is the distance of a window's neighbouring elements.
func (p *Pool) Dilation() (h, w int) { return max(p.DilationH, 1), max(p.DilationW, 1) }

// Count is what average pooling divides the window at (oh, ow) by; it is 0 for a
// window without an element in the image.
func (p *Pool) Count(oh, ow int) int {
	if p.CountPad {
		rows := min(p.KH, (p.OH-1-oh)*p.StrideH+p.KH-p.OverhangH)
		cols := min(p.KW, (p.OW-1-ow)*p.StrideW+p.KW-p.OverhangW)
		return max(rows, 0) * max(cols, 0)
	}
	top, left := oh*p.StrideH-p.PadTop, ow*p.StrideW-p.PadLeft
	rows := min(top+p.KH, p.H) - max(top, 0)
	cols := min(left+p.KW, p.W) - max(left, 0)
	return max(rows, 0) * max(cols, 0)
}

// Act is an activation function.
type Act uint8

// The activations.
const (
	None Act = iota
	ReLU
	ReLU6
)

// Linear returns the open interval of outputs where the activation passes its input on.
func (a Act) Linear() (floor, ceil float32) {
	floor, ceil = float32(math.Inf(-1)), float32(math.Inf(1))
	if a != None {
		floor = 0
	}
	if a == ReLU6 {
		ceil = 6
	}
	return floor, ceil
}

// String returns the name as layers are printed.
func (a Act) String() string { return [...]string{"none", "relu", "relu6"}[a] }

// Quant is a quantization with one scale for a whole slice: q = clamp(round(x/Scale) + Zero, Min, Max), with a true
// float32 division. Quotients beyond any integer are clamped; each kernel defines the result for NaN.
type Quant struct {
	Scale    float32
	Zero     int32
	Min, Max int32
	HalfUp   bool // floor(x + 0.5) instead of ties to even
}

// Round returns the nearest integer: ties to even, or floor(v + 0.5) with HalfUp.
func (q *Quant) Round(v float32) float32 {
	if q.HalfUp {
		return float32(math.Floor(float64(v) + 0.5))
	}
	return float32(math.RoundToEven(float64(v)))
}

// Gate returns the open interval of quotients x/Scale where the gradient passes:
// those that round to a code in the range, and lie strictly inside the linear
// part of the activation whose output x is.
func (q *Quant) Gate(act Act) (floor, ceil float32) {
	lo, hi := float32(q.Min-q.Zero), float32(q.Max-q.Zero)
	floor, ceil = lo-0.5, hi+0.5
	if q.Round(floor) == lo {
		floor = math.Nextafter32(floor, floor-1)
	}
	if q.Round(ceil) == hi {
		ceil = math.Nextafter32(ceil, ceil+1)
	}
	f, c := act.Linear()
	if c < float32(math.Inf(1)) {
		ceil = min(ceil, c/q.Scale)
	}
	return max(floor, f), ceil
}

// Requant is the epilogue of an integer kernel, numerics.md's
//
//	v = float32(acc + bias)·M [+ float32(z - ZZero)·MZ]
//	y = clamp(rint(v) + Zero, lo, hi)
//
// where lo is Min, or the larger of Min and Zero with an activation, and hi is Max, or the smaller of Max and Six with
// ReLU6. Each float32 operation is rounded separately; rint is ties to even, or floor(v + 0.5) if HalfUp. acc + bias is
// an int32 addition: the caller keeps the bias small enough. A v that is NaN (a multiplier is not finite) counts as 0,
// and no gradient passes; infinities are clamped.
type Requant struct {
	M           []float32 // scale_x·scale_w/scale_y, one per channel
	MZ          float32   // scale_z/scale_y of the added operand
	ZZero       int32
	Zero        int32
	Min, Max    int32
	Act         Act
	Six         int32 // the code of 6.0 under ReLU6: rint(6/scale_y) + Zero
	HalfUp      bool
	Floor, Ceil float32 // the gradient passes where Floor < v < Ceil (Quant.Gate)
}

// Bounds are the smallest and the largest code that the epilogue writes, the
// activation considered.
func (q *Requant) Bounds() (lo, hi int32) {
	lo, hi = q.Min, q.Max
	if q.Act != None {
		lo = max(lo, q.Zero)
	}
	if q.Act == ReLU6 {
		hi = min(hi, q.Six)
	}
	return lo, hi
}

// Operand is an activation as kernels read it: values F, or, if F is nil, codes Q, each with the value (q -
// Zero)·Scale. With neither there is no operand.
type Operand struct {
	F     []float32
	Q     []uint8
	Zero  int32
	Scale float32
}

// Slice returns the elements [i, j).
func (o Operand) Slice(i, j int) Operand {
	if o.F != nil {
		o.F = o.F[i:j]
	}
	if o.Q != nil {
		o.Q = o.Q[i:j]
	}
	return o
}

// Int8Out says what an integer convolution writes from its accumulators (which include the bias): exactly one of Acc, F
// and Y is not nil.
type Int8Out struct {
	Acc []int32   // acc
	F   []float32 // float32(acc), times Q.M[o] if Q is not nil
	Y   []uint8   // the codes that Q computes from acc, without its own bias
	Z   []uint8   // with Y: the added operand, or nil; Y may be Z
	Q   *Requant
}

// Scratch is memory of one worker. Its content is undefined between two calls.
type Scratch struct {
	F32 []float32
	F64 []float64
	I32 []int32
	U8  []uint8
}

// Room is how much scratch a kernel needs, in elements.
type Room struct{ F32, F64, I32, U8 int }

// Max returns the room that is enough for either.
func (r Room) Max(o Room) Room {
	return Room{max(r.F32, o.F32), max(r.F64, o.F64), max(r.I32, o.I32), max(r.U8, o.U8)}
}

// Bytes is its size in bytes.
func (r Room) Bytes() int64 { return 4*int64(r.F32+r.I32) + 8*int64(r.F64) + int64(r.U8) }

// Make returns a scratch of this room.
func (r Room) Make() *Scratch {
	return &Scratch{make([]float32, r.F32), make([]float64, r.F64), make([]int32, r.I32), make([]uint8, r.U8)}
}

// ConvKernels are the kernels of one family of convolutions.
type ConvKernels struct {
	// Pack writes the weights of the output channels [o0, o1) as Forward reads them.
	Pack     func(p *Conv, w, packed []float32, o0, o1 int)
	PackSize func(p *Conv) int

	// Forward computes y[n,oh,ow,o] = Σ x[n, oh·s-p+kh·d, …, c]·w[o,kh,kw,c] for the
	// output rows [r0, r1) and the channels [o0, o1). Accumulation order is the set's own, but fixed.
	Forward     func(p *Conv, x, packed, y []float32, s *Scratch, r0, r1, o0, o1 int)
	ForwardRoom func(p *Conv) Room

	// DataPack writes the weights of the input channels [c0, c1) as BackwardData reads them.
	DataPack     func(p *Conv, w, packed []float32, c0, c1 int)
	DataPackSize func(p *Conv) int

	// BackwardData computes dx, the gradient to x, for the input rows [r0, r1); with add it is added to dx
	// (the sum is formed first).
	BackwardData     func(p *Conv, dy, packed, dx []float32, add bool, s *Scratch, r0, r1 int)
	BackwardDataRoom func(p *Conv) Room

	// BackwardWeights adds to dw the gradient of the output channels [o0, o1), any range, from the images [n0, n1).
	// Codes count as q - Zero. The caller divides the work by the shape alone.
	BackwardWeights     func(p *Conv, x Operand, dy, dw []float32, s *Scratch, n0, n1, o0, o1 int)
	BackwardWeightsRoom func(p *Conv) Room

	// Int8Pack writes the weights of the output channels [o0, o1) as Int8 reads them, and their sums.
	Int8Pack     func(p *Conv, w, packed []int8, sums []int32, o0, o1 int)
	Int8PackSize func(p *Conv) int

	// Int8 computes acc[n,oh,ow,o] = bias[o] + Σ x·w in int32, exactly, for the output rows [r0, r1) and the channels
	// [o0, o1); elements beyond the edges count as pad. For x with the zero point pad, bias[o] holds -pad·Σw[o] besides the
	// node's own bias. K is at most MaxProducts.
	Int8     func(p *Conv, x []uint8, pad uint8, packed []int8, bias []int32, out *Int8Out, s *Scratch, r0, r1, o0, o1 int)
	Int8Room func(p *Conv) Room
}

// Conv returns the kernels for a convolution.
func (s *Set) Conv(p *Conv) *ConvKernels {
	if p.Depthwise() {
		return &s.Depthwise
	}
	return &s.Dense
}

// Set is a complete collection of kernels.
//
// Unless a comment says otherwise, outputs are overwritten and lengths of slices
// are those of the whole tensors, also where a range is given. Rows of channels
// lie one after another: element i belongs to channel i%c.
type Set struct {
	Name string // "ref", "avx512", …

	// Block is the unit of ranges of channels: o0 and c0 below are multiples of it, o1 and c1 too unless they are the
	// last. With groups a range has all channels.
	Block int

	// Dense and Depthwise are the kernels of convolutions: of those in which each channel has a filter of its own,
	// and of all others. Conv chooses.
	Dense, Depthwise ConvKernels

	// EncodeWeights quantizes one channel's weights: r = round((w·f)/Scale), codes = clamp(r, Min, Max), v =
	// code·Scale; the mask says where r is within the limits. q.Zero is 0. NaN gets the code 0 and the value NaN, and
	// the gradient does not pass.
	EncodeWeights func(w []float32, f float32, q Quant, codes []int8, v []float32, mask []uint8)

	// WeightGrad takes a gradient d back through EncodeWeights: t = d·u where the mask lets it pass, else 0 (mask nil:
	// everywhere); dst = t·f. It returns Σ t·w in float64; w may be nil. dst may be d.
	WeightGrad func(d, w []float32, mask []uint8, u, f float32, dst []float32) (dot float64)

	// Requantize runs the epilogue over rows of c channels: len(acc) = len(y) = a multiple of c. bias has c values or
	// is nil; z is nil without an added operand; y may be z. mask, unless nil, says where Floor < v < Ceil.
	Requantize func(acc, bias []int32, z, y, mask []uint8, c int, q *Requant)

	// Product runs the epilogue on products of codes, acc = (x - zx)·(y - zy), all of the unit M[0]; there is no bias and no added
	// operand. Out may be x or y; mask is Requantize's.
	Product func(x, y []uint8, zx, zy int32, out, mask []uint8, q *Requant)

	// Dequantize is the float output of an integer kernel: y = float32(acc + bias)·m per channel (c values); bias may be nil.
	Dequantize func(acc, bias []int32, y []float32, c int, m []float32)

	// Widen computes acc = x - zero, Values y = float32(x - zero)·scale.
	Widen  func(x []uint8, zero int32, acc []int32)
	Values func(x []uint8, zero int32, scale float32, y []float32)

	// Lookup computes y = table[x]; y may be x.
	Lookup func(x []uint8, table *[256]uint8, y []uint8)

	// Formula computes y = f(x) in float64, rounded to float32, and times g unless that is nil; y may be x or g. The scratch has the
	// formula's room in float64.
	Formula func(f *formula.Formula, x, g, y []float32, s *Scratch)

	// Quantize writes the codes of x, FakeQuant the values (q - Zero)·Scale of codes of up to 16 bits; y may be x.
	// mask, unless nil, tells where the quotient lies in Quant.Gate(act), act being the activation whose output x is.
	// NaN gets the code nearest to Zero from Quantize; FakeQuant passes it on, so that it is noticed.
	Quantize  func(x []float32, y, mask []uint8, q Quant, act Act)
	FakeQuant func(x, y []float32, mask []uint8, q Quant, act Act)

	// MinMax returns the smallest and the largest value; both NaN if there is a NaN, +Inf and -Inf for an empty slice.
	MinMax func(x []float32) (lo, hi float32)

	// ChannelStats adds, for rows of len(sum) channels, Σx and Σx² in float64, row by row, and widens the channels'
	// extremes lo and hi, which become NaN where a value is.
	ChannelStats func(x []float32, sum, sq []float64, lo, hi []float32)

	// ChannelRange widens the channels' extremes lo and hi, for rows of len(lo) channels.
	ChannelRange func(acc []int32, lo, hi []int32)

	// Affine computes v = x·a[c] + b[c] [+ z] and y = act(v) over rows of len(a) channels, each operation rounded on its
	// own; y may be x or z.F. mask, unless nil, tells where y lies strictly inside the activation's linear part.
	// AffineQuant writes the codes of act(v) instead, with Quantize's mask. AffineRange returns the extremes of act(v), as MinMax does.
	Affine      func(x []float32, z Operand, y []float32, mask []uint8, a, b []float32, act Act)
	AffineQuant func(x []float32, z Operand, y, mask []uint8, a, b []float32, act Act, q Quant)
	AffineRange func(x []float32, z Operand, a, b []float32, act Act) (lo, hi float32)

	// The gradient behind a mask is v = g where its bit is set, else 0; everywhere g with a nil mask.
	//
	// GateSums adds, for rows of len(sum) channels, Σv and (unless x is nil) Σ v·x in float64, row by row, and writes v
	// to y unless that is nil. GateAffine computes y = v·a[c] + (x·k[c] + l[c]), or y = v·a[c] with a nil x, over rows of
	// len(a) channels. Gate computes y = v, or y += v with add. y may be g.
	GateSums   func(g []float32, mask []uint8, x, y []float32, sum, prod []float64)
	GateAffine func(g []float32, mask []uint8, x, y, a, k, l []float32)
	Gate       func(g []float32, mask []uint8, y []float32, add bool)

	// AddTo adds x to y.
	AddTo func(x, y []float32)

	// MaxPool for output rows [r0, r1) of N·OH; index holds the offset into x of each maximum (the first one). NaN is
	// larger than everything; a window entirely outside the image gives -Inf (0 as a code, and 0 for averages) and
	// index -1. Its gradient scatters: dx is zeroed and filled for the images [n0, n1). MaxPoolInt8's index may be nil.
	MaxPool         func(p *Pool, x, y []float32, index []int32, r0, r1 int)
	MaxPoolBackward func(p *Pool, dy []float32, index []int32, dx []float32, n0, n1 int)
	MaxPoolInt8     func(p *Pool, x, y []uint8, index []int32, r0, r1 int)

	// AvgPool for output rows [r0, r1); its gradient for the images [n0, n1). SumPoolInt8 gives Σ(x - xZero) in int32;
	// the requantization divides. A global pool is a pool whose window is the image. There is no dilation.
	AvgPool         func(p *Pool, x, y []float32, r0, r1 int)
	AvgPoolBackward func(p *Pool, dy, dx []float32, n0, n1 int)
	SumPoolInt8     func(p *Pool, x []uint8, xZero int32, acc []int32, r0, r1 int)

	// SGD is one update: d = g + decay·w; v = momentum·v + d; w -= lr·(v, or d + momentum·v with nesterov).
	// g is only read.
	SGD func(w, g, v []float32, lr, momentum, decay float32, nesterov bool)

	// Finite reports whether no value is an infinity or NaN.
	Finite func(x []float32) bool
}
