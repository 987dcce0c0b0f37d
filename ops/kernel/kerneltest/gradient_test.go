package kerneltest_test

import (
	"math"
	"testing"

	"qpipe/ops/kernel"
	"qpipe/ops/kernel/sets"
)

// noise is a fixed sequence of values in [-1, 1).
func noise(n, seed int) []float32 {
	x := make([]float32, n)
	for i := range x {
		_, f := math.Modf(math.Abs(math.Sin(float64(i*7919+seed*104729+1)) * 43758.5453))
		x[i] = float32(2*f - 1)
	}
	return x
}

// checkGradient compares dx with the central differences of x → Σ y·dy.
func checkGradient(t *testing.T, what string, x, dx, dy []float32, h float64, forward func(x []float32) []float32) {
	t.Helper()
	loss := func() (sum float64) {
		for i, v := range forward(x) {
			sum += float64(v) * float64(dy[i])
		}
		return sum
	}
	for i := 0; i < len(x); i += 1 + len(x)/40 {
		v := x[i]
		x[i] = v + float32(h)
		up, above := loss(), float64(x[i])
		x[i] = v - float32(h)
		down, below := loss(), float64(x[i])
		x[i] = v
		want := (up - down) / (above - below)
		if d := math.Abs(float64(dx[i]) - want); d > 1e-4*(1+math.Abs(want)) {
			t.Errorf("%s: gradient %d is %g, the central difference %g", what, i, dx[i], want)
		}
	}
}

// TestGradients checks every backward kernel of every set against its forward.
func TestGradients(t *testing.T) {
	for _, s := range sets.All() {
		t.Run(s.Name, func(t *testing.T) {
			convGradients(t, s)
			poolGradients(t, s)
			actGradients(t, s)
			fakeQuantGradients(t, s)
		})
	}
}

func convGradients(t *testing.T, s *kernel.Set) {
	for _, p := range []*kernel.Conv{
		{N: 2, H: 6, W: 5, C: 3, OutC: 4, OH: 6, OW: 5, KH: 3, KW: 3, StrideH: 1, StrideW: 1, PadTop: 1, PadLeft: 1, DilationH: 1, DilationW: 1, Groups: 1},
		{N: 2, H: 7, W: 6, C: 4, OutC: 6, OH: 3, OW: 5, KH: 3, KW: 2, StrideH: 2, StrideW: 1, PadTop: 0, PadLeft: 1, DilationH: 1, DilationW: 2, Groups: 2},
		{N: 1, H: 5, W: 5, C: 5, OutC: 5, OH: 3, OW: 3, KH: 3, KW: 3, StrideH: 2, StrideW: 2, PadTop: 1, PadLeft: 1, DilationH: 1, DilationW: 1, Groups: 5},
		{N: 3, H: 2, W: 3, C: 4, OutC: 5, OH: 1, OW: 1, KH: 2, KW: 3, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1},
	} {
		x, w := noise(p.N*p.H*p.W*p.C, 1), noise(p.WeightLen(), 2)
		dy := noise(p.Rows()*p.OW*p.OutC, 3)
		forward := func() []float32 {
			y := make([]float32, len(dy))
			s.ConvForward(p, x, w, y, make([]float32, s.ConvForwardSize(p)), 0, p.Rows())
			return y
		}
		dx, dw := make([]float32, len(x)), make([]float32, len(w))
		s.ConvBackwardData(p, dy, w, dx, make([]float32, s.ConvBackwardDataSize(p)), 0, p.InRows())
		s.ConvBackwardWeights(p, x, dy, dw, make([]float32, s.ConvBackwardWeightsSize(p)), 0, p.N, 0, p.OutC)
		checkGradient(t, "ConvBackwardData", x, dx, dy, 0.5, func([]float32) []float32 { return forward() })
		checkGradient(t, "ConvBackwardWeights", w, dw, dy, 0.5, func([]float32) []float32 { return forward() })
	}
}

func poolGradients(t *testing.T, s *kernel.Set) {
	for _, p := range []*kernel.Pool{
		{N: 2, H: 7, W: 6, C: 3, OH: 4, OW: 3, KH: 3, KW: 3, StrideH: 2, StrideW: 2, PadTop: 1, PadLeft: 1},
		{N: 2, H: 7, W: 6, C: 3, OH: 4, OW: 3, KH: 3, KW: 3, StrideH: 2, StrideW: 2, PadTop: 1, PadLeft: 1, CountPad: true},
		{N: 1, H: 4, W: 4, C: 5, OH: 1, OW: 1, KH: 4, KW: 4, StrideH: 1, StrideW: 1},
	} {
		x, dy := noise(p.N*p.H*p.W*p.C, 4), noise(p.N*p.OH*p.OW*p.C, 5)
		index := make([]int32, len(dy))
		dx := make([]float32, len(x))
		maxPool := func(x []float32) []float32 {
			y := make([]float32, len(dy))
			s.MaxPool(p, x, y, index, 0, p.N*p.OH)
			return y
		}
		maxPool(x)
		s.MaxPoolBackward(p, dy, index, dx, 0, p.N)
		checkGradient(t, "MaxPoolBackward", x, dx, dy, 1e-4, maxPool)
		s.AvgPoolBackward(p, dy, dx, 0, p.N)
		checkGradient(t, "AvgPoolBackward", x, dx, dy, 0.5, func(x []float32) []float32 {
			y := make([]float32, len(dy))
			s.AvgPool(p, x, y, 0, p.N*p.OH)
			return y
		})
	}
}

func actGradients(t *testing.T, s *kernel.Set) {
	for _, act := range []kernel.Act{kernel.None, kernel.ReLU, kernel.ReLU6} {
		x, dy := noise(60, 6), noise(60, 7)
		for i := range x {
			x[i] *= 9
		}
		forward := func(x []float32) []float32 {
			y := make([]float32, len(x))
			s.Add(x, make([]float32, len(x)), y, act)
			return y
		}
		dx := make([]float32, len(x))
		s.ActBackward(forward(x), dy, dx, act)
		checkGradient(t, "ActBackward "+act.String(), x, dx, dy, 1.0/1024, forward)
	}
}

// fakeQuantGradients takes differences over a whole number of steps, where the
// staircase has the slope of the straight line; values whose difference would
// reach over a corner are left out.
func fakeQuantGradients(t *testing.T, s *kernel.Set) {
	for _, q := range []kernel.Quant{{Scale: 0.25, Min: -8, Max: 7}, {Scale: 0.25, Zero: 3, Min: -8, Max: 7, HalfUp: true}} {
		x := noise(200, 8)
		var inside []float32
		for _, v := range x {
			v *= 4
			steps := v/q.Scale + float32(q.Zero)
			if d := math.Min(math.Abs(float64(steps)+8.5), math.Abs(float64(steps)-7.5)); d > 2.1 {
				inside = append(inside, v)
			}
		}
		dy, dx := noise(len(inside), 9), make([]float32, len(inside))
		s.FakeQuantBackward(inside, dy, dx, q)
		checkGradient(t, "FakeQuantBackward", inside, dx, dy, 2*float64(q.Scale), func(x []float32) []float32 {
			y := make([]float32, len(x))
			s.FakeQuant(x, y, q)
			return y
		})
	}
}

// TestInt8Extremes: the largest sums that the design allows are exact.
func TestInt8Extremes(t *testing.T) {
	const c = 7300 // 9·7300 products of 255·128 just fit int32
	p := &kernel.Conv{N: 1, H: 3, W: 3, C: c, OutC: 3, OH: 1, OW: 1, KH: 3, KW: 3, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1}
	x, w := make([]int8, 9*c), make([]int8, p.WeightLen())
	for i := range x {
		x[i] = 127
	}
	for i := range w {
		w[i] = -128
		if i >= 2*len(x) {
			w[i] = 127
		}
	}
	for _, s := range sets.All() {
		acc := make([]int32, 3)
		s.ConvInt8(p, x, -128, w, acc, make([]byte, s.ConvInt8Size(p)), 0, 1)
		if acc[0] != -255*128*9*c || acc[1] != acc[0] || acc[2] != 255*127*9*c {
			t.Errorf("%s: %v", s.Name, acc)
		}
	}
}
