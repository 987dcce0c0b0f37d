package kerneltest_test

import (
	"slices"
	"testing"

	"qpipe/internal/refvec"
	"qpipe/ops/kernel"
)

// machine executes a small quantized ONNX graph with the kernels of one set. A
// tensor is kept in NHWC order; signed codes are kept plus 128.
type machine struct {
	t     *testing.T
	set   *kernel.Set
	model *refvec.Model
	env   map[string]*value
	op    string // what the case is about
}

// value is what a name stands for: floats, or codes with their scale and zero
// point, or (between an integer operator and the QuantizeLinear behind it)
// accumulators that wait for their epilogue.
type value struct {
	shape []int // as ONNX says it
	f     []float32
	codes []uint8
	wide  []int32 // int32 codes (a bias)
	shift int32   // 128 where the codes are signed
	scale []float32
	zero  []int32
	await *pending
	parts []*value // a concatenation that waits
}

// pending is float32(acc + bias)·mul[channel] / div[position] + float32(z - zzero)·mulZ.
type pending struct {
	acc, bias []int32
	mul       []float32
	div       []int
	z         []uint8
	zzero     int32
	mulZ      float32
	act       kernel.Act
}

// channels is the extent of the second axis.
func (v *value) channels() int {
	if len(v.shape) < 2 {
		return 1
	}
	return v.shape[1]
}

func product(d []int) int {
	n := 1
	for _, v := range d {
		n *= v
	}
	return n
}

// hw returns the third and fourth extent, 1 where there is none.
func hw(shape []int) (h, w int) {
	h, w = 1, 1
	if len(shape) > 2 {
		h = product(shape[2 : len(shape)-1])
		w = shape[len(shape)-1]
	}
	return h, w
}

// nhwc and nchw change the order of a tensor of the given ONNX shape.
func nhwc[T any](x []T, shape []int) []T {
	if len(shape) < 3 {
		return x
	}
	h, w := hw(shape)
	return refvec.NHWC(x, shape[0], shape[1], h, w)
}

func nchw[T any](x []T, shape []int) []T {
	if len(shape) < 3 {
		return x
	}
	h, w := hw(shape)
	return refvec.NCHW(x, shape[0], shape[1], h, w)
}

// load turns an array of the file into a value.
func load(a *refvec.Array) *value {
	v := &value{shape: a.Shape}
	switch d := a.Data.(type) {
	case []float32:
		v.f = nhwc(d, a.Shape)
	case []uint8:
		v.codes = nhwc(d, a.Shape)
	case []int8:
		v.shift = 128
		v.codes = make([]uint8, len(d))
		for i, c := range nhwc(d, a.Shape) {
			v.codes[i] = uint8(int32(c) + 128)
		}
	case []int32:
		v.wide = d
	}
	return v
}

// result returns the elements as ONNX orders them, codes with their own sign.
func (v *value) result() []float64 {
	var out []float64
	switch {
	case v.codes != nil && v.scale == nil:
		for _, c := range v.codes {
			out = append(out, float64(int32(c)-v.shift))
		}
	case v.wide != nil:
		for _, c := range v.wide {
			out = append(out, float64(c))
		}
	default:
		for _, f := range v.f {
			out = append(out, float64(f))
		}
	}
	return nchw(out, v.shape)
}

// newMachine has the graph's constants and the case's inputs.
func newMachine(t *testing.T, s *kernel.Set, c *refvec.Case) *machine {
	m := &machine{t: t, set: s, model: c.Model(t), env: map[string]*value{}, op: c.Op}
	for name, a := range m.model.Initializers {
		m.env[name] = load(a)
	}
	for _, name := range c.Inputs {
		m.env[name] = load(c.Array(t, name))
	}
	return m
}

// in returns the node's i-th input, nil where it has none.
func (m *machine) in(n *refvec.Node, i int) *value {
	if i >= len(n.Inputs) || n.Inputs[i] == "" {
		return nil
	}
	v := m.env[n.Inputs[i]]
	if v == nil {
		m.t.Fatalf("%s: no value for %q", n.Op, n.Inputs[i])
	}
	return v
}

// zeros returns zero points as the codes that they are here.
func zeros(v *value) []int32 {
	if v.wide != nil {
		return v.wide
	}
	out := make([]int32, len(v.codes))
	for i, c := range v.codes {
		out[i] = int32(c)
	}
	return out
}

// quantized is a view of codes with their scale and zero point, which is 0 if there is none.
func quantized(v, scale, zero *value) *value {
	q := *v
	q.scale, q.zero = scale.f, []int32{v.shift}
	if zero != nil {
		q.zero = zeros(zero)
	}
	return &q
}

// at returns x[i], or the only element.
func at[T any](x []T, i int) T {
	if len(x) == 1 {
		return x[0]
	}
	return x[i]
}

// spread returns a value for each of n channels.
func spread[T any](x []T, n int) []T {
	out := make([]T, n)
	for i := range out {
		out[i] = at(x, i)
	}
	return out
}

// run executes the nodes in order.
func (m *machine) run() {
	for i := range m.model.Nodes {
		n := &m.model.Nodes[i]
		m.env[n.Outputs[0]] = m.step(n)
	}
}

func (m *machine) step(n *refvec.Node) *value {
	x := m.in(n, 0)
	switch n.Op {
	case "QuantizeLinear":
		return m.quantize(x, m.in(n, 1), m.in(n, 2), n)
	case "DequantizeLinear":
		return m.dequantize(quantized(x, m.in(n, 1), m.in(n, 2)), n)
	case "Conv":
		return m.conv(n, x, m.in(n, 1), m.in(n, 2))
	case "ConvInteger":
		p := m.conv(n, quantized(x, one(), m.in(n, 2)), quantized(m.in(n, 1), one(), m.in(n, 3)), nil)
		return &value{shape: p.shape, wide: p.await.acc}
	case "QLinearConv":
		p := m.conv(n, quantized(x, m.in(n, 1), m.in(n, 2)), quantized(m.in(n, 3), m.in(n, 4), m.in(n, 5)), m.in(n, 8))
		return m.epilogue(p, m.in(n, 6), m.in(n, 7))
	case "Gemm":
		return m.gemm(x, m.in(n, 1), m.in(n, 2))
	case "MatMulInteger":
		p := m.gemm(quantized(x, one(), m.in(n, 2)), transposed(quantized(m.in(n, 1), one(), m.in(n, 3))), nil)
		return &value{shape: p.shape, wide: p.await.acc}
	case "QLinearMatMul":
		p := m.gemm(quantized(x, m.in(n, 1), m.in(n, 2)), transposed(quantized(m.in(n, 3), m.in(n, 4), m.in(n, 5))), nil)
		return m.epilogue(p, m.in(n, 6), m.in(n, 7))
	case "Relu":
		w := waiting(x)
		w.await.act = kernel.ReLU
		return w
	case "Add":
		return add(x, m.in(n, 1))
	case "Concat":
		return &value{shape: []int{x.shape[0], x.channels() + m.in(n, 1).channels(), x.shape[2], x.shape[3]}, parts: []*value{x, m.in(n, 1)}}
	case "MaxPool":
		return m.maxPool(n, x)
	case "AveragePool", "GlobalAveragePool":
		return m.avgPool(n, x)
	case "Flatten":
		y := *x
		y.shape = []int{x.shape[0], product(x.shape[1:])}
		return &y
	}
	if slices.Contains([]string{"Sigmoid", "HardSigmoid", "Mul", "Constant"}, n.Op) { // Constant: the factors of a Resize
		m.t.Skipf("qpipe has no %s yet (%s)", m.op, n.Op)
	}
	m.t.Fatalf("no test for the operator %s", n.Op)
	return nil
}

// one is the scale of an operator that has none.
func one() *value { return &value{f: []float32{1}} }

// waiting is a value whose codes wait for an epilogue.
func waiting(x *value) *value {
	if x.await != nil {
		return x
	}
	acc := make([]int32, len(x.codes))
	for i, c := range x.codes {
		acc[i] = int32(c) - x.zero[0]
	}
	return &value{shape: x.shape, await: &pending{acc: acc, mul: x.scale}}
}

func add(a, b *value) *value {
	w := waiting(a)
	w.await.z, w.await.zzero, w.await.mulZ = b.codes, b.zero[0], b.scale[0]
	return w
}

// transposed turns a matrix [K][L] into the weights [L][K].
func transposed(b *value) *value {
	t := *b
	k, l := b.shape[0], b.shape[1]
	t.shape, t.codes = []int{l, k}, make([]uint8, len(b.codes))
	for i := range k {
		for j := range l {
			t.codes[j*k+i] = b.codes[i*l+j]
		}
	}
	return &t
}

// quantize is QuantizeLinear: of floats by the kernel, of waiting accumulators by
// their epilogue.
func (m *machine) quantize(x, scale, zero *value, n *refvec.Node) *value {
	if x.parts != nil {
		return m.concat(x, scale, zero)
	}
	if x.await != nil || x.codes != nil {
		return m.epilogue(waiting(x), scale, zero)
	}
	y := &value{shape: x.shape, codes: make([]uint8, len(x.f)), shift: zero.shift}
	each(x, len(scale.f), func(c int, idx []int) {
		q := kernel.Quant{Scale: scale.f[c], Zero: zeros(zero)[c], Max: 255}
		from, to := gather(x.f, idx), make([]uint8, len(idx))
		m.set.Quantize(from, to, nil, q, kernel.None)
		scatter(to, y.codes, idx)
	})
	return y
}

// dequantize is DequantizeLinear; the codes stay with the value.
func (m *machine) dequantize(x *value, n *refvec.Node) *value {
	if x.wide != nil {
		return x
	}
	y := *x
	y.f = make([]float32, len(x.codes))
	if n.Int("axis", 1) == 0 { // weights: only their codes are used
		return &y
	}
	each(x, len(x.scale), func(c int, idx []int) {
		acc, to := make([]int32, len(idx)), make([]float32, len(idx))
		for i, from := range idx {
			acc[i] = int32(x.codes[from]) - x.zero[c]
		}
		m.set.Dequantize(acc, nil, to, 1, x.scale[c:c+1])
		scatter(to, y.f, idx)
	})
	return &y
}

// each calls f for every channel with the indices of its elements (NHWC); with
// one scale all elements are one channel.
func each(x *value, channels int, f func(c int, idx []int)) {
	all := make([][]int, channels)
	for i := range product(x.shape) {
		all[i%channels] = append(all[i%channels], i)
	}
	for c, idx := range all {
		f(c, idx)
	}
}

func gather[T any](x []T, idx []int) []T {
	var out []T
	for _, i := range idx {
		out = append(out, x[i])
	}
	return out
}

func scatter[T any](from, to []T, idx []int) {
	for i, k := range idx {
		to[k] = from[i]
	}
}

// epilogue requantizes to the given scale and zero point.
func (m *machine) epilogue(x, scale, zero *value) *value {
	w, c := x.await, x.channels()
	y := &value{shape: x.shape, codes: make([]uint8, len(w.acc)), shift: zero.shift}
	q := kernel.Requant{ZZero: w.zzero, Zero: zeros(zero)[0], Max: 255, Act: w.act, MZ: float32(w.mulZ / scale.f[0])}
	for _, s := range spread(w.mul, c) {
		q.M = append(q.M, float32(s/scale.f[0]))
	}
	if w.div == nil {
		m.set.Requantize(w.acc, w.bias, w.z, y.codes, nil, c, &q)
		return y
	}
	for i, d := range w.div { // an average pool divides by the window's size
		q.M = spread([]float32{float32(float32(w.mul[0]/float32(d)) / scale.f[0])}, c)
		m.set.Requantize(w.acc[i*c:(i+1)*c], nil, nil, y.codes[i*c:(i+1)*c], nil, c, &q)
	}
	return y
}

// concat brings each operand to the common scale and joins the channels.
func (m *machine) concat(x, scale, zero *value) *value {
	y := &value{shape: x.shape, shift: zero.shift}
	var parts []*value
	for _, p := range x.parts {
		parts = append(parts, m.epilogue(waiting(p), scale, zero))
	}
	for i := range x.shape[0] * x.shape[2] * x.shape[3] {
		for _, p := range parts {
			y.codes = append(y.codes, p.codes[i*p.channels():(i+1)*p.channels()]...)
		}
	}
	return y
}

// conv is the integer convolution of two quantized operands and an int32 bias.
func (m *machine) conv(n *refvec.Node, x, w, bias *value) *value {
	k := n.Ints("kernel_shape", w.shape[2:])
	st, dl, pd := n.Ints("strides", []int{1, 1}), n.Ints("dilations", []int{1, 1}), n.Ints("pads", []int{0, 0, 0, 0})
	p := &kernel.Conv{
		N: x.shape[0], C: x.shape[1], H: x.shape[2], W: x.shape[3], OutC: w.shape[0], KH: k[0], KW: k[1],
		StrideH: st[0], StrideW: st[1], PadTop: pd[0], PadLeft: pd[1], DilationH: dl[0], DilationW: dl[1], Groups: n.Int("group", 1),
	}
	p.OH = (p.H+pd[0]+pd[2]-dl[0]*(k[0]-1)-1)/st[0] + 1
	p.OW = (p.W+pd[1]+pd[3]-dl[1]*(k[1]-1)-1)/st[1] + 1
	return m.accumulate(p, x, w, bias, []int{p.N, p.OutC, p.OH, p.OW})
}

// gemm is x·wᵀ + bias.
func (m *machine) gemm(x, w, bias *value) *value {
	p := &kernel.Conv{
		N: x.shape[0], H: 1, W: 1, C: x.shape[1], OutC: w.shape[0], OH: 1, OW: 1, KH: 1, KW: 1,
		StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1,
	}
	return m.accumulate(p, x, w, bias, []int{p.N, p.OutC})
}

// accumulate runs ConvInt8 and multiplies the scales. A zero point of the weights
// is taken out by Σ(x-xZero)(w-wZero) = Σ(x-xZero)·w - wZero·Σ(x-xZero), where the
// second sum is a convolution with ones.
func (m *machine) accumulate(p *kernel.Conv, x, w, bias *value, shape []int) *value {
	codes := make([]int8, len(w.codes))
	for i, c := range w.codes {
		codes[i] = int8(int32(c) - 128)
	}
	pad := uint8(x.zero[0])
	acc := int8Conv(m.set, p, x.codes, pad, codes)
	if slices.ContainsFunc(w.zero, func(z int32) bool { return z != 128 }) {
		ones := make([]int8, len(codes))
		for i := range ones {
			ones[i] = 1
		}
		for i, s := range int8Conv(m.set, p, x.codes, pad, ones) {
			acc[i] -= (at(w.zero, i%p.OutC) - 128) * s
		}
	}
	y := &value{shape: shape, await: &pending{acc: acc}}
	for o := range p.OutC {
		y.await.mul = append(y.await.mul, float32(x.scale[0]*at(w.scale, o)))
	}
	y.await.bias = make([]int32, p.OutC)
	if bias != nil {
		y.await.bias = bias.wide
	}
	return y
}

func poolOf(n *refvec.Node, x *value) (*kernel.Pool, []int) {
	k := n.Ints("kernel_shape", x.shape[2:])
	st, pd := n.Ints("strides", []int{1, 1}), n.Ints("pads", []int{0, 0, 0, 0})
	p := &kernel.Pool{
		N: x.shape[0], C: x.shape[1], H: x.shape[2], W: x.shape[3], KH: k[0], KW: k[1], StrideH: st[0], StrideW: st[1],
		PadTop: pd[0], PadLeft: pd[1], CountPad: n.Int("count_include_pad", 0) == 1,
	}
	p.OH = (p.H+pd[0]+pd[2]-k[0])/st[0] + 1
	p.OW = (p.W+pd[1]+pd[3]-k[1])/st[1] + 1
	return p, []int{p.N, p.C, p.OH, p.OW}
}

// maxPool lets the codes pass.
func (m *machine) maxPool(n *refvec.Node, x *value) *value {
	p, shape := poolOf(n, x)
	y := &value{shape: shape, codes: make([]uint8, product(shape)), shift: x.shift, scale: x.scale, zero: x.zero}
	m.set.MaxPoolInt8(p, x.codes, y.codes, nil, 0, p.N*p.OH)
	return y
}

func (m *machine) avgPool(n *refvec.Node, x *value) *value {
	p, shape := poolOf(n, x)
	y := &value{shape: shape, await: &pending{acc: make([]int32, product(shape)), mul: x.scale}}
	m.set.SumPoolInt8(p, x.codes, x.zero[0], y.await.acc, 0, p.N*p.OH)
	for i := range p.N * p.OH * p.OW {
		y.await.div = append(y.await.div, p.Count(i/p.OW%p.OH, i%p.OW))
	}
	return y
}

// float gives waiting accumulators as floats: the output of a node that is not
// quantized.
func (m *machine) float(x *value) *value {
	if x.await == nil {
		return x
	}
	y := &value{shape: x.shape, f: make([]float32, len(x.await.acc))}
	m.set.Dequantize(x.await.acc, x.await.bias, y.f, x.channels(), spread(x.await.mul, x.channels()))
	return y
}
