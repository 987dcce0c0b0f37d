package engine

import (
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"qpipe/ops/kernel"
	"qpipe/ops/layer"
	"qpipe/ops/nn"
	"qpipe/ops/norm"
	"qpipe/ops/op"
	"qpipe/ops/tensor"
)

// allocated is how many bytes f allocates.
func allocated(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

// near fails unless the estimate is within a tenth, and some bytes of small things, of what is.
func near(t *testing.T, what string, estimate, is int64) {
	t.Helper()
	const small = 100 << 10
	if estimate > is+is/10+small || is > estimate+estimate/10+small {
		t.Errorf("%s: %d bytes are expected, %d it is", what, estimate, is)
	}
}

// inForm takes a float graph to a form, without quantizing the outputs of the named nodes; see shows it images where it must observe some.
func inForm(t *testing.T, g *nn.Graph, form nn.Form, float []string, see func(g *nn.Graph)) *nn.Graph {
	t.Helper()
	if form == nn.Float {
		return g
	}
	g.SetQConfig(int8Config(float...))
	must(t, g.Prepare(nn.Calibration, nn.ReverseFold))
	see(g)
	if form == nn.Calibration {
		return g
	}
	must(t, g.Prepare(nn.QAT, nn.ReverseFold))
	if form == nn.QAT {
		return g
	}
	c, err := g.Convert()
	must(t, err)
	return c
}

// TestNeed holds what Need says of graphs without parameters against what Compile
// and Forward allocate: in every form, and in training.
func TestNeed(t *testing.T) {
	in := tensor.Shape{H: 16, W: 16, C: 3}
	graphs := map[string]func() *nn.Graph{
		"every op": func() *nn.Graph { return everyOp(t) },
		"resnet":   func() *nn.Graph { return resnet8(t, in, 16) },
		"random":   func() *nn.Graph { return randomGraph(t, rand.New(rand.NewPCG(5, 5))) },
		"islands":  func() *nn.Graph { return everyOp(t) },
		"norms":    func() *nn.Graph { return manyNorms(t) },
	}
	islands := map[string][]string{"islands": {"c1", "n2"}}
	for name, build := range graphs {
		for _, set := range []*kernel.Set{kernels(t, "portable"), kernels(t, "")} {
			pool := newPool(t, 2)
			for _, form := range []nn.Form{nn.Float, nn.Calibration, nn.QAT, nn.Quantized} {
				bare := inForm(t, build(), form, islands[name], func(*nn.Graph) {})
				g := build()
				g.Init(1)
				x := randn(rand.New(rand.NewPCG(1, 1)), 16*g.Input().WithN(1).Len(), 1)
				g = inForm(t, g, form, islands[name], func(g *nn.Graph) {
					e, err := Compile(g, 2, false, set, pool)
					must(t, err)
					e.Forward(x, 2, Calibrate)
				})
				for _, batch := range []int{1, 16} {
					for _, training := range []bool{false, true} {
						if training && (form == nn.Quantized || form == nn.Calibration) {
							continue
						}
						phase := Eval
						if training {
							phase = Train
						}
						is := allocated(func() {
							e, err := Compile(g, batch, training, set, pool)
							must(t, err)
							e.Forward(x, batch, phase)
						})
						what, estimate := fmt.Sprint(name, " ", set.Name, " ", form, " ", batch, " ", training), Need(bare, batch, Use{Phase: phase, Set: set, Workers: pool.Size()})
						if form != nn.Calibration {
							near(t, what, estimate, is)
						} else if estimate > is { // of what is made some is never written to
							t.Errorf("%s: %d bytes are expected, and only %d are made", what, estimate, is)
						}
					}
				}
				if form != nn.Quantized {
					near(t, name+" parameters", bare.Bytes(), allocated(func() { _ = bare.SetTensors(nil) }))
				}
			}
		}
	}
}

// manyNorms is a network of normalizations and dropouts.
func manyNorms(t *testing.T) *nn.Graph {
	t.Helper()
	b := nn.NewBuilder(tensor.Shape{H: 20, W: 20, C: 3})
	x := conv(b, "c", b.Input(), 32, 3, 1)
	for i, o := range []layer.Op{
		norm.GroupNorm{Groups: 4, Affine: true}, norm.InstanceNorm{}, norm.LayerNorm{Whole: true, Affine: true}, op.Dropout{P: 0.5}, norm.LayerNorm{},
	} {
		x = b.Apply(fmt.Sprint("n", i), o, x)
	}
	g, err := b.Graph(b.Linear("fc", b.GlobalAvgPool("pool", x), 2, true))
	must(t, err)
	return g
}

// TestNeedOfLargeBatches grows in proportion beyond what is planned, and never overflows.
func TestNeedOfLargeBatches(t *testing.T) {
	g, u := resnet8(t, tensor.Shape{H: 8, W: 8, C: 3}, 8), Use{Phase: Train, Set: kernels(t, "ref"), Workers: 1}
	exact, grown := need(g, 4*planned, u), Need(g, 4*planned, u)
	if d := float64(grown)/float64(exact) - 1; d > 0.01 || d < -0.01 {
		t.Errorf("a batch of %d takes %d bytes, and %d are expected", 4*planned, exact, grown)
	}
	if u.Bound = true; Need(g, 4*planned, u) < exact {
		t.Error("the bound is below what is needed")
	}
	if n := Need(g, math.MaxInt, u); n <= grown {
		t.Errorf("the largest batch takes %d bytes", n)
	}
}

// TestRestoreBelievesNoNumber: a structure that asks for more than files hold is refused,
// and one that is accepted makes no room before tensors come.
func TestRestoreBelievesNoNumber(t *testing.T) {
	b := nn.NewBuilder(tensor.Shape{H: 4, W: 4, C: 2})
	g, err := b.Graph(b.Linear("fc", b.GlobalAvgPool("pool", b.Act("a", conv(b, "c", b.Input(), 3, 3, 1), kernel.ReLU)), 2, true))
	must(t, err)
	sound := string(inForm(t, g, nn.Quantized, nil, func(*nn.Graph) {}).Structure())
	number := regexp.MustCompile(`:\d+|\[\d+|,\d+`)
	places := number.FindAllStringIndex(sound, -1)
	if len(places) < 40 {
		t.Fatalf("only %d numbers in %s", len(places), sound)
	}
	for _, at := range places {
		for _, n := range []string{"-1", "0", "2097152", "1000000", "2147483647", "1099511627776", "9223372036854775807", "9223372036854775808", "1e300"} {
			text := sound[:at[0]+1] + n + sound[at[1]:]
			if used := allocated(func() { _, _ = nn.Restore([]byte(text)) }); used > 1<<20 {
				t.Errorf("%d bytes are allocated for …%s…", used, text[max(at[0]-40, 0):min(at[1]+20, len(text))])
			}
		}
	}
	if _, err := nn.Restore([]byte(strings.Replace(sound, `"channels":2`, `"channels":1099511627776`, 1))); err == nil || !strings.Contains(err.Error(), "outside 1…") {
		t.Errorf("2^40 channels: %v", err)
	}
	node := `{"name":"n%d","op":"act","members":["n%d"],"inputs":["input"],"shape":{"height":1,"width":1,"channels":1},"act":"relu"},`
	var nodes strings.Builder
	for i := range nn.MaxNodes {
		fmt.Fprintf(&nodes, node, i, i)
	}
	many := `{"version":2,"form":"float","output":"input","nodes":[{"name":"input","op":"input","members":["input"],"shape":{"height":1,"width":1,"channels":1}},` +
		strings.TrimSuffix(nodes.String(), ",") + "]}"
	if _, err := nn.Restore([]byte(many)); err == nil || !strings.Contains(err.Error(), "it has 4097 nodes") {
		t.Errorf("too many nodes: %v", err)
	}
	if _, err := nn.Restore([]byte(strings.Replace(many, fmt.Sprintf(","+strings.TrimSuffix(node, ","), 0, 0), "", 1))); err != nil {
		t.Error(err)
	}
}
