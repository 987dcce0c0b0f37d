package engine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"qpipe/internal/optest"
	"qpipe/ops/convbn"
	"qpipe/ops/kernel"
	"qpipe/ops/kernel/sets"
	"qpipe/ops/layer"
	"qpipe/ops/move"
	"qpipe/ops/nn"
	"qpipe/ops/op"
	"qpipe/ops/tensor"
)

// drawing makes a random network out of the cases of all ops: a case reads any values there are, which are given the size that it
// takes by ops that resize, pool and convolve.
type drawing struct {
	b    *nn.Builder
	r    *rand.Rand
	open []nn.Value
	read map[nn.Value]bool
	n    int // names so far
}

func (d *drawing) name(what string) string {
	d.n++
	return fmt.Sprintf("%s%d", what, d.n)
}

// apply adds an op, and reads its operands.
func (d *drawing) apply(o layer.Op, xs ...nn.Value) nn.Value {
	for _, x := range xs {
		d.read[x] = true
	}
	return d.b.Apply(d.name(o.Kind().Name), o, xs...)
}

// pick returns a value, rather one that nothing reads yet.
func (d *drawing) pick() nn.Value {
	v := d.open[d.r.IntN(len(d.open))]
	for range 3 {
		if d.read[v] {
			v = d.open[d.r.IntN(len(d.open))]
		}
	}
	return v
}

// fit gives a value another shape.
func (d *drawing) fit(x nn.Value, s tensor.Shape) nn.Value {
	if size := [2]int{s.H, s.W}; size != [2]int{x.Shape().H, x.Shape().W} {
		x = d.apply([]layer.Op{
			op.AdaptiveAvgPool{Size: size},
			op.AdaptiveMaxPool{Size: size},
			move.ResizeNearest{Sampling: move.Sampling{Size: size}},
			move.ResizeBilinear{Sampling: move.Sampling{Size: size}},
		}[d.r.IntN(4)], x)
	}
	if x.Shape().C != s.C || d.r.IntN(4) == 0 {
		x = d.apply(convbn.Conv{OutC: s.C, Kernel: [2]int{1, 1}, Bias: d.r.IntN(2) == 0}, x)
		if d.r.IntN(2) == 0 {
			x = d.apply(convbn.BatchNorm{}, x)
		}
	}
	return x
}

// chain adds what becomes one node with a convolution in front of it.
func (d *drawing) chain(x nn.Value) nn.Value {
	if d.r.IntN(2) == 0 {
		x = d.apply(convbn.BatchNorm{}, x)
	}
	if z := d.pick(); d.r.IntN(2) == 0 && z.Shape() == x.Shape() {
		x = d.b.Add(d.name("add"), x, z)
		d.read[z] = true
	}
	if act := kernel.Act(d.r.IntN(3)); act != kernel.None {
		x = d.apply(op.Act{Act: act}, x)
	}
	return x
}

// draw adds a case; what it makes can be read by others.
func (d *drawing) draw(c optest.Case) {
	var xs []nn.Value
	for _, s := range c.In {
		xs = append(xs, d.fit(d.pick(), s))
	}
	y := d.apply(c.Op, xs...)
	k := c.Op.Kind()
	switch {
	case k.View: // a flattened map, which few ops read
		y = d.apply(convbn.Linear{Out: 2 + d.r.IntN(4), Bias: true}, y)
	case k.Role == layer.Head:
		y = d.chain(y)
	}
	d.open = append(d.open, y)
}

// ends are the outputs: everything that nothing reads, some of it joined.
func (d *drawing) ends() (outs []nn.Value) {
	var loose []nn.Value
	for _, v := range d.open {
		switch {
		case d.read[v]:
		case len(outs) < 2 && d.r.IntN(3) == 0:
			outs = append(outs, v)
		default:
			loose = append(loose, d.b.GlobalAvgPool(d.name("pool"), v))
		}
	}
	if len(loose) > 1 {
		loose[0] = d.b.Concat("join", loose...)
	}
	if len(loose) > 0 {
		outs = append(outs, d.b.Linear("fc", loose[0], 3, true))
	}
	if d.r.IntN(4) == 0 { // also what others read
		if v := d.pick(); !slices.Contains(outs, v) {
			outs = append(outs, v)
		}
	}
	return outs
}

// drawGraph draws a network of 4 to 9 cases with one to three inputs.
func drawGraph(t *testing.T, r *rand.Rand) *nn.Graph {
	t.Helper()
	cases := slices.DeleteFunc(optest.Cases(), func(c optest.Case) bool { return len(c.In) == 0 })
	size := func() tensor.Shape { return tensor.Shape{H: 2 + r.IntN(6), W: 2 + r.IntN(6), C: 1 + r.IntN(4)} }
	b := nn.NewBuilder(size())
	d := &drawing{b: b, r: r, open: []nn.Value{b.Input()}, read: map[nn.Value]bool{}}
	for i := range r.IntN(3) {
		d.open = append(d.open, b.AddInput(fmt.Sprint("more", i), size()))
	}
	for range 4 + r.IntN(6) {
		d.draw(cases[r.IntN(len(cases))])
	}
	g, err := b.Graph(d.ends()...)
	must(t, err)
	return g
}

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
		g := drawGraph(t, r)
		what := fmt.Sprintf("graph %d", seed)
		g.Init(int64(seed))
		jitter(g, r)
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
