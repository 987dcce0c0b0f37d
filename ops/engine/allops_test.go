package engine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"qpipe/internal/netdraw"
	"qpipe/ops/kernel"
	"qpipe/ops/kernel/sets"
	"qpipe/ops/nn"
)

// TestGraphsOfAllOps: random networks of all ops, with several inputs, outputs and branches, go from float through calibration and
// training steps to int8, in all modes, with BNs absorbed on the way and with float islands; every integer of every node of the int8 form is that of the
// QAT evaluation, with any kernels and workers (with islands in the same kernels). The steps' gradients do not depend on the workers. Every op of the table is drawn.
func TestGraphsOfAllOps(t *testing.T) {
	graphs := 300
	if testing.Short() {
		graphs = 30
	}
	drawn, integers, nodes, left := map[string]int{}, 0, 0, 0
	for seed := range uint64(graphs) {
		r := rand.New(rand.NewPCG(seed, 17))
		g, err := netdraw.Graph(r)
		must(t, err)
		what := fmt.Sprintf("graph %d", seed)
		g.Init(int64(seed))
		netdraw.Jitter(g, r)
		for _, n := range nodesOf(g) {
			drawn[n.Kind.Name]++
		}
		set := sets.All()[seed%uint64(len(sets.All()))]
		const n = 2
		x, dy := feeds(r, g, n)
		stepOn(t, what, g, set, x, dy, n)
		config, islands := randomConfig(r), seed%3 == 0
		g.SetQConfig(func(m nn.Module) nn.QConfig {
			q := config(m)
			if islands && m.Name != "input" && r.IntN(6) == 0 {
				q.Activation = nn.Quant{}
			}
			return q
		})
		must(t, g.Prepare(nn.Calibration, []nn.Mode{nn.FuseBN, nn.WithBN, nn.ReverseFold}[r.IntN(3)]))
		compile(t, g, n, false).ForwardAll(x, n, Calibrate)
		must(t, g.Prepare(nn.QAT, g.Mode()))
		for range 2 {
			stepOn(t, what, g, set, x, dy, n)
		}
		for _, m := range g.Modules() {
			if m.HasWeight && m.BN != "" && r.IntN(2) == 0 {
				must(t, g.Absorb(m.Name, r.IntN(2) == 0))
			}
		}
		left += len(g.Islands())
		best := kernels(t, "")
		if len(g.Islands()) > 0 { // sums of float32 values are each set's own
			best = set
		}
		i, k := sameIntegers(t, fmt.Sprintf("%s (%s)", what, g.Mode()), g, best, set, x, n)
		integers, nodes = integers+i, nodes+k
	}
	for _, k := range nn.Kinds() {
		if drawn[k.Name] == 0 && !testing.Short() {
			t.Errorf("no graph has the op %s", k.Name)
		}
	}
	t.Logf("%d graphs, %d nodes of %d ops, %d integers; %d nodes are float islands", graphs, nodes, len(drawn), integers, left)
}

// stepOn does a training step with one worker, and on a copy of the graph with three: gradients, statistics and ranges are the same
// bits.
func stepOn(t *testing.T, what string, g *nn.Graph, set *kernel.Set, x, dy [][]float32, n int) {
	t.Helper()
	more := g.Clone()
	step := func(g *nn.Graph, workers int) []nn.Tensor {
		e, err := Compile(g, n, true, set, newPool(t, workers))
		must(t, err)
		e.SetKey(5)
		e.ForwardAll(x, n, Train)
		e.BackwardAll(dy)
		all := g.Tensors()
		for _, p := range g.Params() {
			all = append(all, nn.Tensor{Name: "gradient of " + p.Name, Data: p.Grad})
		}
		return all
	}
	one, three := step(g, 1), step(more, 3)
	for i, ts := range one {
		if v, ok := ts.Data.([]float32); ok && !slices.Equal(v, three[i].Data.([]float32)) {
			t.Fatalf("%s, %s: %s differs between one worker and three", what, g.Form(), ts.Name)
		}
	}
}

// sameIntegers compares the int8 form in one set of kernels with the evaluation in another; it returns how many integers and nodes it
// has seen.
func sameIntegers(t *testing.T, what string, g *nn.Graph, best, set *kernel.Set, x [][]float32, n int) (integers, nodes int) {
	t.Helper()
	c, err := g.Convert()
	must(t, err)
	qat, err := Compile(g, n, false, best, newPool(t, 1))
	must(t, err)
	int8, err := Compile(c, n, false, set, newPool(t, 3))
	must(t, err)
	qat.Keep()
	int8.Keep()
	want := qat.ForwardAll(x, n, Eval)
	for k, got := range int8.ForwardAll(x, n, Eval) {
		if !slices.Equal(got, want[k]) {
			t.Fatalf("%s: output %d differs", what, k)
		}
	}
	for _, m := range g.Modules() {
		p, okP := qat.Codes(m.Name)
		q, okQ := int8.Codes(m.Name)
		if okP != okQ || !slices.Equal(p, q) {
			t.Fatalf("%s: the integers of %s (%s) differ (quantized: %t, %t)", what, m.Name, m.Op, okP, okQ)
		}
		integers, nodes = integers+len(p), nodes+1
	}
	return integers, nodes
}
