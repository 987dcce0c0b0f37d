package engine

import (
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"qpipe/ops/convbn"
	"qpipe/ops/kernel"
	"qpipe/ops/kernel/sets"
	"qpipe/ops/layer"
	"qpipe/ops/nn"
	"qpipe/ops/op"
	"qpipe/ops/quant"
	"qpipe/ops/tensor"
)

// minMax is the moving average observer, fixedScale one that knows its scale.
type minMax struct{ c float32 }

func (o minMax) Range(_ []float32, lo, hi float32, _ quant.Spec) (float32, float32) { return lo, hi }
func (o minMax) Averaging() float32                                                 { return o.c }
func (o minMax) Fixed() bool                                                        { return false }
func (o minMax) ExtremesOnly() bool                                                 { return true }

type fixedScale struct{ s float32 }

func (o fixedScale) Range(_ []float32, _, _ float32, s quant.Spec) (float32, float32) {
	_, hi := s.Limits()
	return -o.s * float32(hi), o.s * float32(hi)
}
func (o fixedScale) Averaging() float32 { return 0 }
func (o fixedScale) Fixed() bool        { return true }

func act8(c float32) nn.Quant {
	return nn.Quant{Spec: quant.Spec{DType: quant.Int8}, Observer: minMax{c}}
}

func weight8() nn.Quant {
	return nn.Quant{Spec: quant.Spec{DType: quant.Int8, PerChannel: true, Narrow: true}}
}

// int8Config quantizes everything but the named outputs.
func int8Config(float ...string) func(nn.Module) nn.QConfig {
	return func(m nn.Module) nn.QConfig {
		q := nn.QConfig{Activation: act8(0.01), Weight: weight8()}
		for _, n := range float {
			if m.Name == n {
				q.Activation = nn.Quant{}
			}
		}
		return q
	}
}

func kernels(t testing.TB, name string) *kernel.Set {
	t.Helper()
	s, err := sets.ByName(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newPool(t testing.TB, n int) *Workers {
	p := NewWorkers(n)
	t.Cleanup(p.Close)
	return p
}

// compile makes a net for the set that QPIPE_KERNELS names, or the machine's best.
func compile(t testing.TB, g *nn.Graph, batch int, training bool) *Net {
	t.Helper()
	e, err := Compile(g, batch, training, kernels(t, os.Getenv("QPIPE_KERNELS")), newPool(t, 2))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func randn(r *rand.Rand, n int, s float64) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64() * s)
	}
	return x
}

// everyOp is a small graph with every op, fused and not.
func everyOp(t testing.TB) *nn.Graph {
	b := nn.NewBuilder(tensor.Shape{H: 8, W: 8, C: 2})
	bn := func(name string, x nn.Value) nn.Value { return b.BatchNorm(name, x, 0, 0) }
	x := b.Act("r0", bn("n0", conv(b, "c0", b.Input(), 6, 3, 1)), kernel.ReLU)
	d := bn("nd", conv(b, "cd", x, 8, 1, 2))
	y := b.Act("r1", b.Add("a1", bn("n1", conv(b, "c1", x, 8, 3, 2)), d), kernel.ReLU6)
	w := b.Conv("dw", y, convbn.Conv{OutC: 8, Kernel: [2]int{3, 3}, Padding: [2]int{1, 1}, Groups: 8, Bias: true})
	p := b.MaxPool("mp", y, op.PoolArgs{Kernel: [2]int{3, 3}, Stride: [2]int{1, 1}, Padding: [2]int{1, 1}})
	q := b.AvgPool("ap", y, op.PoolArgs{Kernel: [2]int{3, 3}, Stride: [2]int{1, 1}, Padding: [2]int{1, 1}})
	u := b.Act("r4", bn("n3", b.ConvTranspose("ct", y, convbn.ConvTranspose{
		OutC: 3, Kernel: [2]int{3, 3}, Stride: [2]int{2, 2}, Padding: [2]int{1, 1}, OutputPadding: [2]int{1, 1},
	})), kernel.ReLU)
	k := b.Concat("k", w, p, q, b.MaxPool("mp3", u, op.PoolArgs{Kernel: [2]int{2, 2}}))
	s := b.Act("r2", bn("n2", k), kernel.ReLU)
	a := b.Add("a2", s, k)
	g := b.GlobalAvgPool("gp", a)
	f := b.Flatten("f", b.MaxPool("mp2", a, op.PoolArgs{Kernel: [2]int{2, 2}}))
	l := b.Act("r3", b.Linear("l1", f, 27, true), kernel.ReLU)
	out := b.Linear("fc", b.Add("a3", l, g), 5, true)
	gr, err := b.Graph(out)
	must(t, err)
	return gr
}

func dot(a, b []float32) (s float64) {
	for i, v := range a {
		s += float64(v) * float64(b[i])
	}
	return s
}

func maxDiff(a, b []float32) (d float64) {
	for i, v := range a {
		d = max(d, math.Abs(float64(v)-float64(b[i])))
	}
	return d
}

// nodesOf are the graph's nodes themselves.
func nodesOf(g *nn.Graph) []*layer.Node {
	nodes, _ := g.Nodes()
	return nodes
}

// outOf is the place of the graph's output.
func outOf(g *nn.Graph) int {
	_, outs := g.Nodes()
	return outs[0]
}
