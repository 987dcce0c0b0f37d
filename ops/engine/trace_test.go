package engine

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"qpipe/internal/refvec"
	"qpipe/ops/convbn"
	"qpipe/ops/nn"
	"qpipe/ops/quant"
)

// traceFile is a trace.json in a folder of ../shared/anchors.
type traceFile struct {
	Net         string  `json:"net"`
	Data        string  `json:"data"` // begins with the name of a folder of ../shared/data
	Width       int     `json:"width"`
	Batch       int     `json:"batch"`
	Steps       int     `json:"steps"`
	WeightDecay float64 `json:"weight_decay"`
	Momentum    float64 `json:"momentum"`
	Averaging   float64 `json:"averaging_constant"`
	WeightMin   int     `json:"w_quant_min"`
	WeightMax   int     `json:"w_quant_max"`
	ActMin      int     `json:"a_quant_min"`
	ActMax      int     `json:"a_quant_max"`
	Runs        map[string]struct {
		LR      float64 `json:"lr"`
		Float64 struct {
			Loss []float64 `json:"loss"`
		} `json:"float64"`
		Float32Off []float64 `json:"float32_vs_float64_loss_diff"` // by step, of the anchor itself
	} `json:"runs"`
}

// config is the trace's quantization: the input with the fixed scale 1/127, float32
// logits; the anchor does not quantize biases (see biasLoss).
func (f *traceFile) config() func(nn.Module) nn.QConfig {
	return func(m nn.Module) nn.QConfig {
		a := quant.Spec{DType: quant.Int8, Narrow: f.ActMin == -f.ActMax}
		w := weight8()
		w.Spec.Narrow = f.WeightMin == -f.WeightMax
		q := nn.QConfig{Activation: nn.Quant{Spec: a, Observer: minMax{float32(f.Averaging)}}, Weight: w}
		switch m.Name {
		case "input":
			q.Activation.Observer = fixedScale{1.0 / 127}
		case "fc":
			q.Activation = nn.Quant{}
		}
		return q
	}
}

// loadAnchor sets the graph's tensors from arrays as the anchors name them.
func loadAnchor(t testing.TB, g *nn.Graph, arrays map[string]*refvec.Array) {
	parts := map[string]string{"gamma": "bn.weight", "beta": "bn.bias", "running_mean": "bn.running_mean", "running_var": "bn.running_var"}
	for name, a := range arrays {
		if i := strings.LastIndexByte(name, '.'); parts[name[i+1:]] != "" {
			name = name[:i+1] + parts[name[i+1:]]
		}
		must(t, g.SetTensor(nn.Tensor{Name: name, Shape: a.Shape, Data: a.Float32s()}))
	}
}

func anchorName(param string) string {
	return strings.NewReplacer(".bn.weight", ".gamma", ".bn.bias", ".beta").Replace(param)
}

// TestAnchorTrace follows every trace in the folder of anchors: the gradients of the first step,
// and the losses of 10 steps, or of all with QPIPE_LONG=1.
func TestAnchorTrace(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(refvec.Folder(t, "anchors"), "*", "trace.json"))
	must(t, err)
	if len(files) == 0 {
		t.Fatal("the folder of anchors has no trace.json")
	}
	for _, file := range files {
		t.Run(filepath.Base(filepath.Dir(file)), func(t *testing.T) { followTrace(t, filepath.Dir(file)) })
	}
}

func followTrace(t *testing.T, dir string) {
	text, err := os.ReadFile(filepath.Join(dir, "trace.json"))
	must(t, err)
	var f traceFile
	must(t, json.Unmarshal(text, &f))
	if f.Net != "resnet8" || f.Momentum != 0.9 {
		t.Fatalf("the test builds resnet8 and trains with momentum 0.9; the trace is of %s with %g", f.Net, f.Momentum)
	}
	tensors, err := refvec.ReadNPZ(filepath.Join(dir, "trace_tensors.npz"))
	must(t, err)
	steps := min(10, f.Steps)
	if os.Getenv("QPIPE_LONG") != "" {
		steps = f.Steps
	}
	x, labels, in := refvec.Images(t, refvec.DataFolder(t, f.Data), "train", steps*f.Batch)
	for name, run := range f.Runs {
		t.Run(name, func(t *testing.T) {
			start, mode, _ := strings.Cut(name, ".")
			weights, err := refvec.ReadNPZ(filepath.Join(dir, start+".npz"))
			must(t, err)
			g := resnet8For(t, in, f.Width, weights["fc.bias"].Len())
			loadAnchor(t, g, weights)
			if mode != "float" {
				if errs := g.SetQConfig(f.config()); len(errs) > 0 {
					t.Fatal(errs)
				}
				must(t, g.Prepare(nn.QAT, nn.Mode(mode)))
			}
			size := f.Batch * in.WithN(1).Len()
			grads := biasGradients(t, g, f.Batch, x, labels)
			loss0 := biasLoss(t, g, nn.Mode(mode), x[:size], labels[:f.Batch], run.Float64.Loss[0])
			tr := newTrainer(compile(t, g, f.Batch, true), float32(run.LR), float32(f.WeightDecay))
			for s := range steps {
				look := func() { firstGradients(t, g, grads, name, tensors) }
				if s > 0 {
					look = nil
				}
				loss := tr.step(x[s*size:(s+1)*size], labels[s*f.Batch:(s+1)*f.Batch], look)
				limit := band(start, mode, s)
				if s == 0 {
					limit += loss0
				}
				if s < len(run.Float32Off) {
					limit = max(limit, 2*run.Float32Off[s])
				}
				if d := math.Abs(loss - run.Float64.Loss[s]); d > limit {
					t.Errorf("step %d: loss %.6f, want %.6f (off by %.2g, band %.2g)", s, loss, run.Float64.Loss[s], d, limit)
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

// biasLoss is what the grid of the biases changes in the loss of the first step: qpipe
// rounds them to multiples of scale_x·scale_w where the anchor leaves them as they are. It is
// the difference of two forward passes in float64, with the bias on the grid and without; the
// latter must be the anchor's, whose loss is want. While training, a node with BN has its bias as
// it is, so only fuse_bn is concerned.
func biasLoss(t *testing.T, g *nn.Graph, mode nn.Mode, x []float32, labels []int32, want float64) float64 {
	if g.Form() != nn.QAT || mode != nn.FuseBN {
		return 0
	}
	loss := func(floatBias bool) float64 {
		c := &compose64{g: g, n: len(labels), floatBias: floatBias}
		var y []float32
		for _, v := range c.chain(x) {
			y = append(y, float32(v))
		}
		return crossEntropy(y, labels, g.Output().C, make([]float32, len(y)))
	}
	anchors := loss(true)
	if math.Abs(anchors-want) > 1e-5 {
		t.Errorf("the formulas without a grid for biases give the loss %.6f, the anchor %.6f", anchors, want)
	}
	return math.Abs(loss(false) - anchors)
}

// biasGradients is what the grid of the biases may change in each gradient of the first
// step, relative to its norm: the largest change over draws in which every bias moves by
// half a unit of its grid up or down, and twice that for the draws that were not made.
func biasGradients(t *testing.T, g *nn.Graph, batch int, x []float32, labels []int32) map[string]float64 {
	r := rand.New(rand.NewPCG(1, 2))
	first := func(moved bool) []*nn.Param {
		c := g.Clone()
		e := compile(t, c, batch, true)
		if moved {
			e.Forward(x, batch, Train) // settles the scales
			moveBiases(c, e, r)
			for i, n := range nodesOf(g) {
				nodesOf(c)[i].Quant = n.Quant
			}
		}
		d := make([]float32, batch*g.Output().C)
		crossEntropy(e.Forward(x, batch, Train), labels[:batch], g.Output().C, d)
		e.Backward(d)
		return c.Params()
	}
	want, limits := first(false), map[string]float64{}
	for range 4 {
		for i, p := range first(true) {
			limits[p.Name] = max(limits[p.Name], 2*distance(p.Grad, want[i].Grad))
		}
	}
	return limits
}

// moveBiases moves every bias on a grid by half a unit of it.
func moveBiases(g *nn.Graph, e *Net, r *rand.Rand) {
	for _, n := range nodesOf(g) {
		if convbn.Of(n) == nil || convbn.Of(n).BN != nil || !convbn.Of(n).Weight.Quantized() {
			continue
		}
		_, sx, _, _ := e.Output(nodesOf(g)[n.In[0]].Name)
		for o := range convbn.Of(n).B.Data {
			convbn.Of(n).B.Data[o] += float32(r.IntN(2)*2-1) * sx * convbn.Of(n).WScale[o] / 2
		}
	}
}

// distance is the norm of the difference, relative to that of the second.
func distance[T, U float32 | float64](got []T, want []U) float64 {
	var d, norm float64
	for i, w := range want {
		d += (float64(got[i]) - float64(w)) * (float64(got[i]) - float64(w))
		norm += float64(w) * float64(w)
	}
	return math.Sqrt(d / (norm + 1e-24))
}

func firstGradients(t *testing.T, g *nn.Graph, grid map[string]float64, run string, tensors map[string]*refvec.Array) {
	for _, p := range g.Params() {
		want := tensors[run+".step0_grad."+anchorName(p.Name)]
		if want == nil {
			t.Fatalf("the anchor has no gradient of %s", p.Name)
		}
		_, got := g.ToFile(p.Name, p.Grad)
		if rel, limit := distance(got, want.Float64s()), 1e-2+grid[p.Name]; rel > limit {
			t.Errorf("first gradient of %s: relative difference %.2g, limit %.2g", p.Name, rel, limit)
		}
	}
}
