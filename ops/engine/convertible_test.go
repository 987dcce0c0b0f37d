package engine

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"qpipe/internal/netdraw"
	"qpipe/ops/kernel"
	"qpipe/ops/nn"
	"qpipe/ops/op"
	"qpipe/ops/quant"
)

// wildGraph is a random graph with another tail: behind the linear layer, or in its place,
// comes what a head may end in.
func wildGraph(t testing.TB, r *rand.Rand) *nn.Graph {
	b, open, used := randomBody(t, r)
	x := joinLoose(b, r, open, used)
	if r.IntN(4) > 0 {
		x = b.Linear("fc", x, 5, true)
	}
	for i := range r.IntN(4) {
		switch name := fmt.Sprintf("tail%d", i); r.IntN(8) {
		case 0:
			x = b.Act(name, x, kernel.ReLU6)
		case 1:
			x = b.BatchNorm(name, x, 0, 0)
		case 2:
			x = b.Add(name, x, x)
		case 3:
			x = b.Concat(name, x, x)
		case 4:
			x = b.MaxPool(name, x, op.PoolArgs{Kernel: [2]int{1, 1}})
		case 5:
			x = b.GlobalAvgPool(name, x)
		case 6:
			x = b.Apply(name, op.DeQuantStub{}, x)
		case 7:
			x = b.Apply(name, op.QuantStub{}, x)
		}
	}
	if r.IntN(2) == 0 {
		x = b.Flatten("flat", x)
	}
	outs := []nn.Value{x}
	for range r.IntN(3) - 1 { // outputs in the middle
		outs = append(outs, open[r.IntN(len(open))])
	}
	g, err := b.Graph(outs...)
	must(t, err)
	return g
}

// wildConfig lets a few nodes stand out of an ordinary configuration: float32 or
// int16 outputs, float32 weights, float islands, an output that stays float32.
func wildConfig(r *rand.Rand, g *nn.Graph) func(nn.Module) nn.QConfig {
	base, odd := randomConfig(r), map[string]int{}
	ms := g.Modules()
	for range r.IntN(3) {
		odd[ms[r.IntN(len(ms))].Name] = r.IntN(4)
	}
	for i := len(ms) - 1; i > 0 && r.IntN(3) == 0; i-- {
		odd[ms[i].Name] = 0
	}
	return func(m nn.Module) nn.QConfig {
		q := base(m)
		if r.IntN(4) == 0 {
			q.Weight.Spec.Rounding = quant.HalfUp
		}
		if r.IntN(4) == 0 {
			q.Activation.Spec.Rule, q.Weight.Spec.Rule = quant.HalfRange, quant.HalfRange
		}
		if q.Activation.Spec.Quantized() && r.IntN(8) == 0 {
			q.Activation.Observer = fixedScale{0.02}
		}
		what, is := odd[m.Name]
		switch {
		case !is:
		case what == 1:
			q.Activation = nn.Quant{Spec: quant.Spec{DType: quant.Int16}, Observer: minMax{0.1}}
		case what == 2:
			q.Weight = nn.Quant{}
		case what == 3:
			q.Activation, q.Weight = nn.Quant{}, nn.Quant{}
		default:
			q.Activation = nn.Quant{}
		}
		return q
	}
}

// TestConvertibleKeepsItsWord: what Convertible lets through is converted, runs, and
// gives the integers of the evaluation, whatever the network and the types; what it
// refuses has a node and a way out.
func TestConvertibleKeepsItsWord(t *testing.T) {
	graphs := 200
	if testing.Short() {
		graphs = 30
	}
	accepted, odd, islands := 0, 0, 0
	for seed := range uint64(graphs) {
		r := rand.New(rand.NewPCG(seed, 7))
		g := wildGraph(t, r)
		if errs := g.SetQConfig(wildConfig(r, g)); len(errs) > 0 {
			t.Fatal(errs)
		}
		g.Init(int64(seed))
		netdraw.Jitter(g, r)
		rareGammas(g, r)
		must(t, g.Prepare([]nn.Form{nn.QAT, nn.QAT, nn.Calibration}[r.IntN(3)], []nn.Mode{nn.FuseBN, nn.WithBN, nn.ReverseFold}[r.IntN(3)]))
		errs := g.Convertible()
		for _, e := range errs {
			if e.Way == "" || g.Place(e.Node) < 0 {
				t.Errorf("graph %d: %v: no way out", seed, e)
			}
		}
		if len(errs) > 0 {
			continue
		}
		accepted++
		islands += len(g.Islands())
		if !g.Modules()[outOf(g)].QConfig.Activation.Spec.Quantized() {
			odd++
		}
		const n = 3
		prepareRandom(t, r, g, n)
		qat, int8 := pair(t, g, n)
		sameCodes(t, fmt.Sprintf("graph %d (%s %s)\n%s", seed, g.Mode(), g.Form(), names(g)), qat, int8, randn(r, n*g.Input().WithN(1).Len(), 1), n)
	}
	t.Logf("%d of %d are convertible, %d of them with a float32 output; they have %d float islands", accepted, graphs, odd, islands)
	if !testing.Short() && (accepted < graphs/2 || odd < graphs/20 || islands < graphs) {
		t.Error("the generator leaves too little to convert")
	}
}
