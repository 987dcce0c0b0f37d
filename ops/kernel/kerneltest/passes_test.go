package kerneltest_test

import (
	"testing"

	"qpipe/ops/kernel"
	"qpipe/ops/kernel/sets"
)

// pass is an elementwise kernel ready to run over n elements of c channels.
type pass struct {
	name string
	run  func()
}

func passes(s *kernel.Set, n, c int) []pass {
	x, y, z, a, b := noise(n, 1), noise(n, 2), noise(n, 3), noise(c, 4), noise(c, 5)
	acc, bias, codes, other := make([]int32, n), make([]int32, c), make([]int8, n), make([]int8, n)
	for i := range acc {
		acc[i] = int32(x[i] * 1e4)
	}
	sum, prod := make([]float64, c), make([]float64, c)
	q := kernel.Quant{Scale: 1.0 / 127, Min: -128, Max: 127}
	r := &kernel.Requant{M: make([]float32, c), MZ: 0.3, Min: -128, Max: 127, Act: kernel.ReLU}
	for i := range r.M {
		r.M[i] = 0.01
	}
	p := &kernel.Pool{N: 1, H: n / c / 16, W: 16, C: c, OH: n / c / 32, OW: 8, KH: 2, KW: 2, StrideH: 2, StrideW: 2}
	index := make([]int32, p.OH*p.OW*c)
	return []pass{
		{"Requantize", func() { s.Requantize(acc, bias, nil, codes, c, r) }},
		{"RequantizeAdd", func() { s.Requantize(acc, bias, other, codes, c, r) }},
		{"Dequantize", func() { s.Dequantize(acc, bias, y, c, a) }},
		{"Quantize", func() { s.Quantize(x, codes, q) }},
		{"FakeQuant", func() { s.FakeQuant(x, y, q) }},
		{"FakeQuantBackward", func() { s.FakeQuantBackward(x, z, y, q) }},
		{"MinMax", func() { s.MinMax(x) }},
		{"ChannelSums", func() { s.ChannelSums(x, z, sum, prod) }},
		{"ScaleShift", func() { s.ScaleShift(x, nil, y, a, b, kernel.ReLU) }},
		{"ScaleShiftAdd", func() { s.ScaleShift(x, z, y, a, b, kernel.ReLU) }},
		{"ActBackward", func() { s.ActBackward(x, z, y, kernel.ReLU) }},
		{"Add", func() { s.Add(x, z, y, kernel.ReLU) }},
		{"AddTo", func() { s.AddTo(x, y) }},
		{"MaxPool", func() { s.MaxPool(p, x, y, index, 0, p.OH) }},
		{"MaxPoolBackward", func() { s.MaxPoolBackward(p, z, index, y, 0, 1) }},
		{"MaxPoolInt8", func() { s.MaxPoolInt8(p, other, codes, 0, p.OH) }},
		{"AvgPool", func() { s.AvgPool(p, x, y, 0, p.OH) }},
		{"AvgPoolBackward", func() { s.AvgPoolBackward(p, z, y, 0, 1) }},
		{"SumPoolInt8", func() { s.SumPoolInt8(p, other, 0, acc, 0, p.OH) }},
		{"SGD", func() { s.SGD(y, x, z, 0.001, 0.9, 0.01, false) }},
	}
}

// BenchmarkPass gives ns an element (of the input) on one core.
func BenchmarkPass(b *testing.B) {
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
			{N: 2, H: 6, W: 5, C: 6, OutC: 4, OH: 6, OW: 5, KH: 3, KW: 3, StrideH: 1, StrideW: 1, PadTop: 1, PadLeft: 1, DilationH: 1, DilationW: 1, Groups: 2},
			{N: 2, H: 6, W: 5, C: 4, OutC: 4, OH: 6, OW: 5, KH: 3, KW: 3, StrideH: 1, StrideW: 1, PadTop: 1, PadLeft: 1, DilationH: 1, DilationW: 1, Groups: 4},
			{N: 2, H: 2, W: 2, C: 4, OutC: 7, OH: 1, OW: 1, KH: 2, KW: 2, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1},
		} {
			x, w, y := noise(p.N*p.H*p.W*p.C, 1), noise(p.WeightLen(), 2), noise(p.Rows()*p.OW*p.OutC, 3)
			codes, weights, acc, bytes := make([]int8, len(x)), make([]int8, len(w)), make([]int32, len(y)), make([]byte, s.ConvInt8Size(p))
			scratch := make([]float32, max(s.ConvForwardSize(p), s.ConvBackwardDataSize(p), s.ConvBackwardWeightsSize(p)))
			if n := testing.AllocsPerRun(3, func() {
				s.ConvForward(p, x, w, y, scratch, 0, p.Rows())
				s.ConvBackwardData(p, y, w, x, scratch, 0, p.InRows())
				s.ConvBackwardWeights(p, x, y, w, scratch, 0, p.N, 0, p.OutC)
				s.ConvInt8(p, codes, 0, weights, acc, bytes, 0, p.Rows())
			}); n != 0 {
				t.Errorf("%s: a convolution with %d groups allocates %v times", s.Name, p.Groups, n)
			}
		}
	}
}
