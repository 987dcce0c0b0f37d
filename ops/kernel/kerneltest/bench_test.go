package kerneltest_test

import (
	"fmt"
	"strings"
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
		{"resnet18 stem 224x224x3-64/2", 1, 224, 3, 64, 7, 2, 3, 1, 1},
		{"pointwise 28x28x64-128", 1, 28, 64, 128, 1, 1, 0, 1, 1},
		{"pointwise 14x14x96-576", 1, 14, 96, 576, 1, 1, 0, 1, 1},
		{"depthwise 56x56x64", 1, 56, 64, 64, 3, 1, 1, 1, 64},
		{"depthwise 28x28x16/2", 8, 28, 16, 16, 3, 2, 1, 1, 16},
		{"depthwise 5x5 14x14x240", 1, 14, 240, 240, 5, 1, 2, 1, 240},
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

// convs are the kernels of a convolution, and those of packing, ready to run.
func convs(s *kernel.Set, p *kernel.Conv) []pass {
	x, w, y := noise(p.N*p.H*p.W*p.C, 1), noise(p.WeightLen(), 2), noise(p.Rows()*p.OW*p.OutC, 3)
	codes, weights, out := noiseCodes(len(x), 4), make([]int8, len(w)), make([]uint8, len(y))
	for i, v := range w {
		weights[i] = int8(127 * v)
	}
	packed, turned, packed8 := make([]float32, s.Conv(p).PackSize(p)), make([]float32, s.Conv(p).DataPackSize(p)), make([]int8, s.Conv(p).Int8PackSize(p))
	sums, bias := make([]int32, p.OutC), make([]int32, p.OutC)
	s.Conv(p).Pack(p, w, packed, 0, p.OutC)
	s.Conv(p).DataPack(p, w, turned, 0, p.C)
	s.Conv(p).Int8Pack(p, weights, packed8, sums, 0, p.OutC)
	q := &kernel.Requant{M: make([]float32, p.OutC), Zero: 128, Max: 255, MZ: 0.5, ZZero: 128, Act: kernel.ReLU}
	for i := range q.M {
		q.M[i] = 1e-3
	}
	requantized, added := &kernel.Int8Out{Y: out, Q: q}, &kernel.Int8Out{Y: out, Q: q, Z: noiseCodes(len(out), 5)}
	sc := s.Conv(p).ForwardRoom(p).Max(s.Conv(p).BackwardDataRoom(p)).Max(s.Conv(p).BackwardWeightsRoom(p)).Max(s.Conv(p).Int8Room(p)).Make()
	f, coded := kernel.Operand{F: x}, kernel.Operand{Q: codes, Zero: 128}
	return []pass{
		{"forward", func() { s.Conv(p).Forward(p, x, packed, y, sc, 0, p.Rows(), 0, p.OutC) }},
		{"data", func() { s.Conv(p).BackwardData(p, y, turned, x, false, sc, 0, p.InRows()) }},
		{"weights", func() { s.Conv(p).BackwardWeights(p, f, y, w, sc, 0, p.N, 0, p.OutC) }},
		{"weightsOfCodes", func() { s.Conv(p).BackwardWeights(p, coded, y, w, sc, 0, p.N, 0, p.OutC) }},
		{"int8", func() { s.Conv(p).Int8(p, codes, 128, packed8, bias, requantized, sc, 0, p.Rows(), 0, p.OutC) }},
		{"int8Add", func() { s.Conv(p).Int8(p, codes, 128, packed8, bias, added, sc, 0, p.Rows(), 0, p.OutC) }},
		{"pack", func() { s.Conv(p).Pack(p, w, packed, 0, p.OutC) }},
		{"packData", func() { s.Conv(p).DataPack(p, w, turned, 0, p.C) }},
		{"packInt8", func() { s.Conv(p).Int8Pack(p, weights, packed8, sums, 0, p.OutC) }},
	}
}

// BenchmarkConv gives GFLOP/s on one core (two operations a product) for each
// set, layer and direction, int8 with the requantization; of packing, ns a weight.
func BenchmarkConv(b *testing.B) {
	for _, s := range sets.All() {
		for _, l := range layers() {
			p := l.conv()
			for _, k := range convs(s, p) {
				b.Run(fmt.Sprintf("%s/%s/%s", s.Name, l.name, k.name), func(b *testing.B) {
					for b.Loop() {
						k.run()
					}
					ns := float64(b.Elapsed().Nanoseconds()) / float64(b.N)
					if strings.HasPrefix(k.name, "pack") {
						b.ReportMetric(ns/float64(p.WeightLen()), "ns/weight")
					} else {
						b.ReportMetric(2*float64(p.Rows()*p.OW*p.OutC)*float64(p.K())/ns, "GFLOP/s")
					}
				})
			}
		}
	}
}
