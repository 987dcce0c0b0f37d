package kerneltest_test

import (
	"testing"

	"qpipe/ops/kernel"
	"qpipe/ops/kernel/formula"
	"qpipe/ops/kernel/sets"
)

// pass is an elementwise kernel ready to run over n elements of c channels.
type pass struct {
	name string
	run  func()
}

func passes(s *kernel.Set, n, c int) []pass {
	x, y, z, w := noise(n, 1), noise(n, 2), noise(n, 3), noise(n, 4)
	a, b, k := noise(c, 5), noise(c, 6), noise(c, 7)
	acc, bias, codes, other := make([]int32, n), make([]int32, c), noiseCodes(n, 8), noiseCodes(n, 9)
	for i := range acc {
		acc[i] = int32(x[i] * 1e4)
	}
	mask, int8s := noiseCodes((n+7)/8, 10), make([]int8, n)
	table := (*[256]uint8)(noiseCodes(256, 13))
	sum, prod, lo, hi := make([]float64, c), make([]float64, c), noise(c, 11), noise(c, 12)
	lo32, hi32 := make([]int32, c), make([]int32, c)
	q := kernel.Quant{Scale: 1.0 / 127, Zero: 128, Max: 255}
	weights := kernel.Quant{Scale: 1.0 / 127, Min: -127, Max: 127}
	r := &kernel.Requant{M: make([]float32, c), MZ: 0.3, ZZero: 128, Zero: 128, Max: 255, Act: kernel.ReLU}
	r.Floor, r.Ceil = q.Gate(r.Act)
	for i := range r.M {
		r.M[i] = 0.01
	}
	p := &kernel.Pool{N: 1, H: n / c / 16, W: 16, C: c, OH: n / c / 32, OW: 8, KH: 2, KW: 2, StrideH: 2, StrideW: 2}
	index := make([]int32, p.OH*p.OW*c)
	var none kernel.Operand
	values, coded := kernel.Operand{F: z}, kernel.Operand{Q: other, Zero: 128, Scale: 1.0 / 127}
	one, three, six := formula.Const(1), formula.Const(3), formula.Const(6)
	sigmoid := formula.New(func(x *formula.Number) *formula.Number { return one.Div(x.Neg().Exp().Add(one)) })
	hardSwish := formula.New(func(x *formula.Number) *formula.Number {
		return x.Mul(x.Add(three).Max(formula.Const(0)).Min(six)).Div(six)
	})
	room := kernel.Room{F64: sigmoid.Room() + hardSwish.Room()}.Make()
	return []pass{
		{"EncodeWeights", func() { s.EncodeWeights(x, 1, weights, int8s, w, mask) }},
		{"WeightGrad", func() { s.WeightGrad(x, z, mask, 1, 0.5, y) }},
		{"Requantize", func() { s.Requantize(acc, bias, nil, codes, nil, c, r) }},
		{"RequantizeMask", func() { s.Requantize(acc, bias, nil, codes, mask, c, r) }},
		{"RequantizeAdd", func() { s.Requantize(acc, bias, other, codes, nil, c, r) }},
		{"Product", func() { s.Product(other, other, 128, 100, codes, nil, r) }},
		{"ProductMask", func() { s.Product(other, other, 128, 100, codes, mask, r) }},
		{"Dequantize", func() { s.Dequantize(acc, bias, y, c, a) }},
		{"Widen", func() { s.Widen(other, 128, acc) }},
		{"Values", func() { s.Values(other, 128, 0.1, y) }},
		{"Lookup", func() { s.Lookup(other, table, codes) }},
		{"FormulaSigmoid", func() { s.Formula(sigmoid, x, nil, y, room) }},
		{"FormulaSigmoidGrad", func() { s.Formula(sigmoid, x, z, y, room) }},
		{"FormulaHardSwish", func() { s.Formula(hardSwish, x, nil, y, room) }},
		{"Quantize", func() { s.Quantize(x, codes, nil, q, kernel.ReLU) }},
		{"QuantizeMask", func() { s.Quantize(x, codes, mask, q, kernel.ReLU) }},
		{"FakeQuant", func() { s.FakeQuant(x, y, nil, q, kernel.ReLU) }},
		{"FakeQuantMask", func() { s.FakeQuant(x, y, mask, q, kernel.ReLU) }},
		{"MinMax", func() { s.MinMax(x) }},
		{"ChannelStats", func() { s.ChannelStats(x, sum, prod, lo, hi) }},
		{"ChannelRange", func() { s.ChannelRange(acc, lo32, hi32) }},
		{"Affine", func() { s.Affine(x, none, y, nil, a, b, kernel.ReLU) }},
		{"AffineMask", func() { s.Affine(x, none, y, mask, a, b, kernel.ReLU) }},
		{"AffineAdd", func() { s.Affine(x, values, y, mask, a, b, kernel.ReLU) }},
		{"AffineAddCodes", func() { s.Affine(x, coded, y, mask, a, b, kernel.ReLU) }},
		{"AffineQuant", func() { s.AffineQuant(x, none, codes, mask, a, b, kernel.ReLU, q) }},
		{"AffineQuantAddCodes", func() { s.AffineQuant(x, coded, codes, mask, a, b, kernel.ReLU, q) }},
		{"AffineRange", func() { s.AffineRange(x, none, a, b, kernel.ReLU) }},
		{"AffineRangeAddCodes", func() { s.AffineRange(x, coded, a, b, kernel.ReLU) }},
		{"GateSums", func() { s.GateSums(z, mask, x, y, sum, prod) }},
		{"GateSumsNoX", func() { s.GateSums(z, mask, nil, nil, sum, nil) }},
		{"GateAffine", func() { s.GateAffine(z, mask, x, y, a, k, b) }},
		{"GateAffineNoX", func() { s.GateAffine(z, mask, nil, y, a, nil, nil) }},
		{"Gate", func() { s.Gate(z, mask, y, false) }},
		{"GateAdd", func() { s.Gate(z, mask, y, true) }},
		{"AddTo", func() { s.AddTo(x, y) }},
		{"MaxPool", func() { s.MaxPool(p, x, y, index, 0, p.OH) }},
		{"MaxPoolBackward", func() { s.MaxPoolBackward(p, z, index, y, 0, 1) }},
		{"MaxPoolInt8", func() { s.MaxPoolInt8(p, other, codes, nil, 0, p.OH) }},
		{"MaxPoolInt8Index", func() { s.MaxPoolInt8(p, other, codes, index, 0, p.OH) }},
		{"AvgPool", func() { s.AvgPool(p, x, y, 0, p.OH) }},
		{"AvgPoolBackward", func() { s.AvgPoolBackward(p, z, y, 0, 1) }},
		{"SumPoolInt8", func() { s.SumPoolInt8(p, other, 128, acc, 0, p.OH) }},
		{"SGD", func() { s.SGD(y, x, z, 0.001, 0.9, 0.01, false) }},
		{"Finite", func() { s.Finite(x) }},
	}
}

// BenchmarkPasses gives ns an element (of the input) on one core.
func BenchmarkPasses(b *testing.B) {
	const n, c = 1 << 14, 32
	for _, s := range sets.All() {
		for _, p := range passes(s, n, c) {
			b.Run(s.Name+"/"+p.name, func(b *testing.B) {
				for b.Loop() {
					p.run()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/elem")
			})
		}
	}
}

// TestNoAllocation: kernels live on their scratch.
func TestNoAllocation(t *testing.T) {
	for _, s := range sets.All() {
		for _, p := range passes(s, 4096, 8) {
			if n := testing.AllocsPerRun(3, p.run); n != 0 {
				t.Errorf("%s: %s allocates %v times", s.Name, p.name, n)
			}
		}
		for _, p := range []*kernel.Conv{
			{N: 2, H: 6, W: 5, C: 3, OutC: 4, OH: 3, OW: 5, KH: 3, KW: 3, StrideH: 2, StrideW: 1, PadTop: 1, PadLeft: 1, DilationH: 1, DilationW: 1, Groups: 1},
			{N: 2, H: 6, W: 5, C: 32, OutC: 40, OH: 6, OW: 5, KH: 3, KW: 3, StrideH: 1, StrideW: 1, PadTop: 1, PadLeft: 1, DilationH: 1, DilationW: 1, Groups: 1},
			{N: 2, H: 6, W: 5, C: 16, OutC: 33, OH: 6, OW: 5, KH: 1, KW: 1, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1},
			{N: 2, H: 6, W: 5, C: 6, OutC: 4, OH: 6, OW: 5, KH: 3, KW: 3, StrideH: 1, StrideW: 1, PadTop: 1, PadLeft: 1, DilationH: 1, DilationW: 1, Groups: 2},
			{N: 2, H: 6, W: 5, C: 40, OutC: 40, OH: 6, OW: 5, KH: 3, KW: 3, StrideH: 1, StrideW: 1, PadTop: 1, PadLeft: 1, DilationH: 1, DilationW: 1, Groups: 40},
			{N: 2, H: 2, W: 2, C: 4, OutC: 7, OH: 1, OW: 1, KH: 2, KW: 2, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1},
		} {
			for _, k := range convs(s, p) {
				if n := testing.AllocsPerRun(3, k.run); n != 0 {
					t.Errorf("%s: %s allocates %v times for %+v", s.Name, k.name, n, *p)
				}
			}
		}
	}
}
