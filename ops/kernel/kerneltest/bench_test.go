package kerneltest_test

import (
	"fmt"
	"testing"

	"qpipe/ops/kernel"
	"qpipe/ops/kernel/sets"
)

// layer is a convolution as networks have them; what matters is its shape.
type layer struct {
	name                                       string
	n, size, c, outC, k, stride, pad, dilation int
	groups                                     int
}

func layers() []layer {
	return []layer{
		{"mnist stem 28x28x1-8", 8, 28, 1, 8, 3, 1, 1, 1, 1},
		{"stem 32x32x3-16", 8, 32, 3, 16, 3, 1, 1, 1, 1},
		{"resnet8w8 28x28x8", 8, 28, 8, 8, 3, 1, 1, 1, 1},
		{"resnet8w8 28x28x8-16/2", 8, 28, 8, 16, 3, 2, 1, 1, 1},
		{"resnet8w8 14x14x16", 8, 14, 16, 16, 3, 1, 1, 1, 1},
		{"resnet8w8 7x7x32", 8, 7, 32, 32, 3, 1, 1, 1, 1},
		{"resnet20 32x32x16", 8, 32, 16, 16, 3, 1, 1, 1, 1},
		{"resnet20 8x8x64", 8, 8, 64, 64, 3, 1, 1, 1, 1},
		{"downsample 28x28x8-16/2", 8, 28, 8, 16, 1, 2, 0, 1, 1},
		{"resnet18 56x56x64", 1, 56, 64, 64, 3, 1, 1, 1, 1},
		{"resnet18 28x28x128", 1, 28, 128, 128, 3, 1, 1, 1, 1},
		{"resnet18 7x7x512", 1, 7, 512, 512, 3, 1, 1, 1, 1},
		{"pointwise 28x28x64-128", 1, 28, 64, 128, 1, 1, 0, 1, 1},
		{"depthwise 56x56x64", 1, 56, 64, 64, 3, 1, 1, 1, 64},
		{"depthwise 28x28x16/2", 8, 28, 16, 16, 3, 2, 1, 1, 16},
		{"linear 7x7x16-120", 32, 7, 16, 120, 7, 1, 0, 1, 1},
	}
}

func (l layer) conv() *kernel.Conv {
	out := (l.size+2*l.pad-l.k)/l.stride + 1
	return &kernel.Conv{
		N: l.n, H: l.size, W: l.size, C: l.c, OutC: l.outC, OH: out, OW: out, KH: l.k, KW: l.k,
		StrideH: l.stride, StrideW: l.stride, PadTop: l.pad, PadLeft: l.pad, DilationH: 1, DilationW: 1, Groups: l.groups,
	}
}

// BenchmarkConv gives GFLOP/s on one core (two operations a product) for each
// set, layer and direction.
func BenchmarkConv(b *testing.B) {
	for _, s := range sets.All() {
		for _, l := range layers() {
			p := l.conv()
			x, w, y := make([]float32, p.N*p.H*p.W*p.C), make([]float32, p.WeightLen()), make([]float32, p.Rows()*p.OW*p.OutC)
			for i := range x {
				x[i] = float32(i%17) - 8
			}
			for i := range w {
				w[i] = float32(i%13) - 6
			}
			codes, weights := make([]int8, len(x)), make([]int8, len(w))
			acc, bytes := make([]int32, len(y)), make([]byte, s.ConvInt8Size(p))
			fwd, data, back := make([]float32, s.ConvForwardSize(p)), make([]float32, s.ConvBackwardDataSize(p)), make([]float32, s.ConvBackwardWeightsSize(p))
			for _, k := range []struct {
				name string
				run  func()
			}{
				{"forward", func() { s.ConvForward(p, x, w, y, fwd, 0, p.Rows()) }},
				{"data", func() { s.ConvBackwardData(p, y, w, x, data, 0, p.InRows()) }},
				{"weights", func() { s.ConvBackwardWeights(p, x, y, w, back, 0, p.N, 0, p.OutC) }},
				{"int8", func() { s.ConvInt8(p, codes, 0, weights, acc, bytes, 0, p.Rows()) }},
			} {
				b.Run(fmt.Sprintf("%s/%s/%s", s.Name, l.name, k.name), func(b *testing.B) {
					for b.Loop() {
						k.run()
					}
					flops := 2 * float64(len(y)) * float64(p.K())
					b.ReportMetric(flops*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
				})
			}
		}
	}
}
