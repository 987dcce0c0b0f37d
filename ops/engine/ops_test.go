package engine

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"qpipe/ops/kernel/ref"
	"qpipe/ops/kernel/sets"
	"qpipe/ops/nn"
	"qpipe/ops/quant"
)

// feeds are n images for each input, and gradients for each output.
func feeds(r *rand.Rand, g *nn.Graph, n int) (x, dy [][]float32) {
	for _, p := range g.Inputs() {
		x = append(x, randn(r, p.Shape.WithN(n).Len(), 1.5))
	}
	for _, p := range g.Outputs() {
		dy = append(dy, randn(r, p.Shape.WithN(n).Len(), 1))
	}
	return x, dy
}

// TestEveryOpBackward: the gradients of every op are central differences.
func TestEveryOpBackward(t *testing.T) {
	for _, tr := range trials() {
		t.Run(tr.name, func(t *testing.T) {
			for _, n := range tr.batches(t, 3) {
				if n == 3 || tr.folded == nil { // in a chain with many images a kink of the activation is always near
					tr.backward(t, n)
				}
			}
		})
	}
}

func (tr *trial) backward(t *testing.T, n int) {
	t.Helper()
	r := rand.New(rand.NewPCG(3, 4))
	g := tr.ready(t, r)
	x, dy := feeds(r, g, n)
	e, state := compile(t, g, n, true), g.Clone()
	loss := func() (sum float64) {
		copyState(g, state)
		for k, y := range e.ForwardAll(x, n, Train) {
			sum += dot(y, dy[k])
		}
		return sum
	}
	loss()
	e.BackwardAll(dy)
	for _, p := range g.Params() {
		grad := slices.Clone(p.Grad)
		scale := 0.0
		for _, v := range grad {
			scale = max(scale, math.Abs(float64(v)))
		}
		for range 4 {
			i := r.IntN(len(p.Data))
			if want, ok := difference(p, i, loss); ok && math.Abs(want-float64(grad[i])) > 2e-2*scale+4e-3 {
				t.Errorf("%s[%d]: gradient %g, difference %g", p.Name, i, grad[i], want)
			}
		}
	}
}

// TestEveryOpInt8: the int8 form of every op has the integers of the evaluation in calibration and in QAT, at every node, in every
// kernel set and for any number of workers; also where all operands have one format, and the op's own is another, where it is the
// last and not quantized, and where it is an island: an operand in front of it, or every one, is not quantized.
func TestEveryOpInt8(t *testing.T) {
	for _, tr := range trials() {
		t.Run(tr.name, func(t *testing.T) {
			tr.int8(t, int8Config("fc"))
			if !tr.runs(t) {
				return
			}
			tr.int8(t, func(m nn.Module) nn.QConfig {
				o := fixedScale{0.03}
				if m.Name == "op" {
					o.s = 0.02
				}
				return nn.QConfig{Activation: nn.Quant{Spec: quant.Spec{DType: quant.Int8}, Observer: o}, Weight: weight8()}
			})
			tr.last = true
			tr.int8(t, int8Config("op"))
			tr.plain = true
			tr.int8(t, int8Config("op", "stem0"))
			tr.int8(t, int8Config("stem0"))
			tr.int8(t, int8Config("stem1"))
		})
	}
}

func (tr *trial) int8(t *testing.T, config func(nn.Module) nn.QConfig) {
	t.Helper()
	const n = 3
	r := rand.New(rand.NewPCG(5, 6))
	g := tr.ready(t, r)
	x, dy := feeds(r, g, n)
	g.SetQConfig(config)
	must(t, g.Prepare(nn.Calibration, tr.mode))
	compile(t, g, n, false).ForwardAll(x, n, Calibrate)
	sameEverywhere(t, g, x, n)
	must(t, g.Prepare(nn.QAT, tr.mode))
	e := compile(t, g, n, true)
	for range 2 {
		e.ForwardAll(x, n, Train)
		e.BackwardAll(dy)
	}
	sameEverywhere(t, g, x, n)
}

// sameEverywhere converts the graph and compares every integer with those of the evaluation by the reference kernels; of a graph
// with float islands with those by the same kernels, for float32 sums are right within rounding only.
func sameEverywhere(t *testing.T, g *nn.Graph, x [][]float32, n int) {
	t.Helper()
	int8, err := g.Convert()
	must(t, err)
	open := func(g *nn.Graph, set string, workers int) (*Net, [][]float32) {
		e, err := Compile(g, n, false, kernels(t, set), newPool(t, workers))
		must(t, err)
		e.Keep()
		return e, e.ForwardAll(x, n, Eval)
	}
	want, values := open(g, ref.Set().Name, 1)
	for _, set := range sets.All() {
		if len(int8.Islands()) > 0 {
			want, values = open(g, set.Name, 2)
		}
		for _, workers := range []int{1, 3} {
			got, outs := open(int8, set.Name, workers)
			for k, o := range g.Outputs() {
				if !slices.Equal(values[k], outs[k]) {
					t.Fatalf("set %s, %d workers: the values of %s are others than in the %s form", set.Name, workers, o.Name, g.Form())
				}
			}
			for _, m := range g.Modules() {
				p, onGrid := want.Codes(m.Name)
				q, same := got.Codes(m.Name)
				if onGrid != same || !slices.Equal(p, q) {
					t.Fatalf("%s: set %s, %d workers: the integers of %s (%s) are others than in the %s form", m.Name, set.Name, workers, m.Name, m.Op, g.Form())
				}
				if !onGrid {
					sameValues(t, fmt.Sprintf("set %s, %d workers", set.Name, workers), want, got, m)
				}
			}
		}
	}
}

// TestEveryOpAllocatesNothing: after the first pass no pass of any form allocates.
func TestEveryOpAllocatesNothing(t *testing.T) {
	for _, tr := range trials() {
		t.Run(tr.name, func(t *testing.T) {
			const n = 3
			r := rand.New(rand.NewPCG(5, 6))
			g := tr.ready(t, r)
			x, dy := feeds(r, g, n)
			quiet := func(form string, g *nn.Graph, ph Phase) {
				t.Helper()
				e := compile(t, g, n, ph == Train)
				pass := func() {
					if e.ForwardAll(x, n, ph); ph == Train {
						e.BackwardAll(dy)
					}
				}
				pass()
				if times := testing.AllocsPerRun(2, pass); times != 0 {
					t.Errorf("a pass of the %s form (%d) allocates %v times", form, ph, times)
				}
			}
			quiet("float", g, Train)
			quiet("float", g, Eval)
			g.SetQConfig(int8Config("fc"))
			must(t, g.Prepare(nn.Calibration, tr.mode))
			quiet("calibration", g, Calibrate)
			must(t, g.Prepare(nn.QAT, tr.mode))
			quiet("QAT", g, Train)
			quiet("QAT", g, Eval)
			int8, err := g.Convert()
			must(t, err)
			quiet("int8", int8, Eval)
		})
	}
}
