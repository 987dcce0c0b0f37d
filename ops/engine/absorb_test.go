package engine

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"qpipe/internal/refvec"
	"qpipe/ops/convbn"
	"qpipe/ops/nn"
	"qpipe/ops/tensor"
)

// images returns n training images: MNIST where it is, else blobs whose place
// and size tell the class.
func images(t testing.TB, n int) ([]float32, []int32) {
	root := os.Getenv("QPIPE_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared")
	}
	if _, err := os.Stat(filepath.Join(root, "data", "mnist")); err == nil || os.Getenv("CI") == "true" {
		x, labels, _ := refvec.Images(t, refvec.Folder(t, "data/mnist"), "train", n)
		return x, labels
	}
	t.Log("no MNIST; blobs instead (set QPIPE_SHARED to the shared material)")
	r := rand.New(rand.NewPCG(1, 2))
	x, labels := randn(r, n*28*28, 0.1), make([]int32, n)
	for i := range labels {
		k := r.IntN(10)
		labels[i] = int32(k)
		cy, cx := 7+14*float64(k%2)+r.NormFloat64(), 4+5*float64(k/2)+r.NormFloat64()
		for p := range 28 * 28 {
			dy, dx := float64(p/28)-cy, float64(p%28)-cx
			x[i*28*28+p] += float32(2*math.Exp(-(dy*dy+dx*dx)/8) - 1)
		}
	}
	return x, labels
}

// trained is a small ResNet-8 after some float steps.
func trained(t testing.TB) *nn.Graph {
	g := resnet8(t, tensor.Shape{H: 28, W: 28, C: 1}, 4)
	g.Init(7)
	trainOn(t, g, 40, 0.05)
	return g
}

// tuned is a copy of g after some QAT steps in the mode.
func tuned(t testing.TB, g *nn.Graph, mode nn.Mode) *nn.Graph {
	g = g.Clone()
	if errs := g.SetQConfig(int8Config("fc")); len(errs) > 0 {
		t.Fatal(errs)
	}
	must(t, g.Prepare(nn.QAT, mode))
	trainOn(t, g, 10, 0.005)
	return g
}

func trainOn(t testing.TB, g *nn.Graph, steps int, lr float32) {
	const batch = 32
	x, labels := images(t, batch*steps)
	tr := newTrainer(compile(t, g, batch, true), lr, 1e-4)
	for s := range steps {
		tr.step(x[s*batch*784:(s+1)*batch*784], labels[s*batch:(s+1)*batch], nil)
	}
}

// changes compares the codes of two nets, image by image, at the nodes whose
// operands (and theirs) were the same in both: what the node itself changed.
type changes struct {
	codes, changed int
	steps          int32 // largest
	logits         float64
}

func compare(t testing.TB, a, b *Net, x []float32, n int) (c changes) {
	t.Helper()
	y := append([]float32(nil), a.Forward(x, n, Eval)...)
	c.logits = maxDiff(y, b.Forward(x, n, Eval))
	touched := map[string][]bool{} // by node: the images whose operands changed
	for _, m := range a.graph.Modules() {
		was := make([]bool, n)
		for _, in := range m.Inputs {
			for i, v := range touched[in] {
				was[i] = was[i] || v
			}
		}
		p, okP := a.Codes(m.Name)
		q, okQ := b.Codes(m.Name)
		if okP && okQ {
			c.node(p, q, was, n)
		}
		touched[m.Name] = was
	}
	return c
}

func (c *changes) node(p, q []int8, was []bool, n int) {
	size := len(p) / n
	for i := range n {
		if was[i] {
			continue
		}
		for k := i * size; k < (i+1)*size; k++ {
			c.codes++
			if d := int32(p[k]) - int32(q[k]); d != 0 {
				c.changed++
				c.steps = max(c.steps, d, -d)
				was[i] = true
			}
		}
	}
}

func keeping(t testing.TB, g *nn.Graph, n int) *Net {
	e := compile(t, g, n, false)
	e.Keep()
	return e
}

// absorbAll absorbs what is left, in order.
func absorbAll(t testing.TB, g *nn.Graph, recompute bool) {
	for _, m := range g.Modules() {
		if m.HasWeight && m.BN != "" {
			must(t, g.Absorb(m.BN, recompute))
		}
	}
}

// TestAbsorptionTable: the table of the language's reference, a test a row.
func TestAbsorptionTable(t *testing.T) {
	const n = 100
	x, _ := images(t, n)
	float := trained(t)
	t.Run("fuse_bn, by fuse: no", func(t *testing.T) {
		g := float.Clone()
		before := append([]float32(nil), compile(t, g, n, false).Forward(x, n, Eval)...)
		g.SetQConfig(func(nn.Module) nn.QConfig { return nn.QConfig{} })
		must(t, g.Prepare(nn.QAT, nn.FuseBN))
		if d := maxDiff(before, compile(t, g, n, false).Forward(x, n, Eval)); d > 1e-4 {
			t.Errorf("folding changed a logit by %g", d)
		}
	})
	for _, mode := range []nn.Mode{nn.WithBN, nn.ReverseFold} {
		g := tuned(t, float, mode)
		for _, recompute := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, by FuseBN, recompute %t", mode, recompute), func(t *testing.T) {
				after := g.Clone()
				absorbAll(t, after, recompute)
				was, is := keeping(t, g, n), keeping(t, after, n)
				if mode == nn.WithBN && !recompute {
					c := compare(t, was, is, x, n)
					t.Logf("%d of %d codes changed, by at most %d; logits by %.3g", c.changed, c.codes, c.steps, c.logits)
					if c.steps < 2 || c.logits < 0.1 {
						t.Errorf("no visible change: %+v", c)
					}
				} else {
					sameCodes(t, "absorbed", was, is, x, n)
				}
				qat, int8 := pair(t, after, n)
				sameCodes(t, "absorbed, then converted", qat, int8, x, n)
			})
		}
		t.Run(string(mode)+", by QAT2Quantize: no", func(t *testing.T) {
			qat, int8 := pair(t, g, n)
			sameCodes(t, "converted", qat, int8, x, n)
		})
	}
}

// TestInt8IsQAT: on 1,000 images the int8 model gives the integers of the
// QAT model's eval forward, at every node, whoever absorbs its BNs.
func TestInt8IsQAT(t *testing.T) {
	const n, batches = 100, 10
	x, labels := images(t, n*batches)
	float := trained(t)
	for _, mode := range []nn.Mode{nn.FuseBN, nn.WithBN, nn.ReverseFold} {
		g := tuned(t, float, mode)
		qat, int8 := pair(t, g, n)
		for i := range batches {
			sameCodes(t, string(mode), qat, int8, x[i*n*784:(i+1)*n*784], n)
		}
		t.Logf("%s: %.1f %% of %d images right", mode, 100*accuracy(int8, x, labels), len(labels))
	}
}

// TestZeroGamma: γ = 0 is a channel that computes β, in training, in eval,
// absorbed and in int8, however large β is; and no gradient is NaN.
func TestZeroGamma(t *testing.T) {
	for _, mode := range []nn.Mode{nn.FuseBN, nn.WithBN, nn.ReverseFold} {
		b := nn.NewBuilder(tensor.Shape{H: 4, W: 4, C: 2})
		g, err := b.Graph(b.BatchNorm("bn", conv(b, "c", b.Input(), 4, 3, 1), 0, 0))
		must(t, err)
		g.Init(1)
		bn := convbn.Of(nodesOf(g)[1]).BN
		copy(bn.Gamma.Data, []float32{0, 1e-30, -1e-7, -1})
		copy(bn.Beta.Data, []float32{-30, 20, 0.5, 0})
		g.SetQConfig(int8Config("c"))
		must(t, g.Prepare(nn.QAT, mode))
		r := rand.New(rand.NewPCG(1, 1))
		x := randn(r, 2*32, 1)
		e := compile(t, g, 2, true)
		check := func(what string, y []float32, tol float64) {
			for i, v := range y {
				want, k := []float32{-30, 20, 0.5, 0}[i%4], i%4
				if k < 3 && math.Abs(float64(v-want)) > tol {
					t.Errorf("%s, %s: channel %d gives %g, want β = %g", mode, what, k, v, want)
				}
			}
		}
		check("train", e.Forward(x, 2, Train), 1e-5)
		e.Backward(randn(r, 2*64, 1))
		if node, what, bad := e.NotFinite(); bad {
			t.Errorf("%s: %s of %s is not finite", mode, what, node)
		}
		check("eval", e.Forward(x, 2, Eval), 1e-5)
		int8, err := g.Convert()
		must(t, err)
		check("converted", compile(t, int8, 2, false).Forward(x, 2, Eval), 1e-4)
		if mode != nn.FuseBN {
			must(t, g.Absorb("c", true))
			check("absorbed", e.Forward(x, 2, Eval), 1e-5)
			if e.Forward(x, 2, Eval)[0] != -30 {
				t.Errorf("%s: γ = 0 absorbed gives %v, not β = -30", mode, e.Forward(x, 2, Eval)[0])
			}
		}
	}
}

// TestWideAccumulators: sums of products that float32 does not hold exactly are
// still the int8 model's.
func TestWideAccumulators(t *testing.T) {
	b := nn.NewBuilder(tensor.Shape{H: 6, W: 6, C: 128})
	g, err := b.Graph(conv(b, "c", b.Input(), 3, 5, 1))
	must(t, err)
	g.Init(1)
	r := rand.New(rand.NewPCG(2, 2))
	for i, v := range convbn.Of(nodesOf(g)[1]).W.Data {
		convbn.Of(nodesOf(g)[1]).W.Data[i] = float32(math.Copysign(0.9+0.1*r.Float64(), float64(v)+0.5))
	}
	g.SetQConfig(int8Config())
	must(t, g.Prepare(nn.QAT, nn.FuseBN))
	x := randn(r, 2*6*6*128, 0.02)
	for i := range x {
		x[i]++
	}
	e := compile(t, g, 2, true)
	e.Forward(x, 2, Train)
	e.Backward(randn(r, 2*6*6*3, 1))
	qat, int8 := pair(t, g, 2)
	sameCodes(t, "wide", qat, int8, x, 2)
	if len(qat.machine.Acc) == 0 {
		t.Error("the test does not reach sums beyond 2^24")
	}
}

// TestCalibration: the ranges that calibration observed are those that QAT
// starts with, nothing is quantized meanwhile, and eval uses them.
func TestCalibration(t *testing.T) {
	float := prepared(t, "")
	r := rand.New(rand.NewPCG(2, 2))
	x := randn(r, float.Input().WithN(4).Len(), 1)
	want := append([]float32(nil), compile(t, float, 4, false).Forward(x, 4, Eval)...)
	for _, mode := range []nn.Mode{nn.FuseBN, nn.WithBN, nn.ReverseFold} {
		g := float.Clone()
		g.SetQConfig(int8Config("fc"))
		must(t, g.Prepare(nn.Calibration, mode))
		e := compile(t, g, 4, false)
		for _, ph := range []Phase{Eval, Calibrate} { // nothing observed yet, then observing
			if d := maxDiff(want, e.Forward(x, 4, ph)); ph == Calibrate && d > 1e-4 {
				t.Errorf("%s: calibration changes an output by %g", mode, d)
			}
		}
		calibrated := append([]float32(nil), e.Forward(x, 4, Eval)...)
		if d := maxDiff(want, calibrated); d == 0 || d > 1 {
			t.Errorf("%s: eval of the calibrated model is off by %g", mode, d)
		}
		must(t, g.Prepare(nn.QAT, mode))
		if d := maxDiff(calibrated, e.Forward(x, 4, Eval)); d != 0 {
			t.Errorf("%s: QAT starts %g off calibration", mode, d)
		}
		if err := g.Prepare(nn.QAT, mode); err == nil {
			t.Errorf("%s: prepared twice", mode)
		}
	}
}
