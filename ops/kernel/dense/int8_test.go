package dense_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"qpipe/ops/kernel"
	"qpipe/ops/kernel/ref"
	"qpipe/ops/kernel/sets"
)

// TestInt8Skips compares with ref where maps are so small, or windows so deep, that
// it pays to leave out the taps beyond the edges: there the padding's part comes by the bias.
func TestInt8Skips(t *testing.T) {
	for _, p := range []kernel.Conv{
		{N: 1, H: 4, W: 4, C: 256, OutC: 40, OH: 4, OW: 4, KH: 3, KW: 3, StrideH: 1, StrideW: 1, PadTop: 1, PadLeft: 1},
		{N: 19, H: 4, W: 4, C: 64, OutC: 33, OH: 4, OW: 4, KH: 3, KW: 3, StrideH: 1, StrideW: 1, PadTop: 1, PadLeft: 1},
		{N: 2, H: 9, W: 7, C: 128, OutC: 32, OH: 5, OW: 4, KH: 3, KW: 3, StrideH: 2, StrideW: 2, PadTop: 1, PadLeft: 1},
		{N: 1, H: 40, W: 40, C: 64, OutC: 16, OH: 40, OW: 40, KH: 3, KW: 3, StrideH: 1, StrideW: 1, PadTop: 1, PadLeft: 1},
		{N: 9, H: 3, W: 2, C: 32, OutC: 24, OH: 6, OW: 5, KH: 3, KW: 3, StrideH: 2, StrideW: 2, PadTop: 3, PadLeft: 2}, // windows wholly outside
		{N: 3, H: 8, W: 8, C: 32, OutC: 64, OH: 8, OW: 8, KH: 3, KW: 1, StrideH: 1, StrideW: 1, PadTop: 2, DilationH: 2},
	} {
		p.DilationH, p.DilationW, p.Groups = max(p.DilationH, 1), 1, 1
		for _, s := range sets.All()[1:] {
			compareInt8(t, s, &p)
		}
	}
}

// compareInt8 runs a set in ranges of rows and channels, packed for another number of images.
func compareInt8(t *testing.T, s *kernel.Set, p *kernel.Conv) {
	r := rand.New(rand.NewPCG(1, uint64(p.N*p.C)))
	x, w, bias := make([]uint8, p.N*p.H*p.W*p.C), make([]int8, p.WeightLen()), make([]int32, p.OutC)
	for i := range x {
		x[i] = uint8(r.Uint32())
	}
	for i := range w {
		w[i] = int8(r.Uint32())
	}
	q := &kernel.Requant{M: make([]float32, p.OutC), Zero: 128, Min: 0, Max: 255, Act: kernel.Act(p.N % 3), Six: 200}
	for i := range bias {
		bias[i], q.M[i] = r.Int32N(1e6)-5e5, r.Float32()/float32(p.K())
	}
	run := func(s *kernel.Set, cuts ...int) (acc []int32, y []uint8) {
		other := *p
		other.N = 7
		packed, sums := make([]int8, s.Conv(&other).Int8PackSize(&other)), make([]int32, p.OutC)
		s.Conv(&other).Int8Pack(&other, w, packed, sums, 0, p.OutC)
		acc, y = make([]int32, p.Rows()*p.OW*p.OutC), make([]uint8, p.Rows()*p.OW*p.OutC)
		scratch, cuts := s.Conv(p).Int8Room(p).Make(), append(cuts, p.Rows())
		for i, r0 := range cuts[:len(cuts)-1] {
			for o := 0; o < p.OutC; o += s.Block {
				end := min(o+s.Block, p.OutC)
				s.Conv(p).Int8(p, x, 77, packed, bias, &kernel.Int8Out{Acc: acc}, scratch, r0, cuts[i+1], o, end)
				s.Conv(p).Int8(p, x, 77, packed, bias, &kernel.Int8Out{Y: y, Q: q}, scratch, r0, cuts[i+1], o, end)
			}
		}
		return acc, y
	}
	wantAcc, wantY := run(ref.Set(), 0)
	for _, cuts := range [][]int{{0}, {0, 1}, {0, p.Rows() / 3, p.Rows() / 2}} {
		acc, y := run(s, cuts...)
		if !slices.Equal(acc, wantAcc) || !slices.Equal(y, wantY) {
			t.Errorf("%s differs from ref, cut at %v: %+v", s.Name, cuts, *p)
		}
	}
}
