package nn

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"qpipe/ops/quant"
	"qpipe/ops/refvec"
	"qpipe/ops/tensor"
)

// traceFile is ../shared/anchors/trace_resnet8_mnist/trace.json.
type traceFile struct {
	Width       int     `json:"width"`
	Batch       int     `json:"batch"`
	Steps       int     `json:"steps"`
	WeightDecay float64 `json:"weight_decay"`
	Averaging   float64 `json:"averaging_constant"`
	Runs        map[string]struct {
		LR      float64 `json:"lr"`
		Float64 struct {
			Loss []float64 `json:"loss"`
		} `json:"float64"`
	} `json:"runs"`
}

// traceConfig is the anchor's: activations -127..127, the input with the fixed
// scale 1/127, float32 logits; the anchor does not quantize biases.
func traceConfig(averaging float32) func(Module) QConfig {
	return func(m Module) QConfig {
		a := quant.Spec{DType: quant.Int8, Narrow: true}
		q := QConfig{Activation: Quant{a, minMax{averaging}}, Weight: weight8(), FloatBias: true}
		switch m.Name {
		case "input":
			q.Activation.Observer = fixedScale{1.0 / 127}
		case "fc":
			q.Activation = Quant{}
		}
		return q
	}
}

// loadAnchor sets the graph's tensors from arrays as the anchors name them.
func loadAnchor(t testing.TB, g *Graph, arrays map[string]*refvec.Array) {
	parts := map[string]string{"gamma": "bn.weight", "beta": "bn.bias", "running_mean": "bn.running_mean", "running_var": "bn.running_var"}
	for name, a := range arrays {
		if i := strings.LastIndexByte(name, '.'); parts[name[i+1:]] != "" {
			name = name[:i+1] + parts[name[i+1:]]
		}
		must(t, g.SetTensor(Tensor{Name: name, Shape: a.Shape, Data: a.Float32s()}))
	}
}

func anchorName(param string) string {
	return strings.NewReplacer(".bn.weight", ".gamma", ".bn.bias", ".beta").Replace(param)
}

// TestAnchorTrace follows the anchors: the gradients of the first step, and the losses
// of 10 steps, or of all with QPIPE_LONG=1.
func TestAnchorTrace(t *testing.T) {
	dir := refvec.Folder(t, "anchors/trace_resnet8_mnist")
	text, err := os.ReadFile(filepath.Join(dir, "trace.json"))
	must(t, err)
	var f traceFile
	must(t, json.Unmarshal(text, &f))
	tensors, err := refvec.ReadNPZ(filepath.Join(dir, "trace_tensors.npz"))
	must(t, err)
	steps := min(10, f.Steps)
	if os.Getenv("QPIPE_LONG") != "" {
		steps = f.Steps
	}
	x, labels := mnist(t, "train", steps*f.Batch)
	for name, run := range f.Runs {
		t.Run(name, func(t *testing.T) {
			start, mode, _ := strings.Cut(name, ".")
			g := resnet8(t, tensor.Shape{H: 28, W: 28, C: 1}, f.Width)
			weights, err := refvec.ReadNPZ(filepath.Join(dir, start+".npz"))
			must(t, err)
			loadAnchor(t, g, weights)
			if mode != "float" {
				if errs := g.SetQConfig(traceConfig(float32(f.Averaging))); len(errs) > 0 {
					t.Fatal(errs)
				}
				must(t, g.Prepare(QAT, Mode(mode)))
			}
			tr := newTrainer(compile(t, g, f.Batch, true), float32(run.LR), float32(f.WeightDecay))
			size := f.Batch * 28 * 28
			for s := range steps {
				look := func() { firstGradients(t, g, name, mode, tensors) }
				if s > 0 {
					look = nil
				}
				loss := tr.step(x[s*size:(s+1)*size], labels[s*f.Batch:(s+1)*f.Batch], look)
				if d := math.Abs(loss - run.Float64.Loss[s]); d > band(start, mode, s) {
					t.Errorf("step %d: loss %.6f, want %.6f (off by %.2g, band %g)", s, loss, run.Float64.Loss[s], d, band(start, mode, s))
				}
			}
		})
	}
}

// band is how far the loss of step s may be from the float64 one.
func band(start, mode string, s int) float64 {
	switch {
	case s == 0:
		return 1e-5
	case mode == "float" && start == "warm":
		return 1e-4
	case mode == "fuse_bn" && start == "warm":
		return 0.2
	case s < 10:
		return 0.02
	}
	return 0.05
}

func firstGradients(t *testing.T, g *Graph, run, mode string, tensors map[string]*refvec.Array) {
	limit := 1e-2
	if mode == "fuse_bn" {
		limit = 3e-2
	}
	for _, p := range g.Params() {
		want := tensors[run+".step0_grad."+anchorName(p.Name)]
		if want == nil {
			t.Fatalf("the anchor has no gradient of %s", p.Name)
		}
		_, got := g.ToFile(p.Name, p.Grad)
		var d, norm float64
		for i, w := range want.Float64s() {
			d += (float64(got[i]) - w) * (float64(got[i]) - w)
			norm += w * w
		}
		if rel := math.Sqrt(d / (norm + 1e-24)); rel > limit {
			t.Errorf("first gradient of %s: relative difference %.2g, limit %g", p.Name, rel, limit)
		}
	}
}
