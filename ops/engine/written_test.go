package engine

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"qpipe/internal/netdraw"
	"qpipe/ops/nn"
)

// TestWritten: a network before fusion has the tensors of the fused one, and computes what it does, whatever it is made of: branches,
// several inputs and outputs, additions of two convolutions. Every layer is a node of its own, its name a member's; the products are
// as many. It is the same when the graph has been quantized, or has become one for another target.
func TestWritten(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 23))
		g, err := netdraw.Graph(r)
		must(t, err)
		g.Init(int64(seed))
		netdraw.Jitter(g, r)
		w := g.Written()
		must(t, w.SetTensors(g.Tensors()))
		if len(w.Tensors()) != len(g.Tensors()) || w.MACs() != g.MACs() {
			t.Fatalf("graph %d: %d tensors and %d MACs are written, and %d and %d fused", seed, len(w.Tensors()), w.MACs(), len(g.Tensors()), g.MACs())
		}
		x, _ := feeds(r, g, 2)
		want := compile(t, g, 2, false).ForwardAll(x, 2, Eval)
		for k, y := range compile(t, w, 2, false).ForwardAll(x, 2, Eval) {
			if d := apart(y, want[k]); d > 1e-4 {
				t.Errorf("graph %d: output %d of the written network differs by %g", seed, k, d)
			}
		}
		names := namesOf(w)
		var members []string
		for _, m := range g.Modules() {
			members = append(members, m.Members...)
		}
		if sorted := slices.Sorted(slices.Values(members)); !slices.Equal(sorted, slices.Sorted(slices.Values(names))) {
			t.Errorf("graph %d: the layers are %v, and the members %v", seed, names, members)
		}
		if seed%2 == 0 {
			must(t, g.SetTarget(nn.TFLite))
		}
		g.SetQConfig(randomConfig(r))
		must(t, g.Prepare(nn.QAT, nn.FuseBN))
		if !slices.Equal(namesOf(g.Clone().Written()), names) {
			t.Errorf("graph %d: quantized, its layers are %v, not %v", seed, namesOf(g.Written()), names)
		}
	}
}

// apart is the largest difference, relative to the largest value.
func apart(x, y []float32) float64 {
	largest, size := 0.0, 1e-6
	for i := range x {
		largest, size = max(largest, math.Abs(float64(x[i]-y[i]))), max(size, math.Abs(float64(y[i])))
	}
	return largest / size
}

func namesOf(g *nn.Graph) (names []string) {
	for _, m := range g.Modules() {
		names = append(names, m.Name)
	}
	return names
}
