package engine

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"qpipe/internal/netdraw"
	"qpipe/ops/convbn"
	"qpipe/ops/curve"
	"qpipe/ops/kernel"
	"qpipe/ops/kernel/ref"
	"qpipe/ops/kernel/sets"
	"qpipe/ops/nn"
	"qpipe/ops/op"
	"qpipe/ops/quant"
	"qpipe/ops/tensor"
)

// islandConfig leaves about every third node a float32 output, a float32 weight, or both.
func islandConfig(r *rand.Rand) func(nn.Module) nn.QConfig {
	base := randomConfig(r)
	return func(m nn.Module) nn.QConfig {
		q := base(m)
		if k := r.IntN(9); k < 3 && m.Name != "input" {
			if k != 0 {
				q.Weight = nn.Quant{}
			}
			if k != 1 {
				q.Activation = nn.Quant{}
			}
		}
		if m.Dequantized && r.IntN(2) == 0 {
			q = nn.QConfig{}
		}
		return q
	}
}

// TestRandomIslands: whatever the network, its types and its float islands, the int8 form has every integer of the evaluation and every bit
// of its float32 values: in every kernel set, for any number of workers and of images, and after the model was written and read.
func TestRandomIslands(t *testing.T) {
	graphs := 60
	if testing.Short() {
		graphs = 10
	}
	islands, nodes := 0, 0
	for seed := range uint64(graphs) {
		r := rand.New(rand.NewPCG(seed, 77))
		g := wildGraph(t, r)
		must(t, g.SetTarget(nn.Targets()[r.IntN(len(nn.Targets()))].Target))
		if errs := g.SetQConfig(islandConfig(r)); len(errs) > 0 {
			t.Fatal(errs)
		}
		g.Init(int64(seed))
		netdraw.Jitter(g, r)
		rareGammas(g, r)
		must(t, g.Prepare([]nn.Form{nn.QAT, nn.QAT, nn.Calibration}[r.IntN(3)], []nn.Mode{nn.FuseBN, nn.WithBN, nn.ReverseFold}[r.IntN(3)]))
		const n = 3
		prepareRandom(t, r, g, n)
		for _, m := range g.Modules() {
			if g.Form() == nn.QAT && m.Absorbable() && r.IntN(4) == 0 {
				must(t, g.Absorb(m.Name, r.IntN(2) == 0))
			}
		}
		if len(g.Convertible()) > 0 {
			continue
		}
		islands, nodes = islands+len(g.Islands()), nodes+len(g.Modules())
		made, err := g.Convert()
		must(t, err)
		int8 := again(t, made)
		if !slices.Equal(int8.Islands(), g.Islands()) {
			t.Fatalf("graph %d: the islands of the int8 model are %v, of the %s model %v", seed, int8.Islands(), g.Form(), g.Islands())
		}
		x := randn(r, n*g.Input().WithN(1).Len(), 1)
		for k, set := range sets.All() {
			what := fmt.Sprintf("graph %d (%s %s), set %s\n%s", seed, g.Mode(), g.Form(), set.Name, names(g))
			sameInBatches(t, what, set.Name, g, int8, x, 1+(int(seed)+k)%3)
		}
	}
	t.Logf("%d of %d nodes are float islands", islands, nodes)
	if islands < nodes/4 {
		t.Error("the generator makes too few islands")
	}
}

// again is the graph as a file has it.
func again(t *testing.T, g *nn.Graph) *nn.Graph {
	t.Helper()
	c, err := nn.Restore(g.Structure())
	must(t, err)
	must(t, c.SetTensors(g.Tensors()))
	if !slices.Equal(c.Structure(), g.Structure()) {
		t.Fatalf("read back the structure is another:\n%s\n%s", g.Structure(), c.Structure())
	}
	return c
}

// sameInBatches compares the forms for three images in one batch and one by one.
func sameInBatches(t *testing.T, what, set string, qat, int8 *nn.Graph, x []float32, workers int) {
	t.Helper()
	const n = 3
	open := func(g *nn.Graph, workers, batch int) *Net {
		e, err := Compile(g, batch, false, kernels(t, set), newPool(t, workers))
		must(t, err)
		e.Keep()
		return e
	}
	sameCodes(t, what, open(qat, 2, n), open(int8, workers, n), x, n)
	if one := len(x) / n; set != ref.Set().Name {
		sameCodes(t, what+", image by image", open(qat, 1, n), open(int8, workers, 1), x[one:2*one], 1)
	}
	kept, shared := open(int8, workers, n), open(int8, workers, n)
	shared.keep, shared.version = false, -1
	want := kept.ForwardAll([][]float32{x}, n, Eval)
	for k, y := range shared.ForwardAll([][]float32{x}, n, Eval) {
		if !slices.Equal(y, want[k]) {
			t.Fatalf("%s: output %d is another one where outputs share memory", what, k)
		}
	}
}

// TestStubs: what values reach through a DeQuantStub only is not to be quantized, up to a QuantStub; a structure in which a DeQuantStub
// quantizes is refused; and a weight that is no number does not become an island's.
func TestStubs(t *testing.T) {
	b := nn.NewBuilder(tensor.Shape{H: 4, W: 4, C: 2})
	x := conv(b, "c0", b.Input(), 4, 3, 1)
	f := conv(b, "c1", b.Apply("float", op.DeQuantStub{}, x), 4, 1, 1)
	y := b.Concat("both", x, b.MaxPool("far", f, op.PoolArgs{Kernel: [2]int{1, 1}}))
	z := b.Apply("again", op.QuantStub{}, b.Act("relu", b.Concat("floats", f, f), kernel.ReLU))
	g, err := b.Graph(b.Linear("fc", b.Add("sum", y, z), 3, true))
	must(t, err)
	g.Init(1)
	g.SetQConfig(func(m nn.Module) nn.QConfig {
		if want := slices.Contains([]string{"float", "c1", "far", "floats", "relu"}, m.Name); m.Dequantized != want {
			t.Errorf("%s is behind a DeQuantStub: %t", m.Name, m.Dequantized)
		}
		if m.Dequantized {
			return nn.QConfig{}
		}
		return int8Config("fc")(m)
	})
	must(t, g.Prepare(nn.QAT, nn.WithBN))
	compile(t, g, 1, true).Forward(randn(rand.New(rand.NewPCG(1, 1)), 32, 1), 1, Train)
	made, err := g.Convert()
	must(t, err)
	plain, act := `"name":"float","op":"dequant","members":["float"],"inputs":["c0"],"shape":{"height":4,"width":4,"channels":4}`, `,"act_quant":{"dtype":"int8"}`
	text := string(made.Structure())
	damaged := strings.Replace(text, plain, plain+act, 1)
	if _, err := nn.Restore([]byte(damaged)); err == nil || damaged == text {
		t.Errorf("a DeQuantStub that quantizes: %v, in\n%s", err, damaged)
	}
	convbn.Of(nodesOf(g)[g.Place("c1")]).W.Data[0] = float32(math.NaN())
	if _, err := g.Convert(); err == nil || !strings.HasPrefix(err.Error(), "c1: ") {
		t.Errorf("a weight is no number: %v", err)
	}
}

// TestFloatOutputsBesideInt16: an int16 activation has no int8 form, wherever islands are.
func TestFloatOutputsBesideInt16(t *testing.T) {
	g := everyOp(t)
	g.SetQConfig(func(m nn.Module) nn.QConfig {
		q := int8Config("c0")(m)
		if m.Name == "c1" {
			q.Activation.Spec = quant.Spec{DType: quant.Int16}
		}
		return q
	})
	must(t, g.Prepare(nn.QAT, nn.WithBN))
	if errs := g.Convertible(); len(errs) != 1 || errs[0].Node != "c1" {
		t.Errorf("what keeps it from int8: %v", errs)
	}
}

// TestWithoutInt8: of a float network it is known what stays float32 whatever the configuration: a sum of too many products.
func TestWithoutInt8(t *testing.T) {
	b := nn.NewBuilder(tensor.Shape{H: 1, W: 1, C: kernel.MaxProducts + 1})
	x := b.Linear("wide", b.Apply("curve", curve.Pointwise{Function: "exp"}, b.Input()), 4, true)
	g, err := b.Graph(b.Linear("narrow", x, 2, true))
	must(t, err)
	if why := g.WithoutInt8(); len(why) != 1 || !strings.Contains(why["wide"], "65793 products") {
		t.Errorf("%v", why)
	}
}
