package depthwise_test

import (
	"fmt"
	"math"
	"testing"

	"qpipe/ops/kernel"
	"qpipe/ops/kernel/ref"
	"qpipe/ops/kernel/sets"
)

// TestDepthwiseWeights: the gradient of maps whose rows are summed up in groups is near the reference's; it is the
// same for codes and for what they stand for, and whatever channels are computed together. Nothing is allocated.
func TestDepthwiseWeights(t *testing.T) {
	for _, s := range sets.All() {
		for _, stride := range []int{1, 2} {
			for _, pad := range []int{0, 1, 2} {
				t.Run(fmt.Sprintf("%s/%d/%d", s.Name, stride, pad), func(t *testing.T) { depthwiseWeights(t, s, stride, pad) })
			}
		}
	}
}

func depthwiseWeights(t *testing.T, s *kernel.Set, stride, pad int) {
	p := &kernel.Conv{N: 3, H: 41, W: 38, C: 45, OutC: 45, KH: 3, KW: 3, StrideH: stride, StrideW: stride, PadTop: pad, PadLeft: pad, DilationH: 1, DilationW: 1, Groups: 45}
	p.OH, p.OW = (p.H+2*pad-3)/stride+1, (p.W+2*pad-3)/stride+1
	q, x, dy := make([]uint8, p.N*p.H*p.W*p.C), make([]float32, p.N*p.H*p.W*p.C), make([]float32, p.Rows()*p.OW*p.C)
	for i := range q {
		q[i] = uint8(i * 2654435761 >> 13)
		x[i] = float32(int(q[i]) - 117)
	}
	for i := range dy {
		dy[i] = float32(i*2654435761>>9&1023)/512 - 1
	}
	run := func(set *kernel.Set, x kernel.Operand, step int) []float32 {
		dw := make([]float32, p.WeightLen())
		room := set.Conv(p).BackwardWeightsRoom(p).Make()
		for o := 0; o < p.OutC; o += step {
			for i := range room.F32 {
				room.F32[i] = float32(math.NaN())
			}
			set.Conv(p).BackwardWeights(p, x, dy, dw, room, 0, p.N, o, min(o+step, p.OutC))
		}
		return dw
	}
	f, codes := kernel.Operand{F: x}, kernel.Operand{Q: q, Zero: 117, Scale: 1}
	got, want := run(s, f, p.OutC), run(ref.Set(), f, p.OutC)
	for i, v := range got {
		if d := math.Abs(float64(v - want[i])); !(d < 0.05) { // of sums of some 4000 products up to 138
			t.Fatalf("element %d is %v, want %v", i, v, want[i])
		}
	}
	room, dw := s.Conv(p).BackwardWeightsRoom(p).Make(), make([]float32, p.WeightLen())
	if n := testing.AllocsPerRun(1, func() { s.Conv(p).BackwardWeights(p, codes, dy, dw, room, 0, p.N, 0, p.OutC) }); n != 0 && s.Name != "ref" {
		t.Errorf("%v allocations", n)
	}
	for _, other := range [][]float32{run(s, codes, p.OutC), run(s, f, 7), run(s, codes, 17)} {
		for i, v := range got {
			if v != other[i] {
				t.Fatalf("element %d of codes or of a cut is %v, want %v", i, other[i], v)
			}
		}
	}
}
