package pass_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"qpipe/ops/kernel"
	"qpipe/ops/kernel/ref"
	"qpipe/ops/kernel/sets"
)

// TestQuotients holds what every set makes of the values around x = (code + 1/2)·Scale, of 6 and of 0, where
// a quotient that is one bit off would show, against the reference, for scales of which every other one
// is near those that need true divisions.
func TestQuotients(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 11))
	for i := range 600 {
		q := kernel.Quant{Scale: scale(r, i), Zero: int32(r.IntN(256)), Max: 255}
		if i%5 == 0 {
			q.Min, q.Max = -2000, 2000 // FakeQuant takes more bits
		}
		x := boundaries(&q)
		act := kernel.Act(r.IntN(3))
		for _, s := range sets.All() {
			compareQuotients(t, s, x, q, act)
		}
	}
}

// scale is a random float, with few bits below the leading ones of its significand where i is even.
func scale(r *rand.Rand, i int) float32 {
	m := r.Uint32N(1 << 23)
	if i%2 == 0 {
		m = m&^0xffff | uint32(r.IntN(40)-20)&0xffff
	}
	return math.Float32frombits(m | uint32(107+r.IntN(30))<<23)
}

func boundaries(q *kernel.Quant) []float32 {
	x := around(nil, 6)
	for k := q.Min - q.Zero - 2; k <= q.Max-q.Zero+2; k++ {
		x = around(x, float32((float64(k)+0.5)*float64(q.Scale)))
	}
	for k := range 40 {
		x = append(x, float32(k-20)*math.SmallestNonzeroFloat32)
	}
	return append(x, float32(math.Inf(1)), float32(math.Inf(-1)), math.MaxFloat32, -math.MaxFloat32)
}

// around appends v and the four floats on either side of it.
func around(x []float32, v float32) []float32 {
	inf := float32(math.Inf(1))
	for range 4 {
		v = math.Nextafter32(v, -inf)
	}
	for range 9 {
		x = append(x, v)
		v = math.Nextafter32(v, inf)
	}
	return x
}

func compareQuotients(t *testing.T, s *kernel.Set, x []float32, q kernel.Quant, act kernel.Act) {
	t.Helper()
	n := len(x)
	y, want := make([]float32, n), make([]float32, n)
	mask, wantMask := make([]uint8, (n+7)/8), make([]uint8, (n+7)/8)
	s.FakeQuant(x, y, mask, q, act)
	ref.FakeQuant(x, want, wantMask, q, act)
	for i := range want {
		if y[i] != want[i] {
			t.Fatalf("%s: %+v makes %v of %v, want %v", s.Name, q, y[i], x[i], want[i])
		}
	}
	if !slices.Equal(mask, wantMask) {
		t.Fatalf("%s: %+v with %v: the masks differ", s.Name, q, act)
	}
	if q.Min < 0 {
		return
	}
	codes, wantCodes := make([]uint8, n), make([]uint8, n)
	one, zero := []float32{1}, []float32{0}
	s.AffineQuant(x, kernel.Operand{}, codes, mask, one, zero, act, q)
	ref.AffineQuant(x, kernel.Operand{}, wantCodes, wantMask, one, zero, act, q)
	if !slices.Equal(codes, wantCodes) || !slices.Equal(mask, wantMask) {
		t.Fatalf("%s: %+v with %v: AffineQuant differs", s.Name, q, act)
	}
}
