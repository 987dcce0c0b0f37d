package kerneltest_test

import (
	"math"
	"testing"

	"qpipe/ops/kernel"
	"qpipe/ops/kernel/kerneltest"
	"qpipe/ops/kernel/sets"
)

// FuzzQuantize: whatever the bits of a value and a scale, no set panics or wraps:
// codes stay in their limits, FakeQuant gives the code's value or NaN, and every
// set agrees with ref.
func FuzzQuantize(f *testing.F) {
	for _, x := range []uint32{0, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc00000, 0x4f000000, 0x3f000000, 1, 0x80000001} {
		f.Add(x, uint32(0x3f000000), int8(3), true)
		f.Add(x, uint32(0), int8(-128), false)
	}
	f.Fuzz(func(t *testing.T, xBits, scaleBits uint32, zero int8, halfUp bool) {
		x := []float32{math.Float32frombits(xBits)}
		q := kernel.Quant{Scale: math.Float32frombits(scaleBits), Zero: int32(zero), Min: -127, Max: 126, HalfUp: halfUp}
		var first [2]float32
		for i, s := range sets.All() {
			code, value, dx := make([]int8, 1), make([]float32, 1), make([]float32, 1)
			s.Quantize(x, code, q)
			s.FakeQuant(x, value, q)
			s.FakeQuantBackward(x, []float32{1}, dx, q)
			if code[0] < -127 || code[0] > 126 {
				t.Fatalf("%s: code %d", s.Name, code[0])
			}
			if v := float32(int32(code[0])-q.Zero) * q.Scale; value[0] != v && value[0] == value[0] {
				t.Fatalf("%s: value %g of the code %d, want %g", s.Name, value[0], code[0], v)
			}
			if i == 0 {
				first = [2]float32{float32(code[0]), dx[0]}
			} else if got := [2]float32{float32(code[0]), dx[0]}; got != first {
				t.Fatalf("%s: code and gradient %v, want %v", s.Name, got, first)
			}
			if lo, hi := s.MinMax(x); lo != hi && (lo == lo || hi == hi) {
				t.Fatalf("%s: extremes of one value are %g and %g", s.Name, lo, hi)
			}
		}
	})
}

// TestBrokenSets: the checks find what they look for.
func TestBrokenSets(t *testing.T) {
	for name, breakIt := range map[string]func(s *kernel.Set){
		"writes past the end": func(s *kernel.Set) {
			f := s.AddTo
			s.AddTo = func(x, y []float32) { f(x, y); y[:len(y)+1][len(y)] = 1 }
		},
		"writes its input": func(s *kernel.Set) { f := s.AddTo; s.AddTo = func(x, y []float32) { f(x, y); clear(x) } },
		"wrong by one": func(s *kernel.Set) {
			f := s.Quantize
			s.Quantize = func(x []float32, y []int8, q kernel.Quant) { f(x, y, q); addOne(y) }
		},
		"ignores the range": func(s *kernel.Set) {
			f := s.ConvForward
			s.ConvForward = func(p *kernel.Conv, x, w, y, sc []float32, r0, _ int) { f(p, x, w, y, sc, r0, r0) }
		},
		"depends on the range": func(s *kernel.Set) {
			f := s.ConvForward
			s.ConvForward = func(p *kernel.Conv, x, w, y, sc []float32, r0, r1 int) { f(p, x, w, y, sc, r0, r1); bend(p, y, r0, r1) }
		},
		"imprecise": func(s *kernel.Set) {
			f := s.ConvForward
			s.ConvForward = func(p *kernel.Conv, x, w, y, sc []float32, r0, r1 int) { f(p, x, w, y, sc, r0, r1); scale(y, 1.0001) }
		},
		"a missing kernel": func(s *kernel.Set) { s.SGD = nil },
		"forgets the last image": func(s *kernel.Set) {
			f := s.ConvBackwardWeights
			s.ConvBackwardWeights = func(p *kernel.Conv, x, dy, dw, sc []float32, n0, n1, o0, o1 int) {
				f(p, x, dy, dw, sc, n0, max(n0, n1-1), o0, o1)
			}
		},
	} {
		s, err := sets.ByName("ref")
		if err != nil {
			t.Fatal(err)
		}
		breakIt(s)
		if len(kerneltest.Mistakes(s, 40)) == 0 {
			t.Errorf("a set that %s passes", name)
		}
	}
}

func addOne(y []int8) {
	for i := range y {
		y[i]++
	}
}

// bend moves the first result of the range by one bit when the range is not the whole.
func bend(p *kernel.Conv, y []float32, r0, r1 int) {
	if i := r0 * p.OW * p.OutC; r0 < r1 && r1-r0 < p.Rows() {
		y[i] = math.Nextafter32(y[i], 9)
	}
}

func scale(y []float32, by float32) {
	for i := range y {
		y[i] *= by
	}
}
