package kerneltest_test

import (
	"math"
	"testing"

	"qpipe/ops/kernel"
	"qpipe/ops/kernel/sets"
)

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
			gateGradients(t, s)
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
		forward := func([]float32) []float32 { return forwardConv(s, p, x, w) }
		dw := make([]float32, len(w))
		s.Conv(p).BackwardWeights(p, kernel.Operand{F: x}, dy, dw, s.Conv(p).BackwardWeightsRoom(p).Make(), 0, p.N, 0, p.OutC)
		checkGradient(t, "ConvBackwardData", x, backwardData(s, p, dy, w), dy, 0.5, forward)
		checkGradient(t, "ConvBackwardWeights", w, dw, dy, 0.5, forward)
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

// gateGradients: y = act(x·a + b + z), the gradients to x and z through its mask.
func gateGradients(t *testing.T, s *kernel.Set) {
	const c = 5
	for _, act := range []kernel.Act{kernel.None, kernel.ReLU, kernel.ReLU6} {
		x, z, dy, a, b := noise(60, 6), noise(60, 7), noise(60, 8), noise(c, 9), noise(c, 10)
		for i := range x {
			x[i], z[i] = 9*x[i], 9*z[i]
			for v := x[i]*a[i%c] + b[i%c]; min(math.Abs(float64(v+z[i])), math.Abs(float64(v+z[i]-6))) < 0.2; {
				z[i] += 0.1 // away from the corners
			}
		}
		mask := make([]uint8, 8)
		forward := func([]float32) []float32 {
			y := make([]float32, len(x))
			s.Affine(x, kernel.Operand{F: z}, y, mask, a, b, act)
			return y
		}
		forward(x)
		dx, dz := make([]float32, len(x)), make([]float32, len(x))
		s.GateAffine(dy, mask, nil, dx, a, nil, nil)
		s.Gate(dy, mask, dz, false)
		checkGradient(t, "Gate "+act.String(), z, dz, dy, 1.0/256, forward)
		forward(x)
		checkGradient(t, "GateAffine "+act.String(), x, dx, dy, 1.0/256, forward)

		sum, prod := make([]float64, c), make([]float64, c)
		forward(x)
		s.GateSums(dy, mask, x, nil, sum, prod)
		da, db := make([]float32, c), make([]float32, c)
		for i := range da {
			da[i], db[i] = float32(prod[i]), float32(sum[i])
		}
		checkGradient(t, "GateSums, b, "+act.String(), b, db, dy, 1.0/256, forward)
		checkGradient(t, "GateSums, a, "+act.String(), a, da, dy, 1.0/256, forward)
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
		dy, dx, mask := noise(len(inside), 9), make([]float32, len(inside)), make([]uint8, (len(inside)+7)/8)
		s.FakeQuant(inside, make([]float32, len(inside)), mask, q, kernel.None)
		s.Gate(dy, mask, dx, false)
		checkGradient(t, "FakeQuant", inside, dx, dy, 2*float64(q.Scale), func(x []float32) []float32 {
			y := make([]float32, len(x))
			s.FakeQuant(x, y, nil, q, kernel.None)
			return y
		})
	}
}

// TestInt8Extremes: the largest sums that the design allows are exact.
func TestInt8Extremes(t *testing.T) {
	const c = 7300 // 9·7300 products of 255·128 just fit int32
	p := &kernel.Conv{N: 1, H: 3, W: 3, C: c, OutC: 3, OH: 1, OW: 1, KH: 3, KW: 3, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1}
	x, w := make([]uint8, 9*c), make([]int8, p.WeightLen())
	for i := range w {
		w[i] = -128
		if i >= 2*len(x) {
			w[i] = 127
		}
	}
	for _, s := range sets.All() {
		for i := range x {
			x[i] = 255
		}
		if acc := int8Conv(s, p, x, 0, w); acc[0] != -255*128*9*c || acc[1] != acc[0] || acc[2] != 255*127*9*c {
			t.Errorf("%s: %v", s.Name, acc)
		}
		clear(x)
		if acc := int8Conv(s, p, x, 255, w); acc[0] != 255*128*9*c || acc[1] != acc[0] || acc[2] != -255*127*9*c {
			t.Errorf("%s: less a zero point %v", s.Name, acc)
		}
	}
}
