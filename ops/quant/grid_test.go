package quant

import (
	"math"
	"testing"
)

// TestRangeOf: the range of a grid has its zero point, and its scale, to one float32 where no range has that one.
func TestRangeOf(t *testing.T) {
	state, inexact, tried := uint64(1), 0, 0
	next := func() uint64 {
		state = state*6364136223846793005 + 1442695040888963407
		return state >> 33
	}
	for _, s := range []Spec{
		{DType: Int8, Scheme: Affine},
		{DType: UInt8, Scheme: Affine},
		{DType: Int8},
		{DType: Int8, Rule: HalfRange},
		{DType: Int16},
		{DType: Int4},
		{DType: Int4, Scheme: Affine},
	} {
		qmin, qmax := s.Limits()
		for range 5000 {
			_, zero := s.Scale(0, 0)
			if s.Scheme == Affine {
				zero = qmin + int32(next()%uint64(qmax-qmin+1))
			}
			g := Grid{float32(math.Ldexp(1+float64(next()%(1<<23))/(1<<23), int(next()%16)-12)), qmin - zero, qmax - zero}
			if !s.Has(g) {
				t.Fatalf("%+v has no grid %+v", s, g)
			}
			scale, z := s.Scale(s.RangeOf(g))
			if s.DType.Bits() == 8 {
				if tried++; scale != g.Step {
					inexact++
				}
			}
			if off := math.Abs(float64(scale/g.Step) - 1); z != zero || off > 0x1p-22 {
				t.Fatalf("%+v: %+v becomes the scale %v and the zero point %d, want %d", s, g, scale, z, zero)
			}
		}
	}
	if inexact*100 > tried {
		t.Errorf("%d of %d scales are a neighbour", inexact, tried)
	}
	for _, g := range []Grid{{0.5, -128, 127}, {0.5, 0, 255}} {
		symmetric := Spec{DType: Int8}
		if want := g.Lowest == -128; symmetric.Has(g) != want {
			t.Errorf("symmetric int8 has %+v: %v", g, !want)
		}
	}
	if lo, hi := (Spec{DType: Int8}).RangeOf(Grid{0.5, 0, 255}); lo != 0 || hi != 127.5 {
		t.Errorf("the extremes of another grid are %v and %v", lo, hi)
	}
}
