package kerneltest_test

import (
	"math"
	"testing"

	"qpipe/ops/kernel"
	"qpipe/ops/kernel/formula"
	"qpipe/ops/kernel/ref"
	"qpipe/ops/kernel/sets"
	"qpipe/ops/random"
)

// TestExponentials: every set has the bits of ref for any float32, for many within the range, and where something changes.
func TestExponentials(t *testing.T) {
	seed := random.SplitMix(1)
	var x []float32
	for _, v := range []float64{0, 708, 708.4, 709, 709.8, 745, 746, 87.33655, 88.72284, 103.2789, 103.97208, math.Ln2 / 2, math.Inf(1), math.NaN(), 0x1p-149, 0x1p-126} {
		for _, v := range []float32{float32(v), float32(-v)} {
			bits := math.Float32bits(v)
			x = append(x, v, math.Float32frombits(bits-1), math.Float32frombits(bits+1))
		}
	}
	for len(x) < 1<<19 {
		x = append(x, math.Float32frombits(uint32(seed.Next())))
	}
	for len(x) < 1<<20 {
		x = append(x, float32(seed.Next()>>40)/(1<<23)*110-110)
	}
	tenth := formula.Const(0.1) // 0.1·x is no float32
	for name, f := range map[string]*formula.Formula{
		"exp":   formula.New((*formula.Number).Exp),
		"expm1": formula.New((*formula.Number).Expm1),
		"sigmoid": formula.New(func(x *formula.Number) *formula.Number {
			return formula.Const(1).Div(x.Neg().Exp().Add(formula.Const(1)))
		}),
		"exp(x/10)":  formula.New(func(x *formula.Number) *formula.Number { return x.Mul(tenth).Exp() }),
		"low digits": formula.New(func(x *formula.Number) *formula.Number { return x.Mul(tenth).Exp().Sub(formula.Const(1)).Mul(x) }),
	} {
		room := kernel.Room{F64: f.Room()}.Make()
		want, got := make([]float32, len(x)), make([]float32, len(x))
		ref.Formula(f, x, nil, want, room)
		for _, s := range sets.All()[1:] {
			s.Formula(f, x, nil, got, room)
			for i, v := range want {
				if got[i] != v && (v == v || got[i] == got[i]) {
					t.Fatalf("%s: %s of %g is %g, want %g", s.Name, name, x[i], got[i], v)
				}
			}
		}
	}
}
