// Package kernel has the signatures of the number-crunching loops: one [Set]
// struct with a field per kernel and per gradient, and the parameter structs
// that they share. A set is chosen once, passed as a value and never changed.
// Kernels know slices and sizes; they know no graph, no names and no threads.
//
// Work is divided by the caller: a kernel with a range argument computes only
// that part of its result, and the union over disjoint ranges is the whole.
// A result element never depends on how the ranges were cut, so that the bytes
// are the same for every number of threads. Kernels allocate nothing; those
// that need room take a scratch slice whose size a function beside the field tells.
package kernel

// Conv is the geometry of a convolution. Data is NHWC, weights are
// [OutC][KH][KW][C/Groups]. A linear layer is a convolution whose kernel covers
// its whole input.
type Conv struct {
	N, H, W, C           int // input
	OutC, OH, OW         int // output
	KH, KW               int
	StrideH, StrideW     int
	PadTop, PadLeft      int // what lies beyond the bottom and right edge follows from OH, OW
	DilationH, DilationW int
	Groups               int
}

// Rows is the number of output rows, N·OH: the range unit of the forward kernels.
func (c *Conv) Rows() int { return c.N * c.OH }

// InRows is the number of input rows, N·H: the range unit of the backward-data kernel.
func (c *Conv) InRows() int { return c.N * c.H }

// K is the number of products in one output element.
func (c *Conv) K() int { return c.KH * c.KW * (c.C / c.Groups) }

// WeightLen is the number of weights.
func (c *Conv) WeightLen() int { return c.OutC * c.K() }

// Pool is the geometry of a pooling window. CountPad tells whether average
// pooling divides by the window's size (true) or by the number of its elements
// inside the image (false).
type Pool struct {
	N, H, W, C       int
	OH, OW           int
	KH, KW           int
	StrideH, StrideW int
	PadTop, PadLeft  int
	CountPad         bool
}

// Count is what average pooling divides the window at (oh, ow) by; it is 0 for a
// window without an element in the image.
func (p *Pool) Count(oh, ow int) int {
	if p.CountPad {
		return p.KH * p.KW
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

// String returns the name as layers are printed.
func (a Act) String() string { return [...]string{"none", "relu", "relu6"}[a] }

// Quant is a quantization with one scale for a whole slice:
// q = clamp(round(x/Scale) + Zero, Min, Max), with a true float32 division.
// Quotients beyond any integer clamp; what becomes of NaN each kernel says.
type Quant struct {
	Scale    float32
	Zero     int32
	Min, Max int32
	HalfUp   bool // floor(x + 0.5) instead of ties to even
}

// Requant is the epilogue of an integer kernel, numerics.md's
//
//	y = clamp(rint(float32(acc + bias)·M + [float32(z - ZZero)·MZ]) + Zero, lo, Max)
//
// where lo is Min, or the larger of Min and Zero with an activation, and the
// upper bound is the smaller of Max and Six with ReLU6. Each float32 operation
// is rounded on its own; rint is ties to even, or floor(v + 0.5) if HalfUp.
// acc + bias is an int32 addition: whoever makes the bias keeps it small enough.
// A value that is NaN (a multiplier is not finite) counts as 0; infinities clamp.
type Requant struct {
	M        []float32 // scale_x·scale_w/scale_y per output channel, or one value for all
	MZ       float32   // scale_z/scale_y of the added operand
	ZZero    int32
	Zero     int32
	Min, Max int32
	Act      Act
	Six      int32 // the code of 6.0 under ReLU6: rint(6/scale_y) + Zero
	HalfUp   bool
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

// Set is a complete collection of kernels.
//
// Unless a comment says otherwise, outputs are overwritten and lengths of slices
// are those of the whole tensors, also where a range is given.
type Set struct {
	Name string // "ref", "portable", …

	// ConvForward computes y[n,oh,ow,o] = Σ x[n, oh·s-p+kh·d, …, c]·w[o,kh,kw,c] for the
	// output rows [r0, r1). Accumulation order is the set's own, but fixed.
	ConvForward     func(p *Conv, x, w, y, scratch []float32, r0, r1 int)
	ConvForwardSize func(p *Conv) int // floats of scratch, per concurrent call

	// ConvBackwardData computes dx, the gradient to x, for the input rows [r0, r1).
	ConvBackwardData     func(p *Conv, dy, w, dx, scratch []float32, r0, r1 int)
	ConvBackwardDataSize func(p *Conv) int

	// ConvBackwardWeights adds to dw the gradient that the images [n0, n1) give to the output
	// channels [o0, o1). The caller fixes the cut by the shape alone.
	ConvBackwardWeights     func(p *Conv, x, dy, dw, scratch []float32, n0, n1, o0, o1 int)
	ConvBackwardWeightsSize func(p *Conv) int

	// ConvInt8 computes acc[n,oh,ow,o] = Σ (x - xZero)·w in int32, exactly; padding counts as xZero,
	// which is an int8 code. For the output rows [r0, r1). K must be below 65793: no sum then overflows.
	ConvInt8     func(p *Conv, x []int8, xZero int32, w []int8, acc []int32, scratch []byte, r0, r1 int)
	ConvInt8Size func(p *Conv) int // bytes of scratch

	// Requantize runs the epilogue over rows of c channels: len(acc) = len(y) = a multiple of c.
	// bias has c values or is nil; z is nil without an added operand; y may be z.
	Requantize func(acc, bias []int32, z, y []int8, c int, q *Requant)

	// Dequantize is the float output of an integer kernel: y = float32(acc + bias)·m per channel.
	Dequantize func(acc, bias []int32, y []float32, c int, m []float32)

	// Quantize writes codes of at most 8 bits, FakeQuant the values (q - Zero)·Scale; y may be x.
	// NaN gets the code nearest to Zero from Quantize; FakeQuant lets it through, so that it is found out.
	Quantize  func(x []float32, y []int8, q Quant)
	FakeQuant func(x, y []float32, q Quant)

	// FakeQuantBackward is the straight-through gradient: dx = dy where
	// Min <= round(x/Scale)+Zero <= Max, else 0 (also where x is NaN). dx may be dy.
	FakeQuantBackward func(x, dy, dx []float32, q Quant)

	// MinMax returns the smallest and the largest value; both NaN if there is one, +Inf and -Inf of nothing.
	MinMax func(x []float32) (lo, hi float32)

	// ChannelSums adds, for rows of len(sum) channels, Σx and Σ(x·y) in float64. Y may be x.
	ChannelSums func(x, y []float32, sum, prod []float64)

	// ScaleShift computes y = act(x·a[c] + b[c] [+ z]) over rows of len(a) channels; z may be nil, y may be x or z.
	ScaleShift func(x, z, y, a, b []float32, act Act)

	// ActBackward computes dx = dy where the activation's output y lies strictly inside its linear part, else 0. dx may be dy.
	ActBackward func(y, dy, dx []float32, act Act)

	// Add computes y = act(a + b), AddTo adds x to y.
	Add   func(a, b, y []float32, act Act)
	AddTo func(x, y []float32)

	// MaxPool for output rows [r0, r1) of N·OH; index holds the offset into x of each maximum (the first one).
	// NaN is larger than everything; a window wholly outside the image gives -Inf (-128, and 0 averages) and index -1.
	// Its gradient scatters: dx is zeroed and filled for the images [n0, n1).
	MaxPool         func(p *Pool, x, y []float32, index []int32, r0, r1 int)
	MaxPoolBackward func(p *Pool, dy []float32, index []int32, dx []float32, n0, n1 int)
	MaxPoolInt8     func(p *Pool, x, y []int8, r0, r1 int)

	// AvgPool for output rows [r0, r1); its gradient for the images [n0, n1). SumPoolInt8 gives Σ(x - xZero) in int32
	// and leaves the division to the requantization. A global pool is a pool whose window is the image.
	AvgPool         func(p *Pool, x, y []float32, r0, r1 int)
	AvgPoolBackward func(p *Pool, dy, dx []float32, n0, n1 int)
	SumPoolInt8     func(p *Pool, x []int8, xZero int32, acc []int32, r0, r1 int)

	// SGD is one update: d = g + decay·w; v = momentum·v + d; w -= lr·(v, or d + momentum·v with nesterov).
	// g is only read.
	SGD func(w, g, v []float32, lr, momentum, decay float32, nesterov bool)
}
