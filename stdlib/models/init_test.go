package models

import (
	"math"
	"strings"
	"testing"

	"qpipe/ops/nn"
	"qpipe/ops/tensor"
)

// splitMix is the generator of docs/numerics.md, written from that page.
type splitMix uint64

func (s *splitMix) next() uint64 {
	*s += 0x9e3779b97f4a7c15
	z := uint64(*s)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// initial is the page's formula for the weights of a layer.
func initial(seed int64, name string, n, fanIn int, gain float64) []float32 {
	h := uint64(14695981039346656037)
	for _, b := range []byte(name) {
		h = (h ^ uint64(b)) * 1099511628211
	}
	s := splitMix(seed)
	s = splitMix(s.next() ^ h)
	s.next()
	w := make([]float32, n)
	for i := range w {
		u1 := (float64(s.next()>>11) + 1) / (1 << 53)
		u2 := (float64(s.next()>>11) + 1) / (1 << 53)
		w[i] = float32(math.Sqrt(-2*math.Log(u1)) * math.Cos(2*math.Pi*u2) * math.Sqrt(gain/float64(fanIn)))
	}
	return w
}

// TestInitialWeightsAreAsDocumented: every tensor of a new net is what docs/numerics.md says, to the last bit.
func TestInitialWeightsAreAsDocumented(t *testing.T) {
	lenet, err := NewLeNet(LeNetDefaults())
	a := build(t, lenet, err, tensor.Shape{H: 28, W: 28, C: 1})
	args := MobileNetV2Defaults()
	args.WidthMult = 0.35
	mobile, err := NewMobileNetV2(args)
	b := build(t, mobile, err, tensor.Shape{H: 32, W: 32, C: 3})
	for _, g := range []*nn.Graph{a, b} {
		for _, seed := range []int64{0, 5, -3} {
			g.Init(seed)
			for _, w := range g.Tensors() {
				got, want := w.Data.([]float32), expected(seed, w)
				for i := range got {
					if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
						t.Fatalf("seed %d, %s[%d]: %v, the page says %v", seed, w.Name, i, got[i], want[i])
					}
				}
			}
		}
	}
}

// expected are the first values of a tensor: its shape tells weights from what a BN and a bias have.
func expected(seed int64, w nn.Tensor) []float32 {
	n := 1
	for _, d := range w.Shape {
		n *= d
	}
	layer := strings.TrimSuffix(w.Name, ".weight")
	switch {
	case len(w.Shape) == 4:
		return initial(seed, layer, n, n/w.Shape[0], 2)
	case len(w.Shape) == 2:
		return initial(seed, layer, n, w.Shape[1], 1)
	case strings.HasSuffix(w.Name, ".running_var") || strings.HasSuffix(w.Name, ".weight"):
		ones := make([]float32, n)
		for i := range ones {
			ones[i] = 1
		}
		return ones
	}
	return make([]float32, n)
}
