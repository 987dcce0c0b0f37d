package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nlpodyssey/safetensors"

	"qpipe/internal/refvec"
	"qpipe/interp/cli"
	"qpipe/stdlib"
)

// anchor is results.json in a folder of ../shared/anchors: what an independent
// implementation reached with its ResNet-8, and how.
type anchor struct {
	dir string

	How struct {
		Width         int                `json:"width"`
		Batch         int                `json:"batch"`
		WeightDecay   float64            `json:"weight_decay"`
		Momentum      float64            `json:"momentum"`
		FloatEpochs   int                `json:"float_epochs"`
		FloatLR       float64            `json:"float_lr"`
		QATEpochs     int                `json:"qat_epochs"`
		QATLR         map[string]float64 `json:"qat_lr"`
		ScratchEpochs int                `json:"scratch_epochs"`
		ScratchLR     map[string]float64 `json:"scratch_lr"`
		Flip          bool               `json:"flip"`
		TrainImages   int                `json:"train_images"`
		TestImages    int                `json:"test_images"`
	} `json:"hyperparameters"`
	Results map[string]json.RawMessage `json:"results"`
}

// anchorModes are the keys of a result's modes.
func anchorModes() []string { return []string{"fuse_bn", "with_bn", "with_bn_reverse_fold"} }

// accuracies names the anchor's accuracies like the stages that repeat them.
func (a *anchor) accuracies(t *testing.T) map[string]float64 {
	t.Helper()
	want := map[string]float64{}
	var float struct{ Accuracy float64 }
	must(t, json.Unmarshal(a.Results["float"], &float))
	want["float"] = float.Accuracy
	for _, mode := range anchorModes() {
		var m struct {
			QAT  float64 `json:"qat_accuracy"`
			Int8 float64 `json:"int8_accuracy"`
		}
		must(t, json.Unmarshal(a.Results[mode], &m))
		want["qat_"+mode], want["int8_"+mode] = m.QAT, m.Int8
	}
	var scratch map[string]struct{ Accuracy float64 }
	must(t, json.Unmarshal(a.Results["qat_from_scratch"], &scratch))
	for _, mode := range anchorModes() {
		want["scratch_"+mode] = scratch[mode].Accuracy
	}
	return want
}

// band is how far an accuracy of the same recipe may be from p: 1.8 standard deviations for this number of test images.
func (a *anchor) band(p float64) float64 {
	return 1.8 * math.Sqrt(p*(1-p)/float64(a.How.TestImages))
}

// eachAnchor runs a subtest for every anchor in the folder.
func eachAnchor(t *testing.T, f func(t *testing.T, shared string, a *anchor)) {
	shared := longShared(t)
	files, err := filepath.Glob(filepath.Join(shared, "anchors", "*", "results.json"))
	must(t, err)
	if len(files) == 0 {
		t.Fatal("the folder of anchors has no results.json")
	}
	for _, file := range files {
		a := &anchor{dir: filepath.Dir(file)}
		readJSON(t, file, a)
		t.Run(filepath.Base(a.dir), func(t *testing.T) { f(t, shared, a) })
	}
}

// TestAnchorAccuracy trains what an independent implementation trained, with its
// hyperparameters and its subset of the data, and compares the accuracies of the
// float net and of the QAT and int8 nets of each mode.
func TestAnchorAccuracy(t *testing.T) {
	eachAnchor(t, func(t *testing.T, shared string, a *anchor) {
		out := t.TempDir()
		args := a.args(t, shared, out, 1)
		for _, mode := range anchorModes() {
			args = append(args, "-stage", "int8_"+mode) // with the float and QAT stages that it needs
		}
		if code := run(t, args...); code != 0 {
			t.Fatalf("exit code %d", code)
		}
		got := readAccuracies(t, out)
		for stage, want := range a.accuracies(t) {
			g, ok := got[stage]
			if strings.HasPrefix(stage, "scratch_") {
				continue
			} else if !ok {
				t.Errorf("the run has no stage %s", stage)
				continue
			}
			t.Logf("%-34s anchor %.4f  qpipe %.4f  %+.4f", stage, want, g, g-want)
			if band := a.band(want); math.Abs(g-want) > band {
				t.Errorf("%s: accuracy %.4f, the anchor has %.4f ± %.4f", stage, g, want, band)
			}
		}
	})
}

// TestAnchorScratch trains quantized from the initial weights on, at four times the anchor's rate and for one epoch
// more: the modes that keep BN reach the anchor's accuracy, and fuse_bn, which has no BN left, stays behind or
// diverges.
func TestAnchorScratch(t *testing.T) {
	eachAnchor(t, func(t *testing.T, shared string, a *anchor) {
		a.How.ScratchEpochs++
		want, out := a.accuracies(t), t.TempDir()
		args := a.args(t, shared, out, 4)
		best := 1.0
		for _, stage := range []string{"scratch_with_bn", "scratch_with_bn_reverse_fold"} {
			if code := run(t, append(slices.Clip(args), "-stage", stage)...); code != 0 {
				t.Fatalf("%s: exit code %d", stage, code)
			}
			got := readAccuracies(t, out)[stage]
			t.Logf("%-34s anchor %.4f  qpipe %.4f", stage, want[stage], got)
			if got < want[stage]-2*a.band(want[stage]) {
				t.Errorf("%s: accuracy %.4f, the anchor has %.4f at a quarter of the rate", stage, got, want[stage])
			}
			best = min(best, got)
		}
		if code := run(t, append(slices.Clip(args), "-stage", "scratch_fuse_bn")...); code != 0 {
			t.Log("fuse_bn diverged")
			return
		}
		got := readAccuracies(t, out)["scratch_fuse_bn"]
		t.Logf("fuse_bn at the same rate: accuracy %.4f", got)
		if got >= best-0.05 {
			t.Errorf("fuse_bn at the same learning rate reached %.4f, the modes with BN %.4f", got, best)
		}
	})
}

// args are the arguments that run the anchor's pipeline, which is written for it; the
// rates from scratch are multiplied.
func (a *anchor) args(t *testing.T, shared, out string, rate float64) []string {
	t.Helper()
	dir := t.TempDir()
	init, file := filepath.Join(dir, "init.safetensors"), filepath.Join(dir, "anchor.hcl")
	exportInit(t, filepath.Join(a.dir, "init.npz"), init)
	data := refvec.DataFolder(t, filepath.Base(a.dir))
	must(t, os.WriteFile(file, []byte(a.pipeline(t, data, rate)), 0o600))
	return []string{"run", "-var", "data_dir=" + data, "-var", "init=" + init, "-out", out, file}
}

// pipeline writes the anchor's recipe: float, QAT and int8 in each mode, and QAT from scratch.
func (a *anchor) pipeline(t *testing.T, data string, rate float64) string {
	h := a.How
	var b strings.Builder
	b.WriteString("variable \"data_dir\" { type = string }\nvariable \"init\" { type = string }\n")
	b.WriteString(a.head(t, data))
	stage := func(name, convert string, epochs int, lr float64) {
		fmt.Fprintf(&b, `
stage %q {
  model      = model.net
  train_data = dataset.train
  val_data   = dataset.test
  model_convert_pipeline {
%s
  }
  trainer {
    num_epochs = %d
    batch_size = %d
    optimizer "SGD" {
      lr           = %g
      momentum     = %g
      weight_decay = %g
    }
    lr_updater "CosLrUpdater" { update_by = "epoch" }
  }
}
`, name, convert, epochs, h.Batch, lr, h.Momentum, h.WeightDecay)
	}
	load := func(from string) string { return "converter \"LoadCheckpoint\" { checkpoint_path = " + from + " }" }
	stage("float", load("var.init"), h.FloatEpochs, h.FloatLR)
	for _, mode := range anchorModes() {
		convert := fmt.Sprintf("qat_mode = %q\nqconfig = qconfig.anchor\n", mode)
		prepare := "\nconverter \"Float2QAT\" {}\n"
		stage("qat_"+mode, convert+load("stage.float.checkpoint.last")+prepare, h.QATEpochs, h.QATLR[mode])
		lr := h.ScratchLR[mode] * rate
		if rate != 1 {
			lr = h.ScratchLR["with_bn"] * rate // the same for all
		}
		stage("scratch_"+mode, convert+load("var.init")+prepare, h.ScratchEpochs, lr)
		fmt.Fprintf(&b, `
stage "int8_%[1]s" {
  model    = model.net
  val_data = dataset.test
  model_convert_pipeline {
    %[2]s%[3]s%[4]s
    converter "QAT2Quantize" {}
  }
}
`, mode, convert, prepare, load("stage.qat_"+mode+".checkpoint.last"))
	}
	return b.String()
}

// head writes the data, the network and how it is quantized.
func (a *anchor) head(t *testing.T, data string) string {
	return a.datasets(t, data) + fmt.Sprintf(`
model "ResNet" "net" {
  depth = 8
  width = %d
}
# The anchor's quantization: the input at a fixed 1/127, logits in float.
qconfig "anchor" {
  override "input" {
    activation {
      observer = "fixed_scale"
      scale    = 1 / 127
    }
  }
  override "head.fc" {
    activation { dtype = "float32" }
  }
}
# The same for the anchor's files, whose nodes have no names.
qconfig "qdq" {
  override "gemm" {
    activation { dtype = "float32" }
  }
}
`, a.How.Width)
}

// datasets writes the data blocks for the folder's layout.
func (a *anchor) datasets(t *testing.T, data string) string {
	flip := ""
	if a.How.Flip {
		flip = "\n  transform \"RandomFlip\" {}"
	}
	if idx, _ := filepath.Glob(filepath.Join(data, "train-images*")); len(idx) > 0 {
		return fmt.Sprintf(`
dataset "MNIST" "train" {
  root        = var.data_dir
  max_samples = %d%s
}
dataset "MNIST" "test" {
  root        = var.data_dir
  split       = "test"
  max_samples = %d
}
`, a.How.TrainImages, flip, a.How.TestImages)
	}
	names := func(pattern string) (list []string, images int) {
		files, _ := filepath.Glob(filepath.Join(data, pattern))
		for _, f := range files {
			info, err := os.Stat(f)
			must(t, err)
			list, images = append(list, filepath.Base(f)), images+int(info.Size())/(1+3*32*32)
		}
		return list, images
	}
	train, n := names("data_batch_*.bin")
	test, m := names("[^d]*.bin") // validation and test
	if n != a.How.TrainImages || m != a.How.TestImages {
		t.Fatalf("%s has %d and %d images, the anchor was trained on %d and tested on %d", data, n, m, a.How.TrainImages, a.How.TestImages)
	}
	return fmt.Sprintf(`
dataset "CIFAR10" "train" {
  root  = var.data_dir
  files = %s%s
}
dataset "CIFAR10" "test" {
  root  = var.data_dir
  split = "test"
  files = %s
}
`, hclList(train), flip, hclList(test))
}

func hclList(list []string) string { return `["` + strings.Join(list, `", "`) + `"]` }

// longShared returns the shared folder; the test is skipped unless QPIPE_LONG is set.
func longShared(t *testing.T) string {
	t.Helper()
	if os.Getenv("QPIPE_LONG") == "" {
		t.Skip("takes minutes: set QPIPE_LONG=1 (make long)")
	}
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	shared := sharedFolder(root)
	if _, err := os.Stat(filepath.Join(shared, "anchors")); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the training anchors are missing: %v", err)
		}
		t.Skipf("no training anchors: %v (set QPIPE_SHARED)", err)
	}
	return shared
}

func run(t *testing.T, args ...string) int {
	t.Helper()
	var out, errs strings.Builder
	s := cli.Streams{In: strings.NewReader(""), Out: &out, Err: &errs, Environ: environ()}
	code := cli.Main(args, s, stdlib.Catalog())
	t.Logf("qpipe %s\n%s%s", strings.Join(args, " "), &out, &errs)
	return code
}

// anchorModules maps the anchor's units to ResNet-8's modules, anchorTensors the
// rest of its tensors' names.
var (
	anchorModules = map[string]string{
		"stem":     "backbone.stem",
		"b1.conv1": "backbone.stage1.0.conv1", "b1.conv2": "backbone.stage1.0.conv2",
		"b2.conv1": "backbone.stage2.0.conv1", "b2.conv2": "backbone.stage2.0.conv2", "b2.down": "backbone.stage2.0.downsample",
		"b3.conv1": "backbone.stage3.0.conv1", "b3.conv2": "backbone.stage3.0.conv2", "b3.down": "backbone.stage3.0.downsample",
	}
	anchorTensors = map[string]string{
		"weight": "conv.weight", "gamma": "bn.weight", "beta": "bn.bias",
		"running_mean": "bn.running_mean", "running_var": "bn.running_var",
	}
)

// exportInit writes the anchor's initial weights as another tool would: a plain safetensors file.
func exportInit(t *testing.T, npz, path string) {
	t.Helper()
	arrays, err := refvec.ReadNPZ(npz)
	if err != nil {
		t.Fatal(err)
	}
	tensors := map[string]safetensors.TensorView{}
	for name, a := range arrays {
		i := strings.LastIndex(name, ".")
		target := "head." + name
		if m, ok := anchorModules[name[:i]]; ok {
			target = m + "." + anchorTensors[name[i+1:]]
		}
		var data []byte
		for _, v := range a.Float32s() {
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
		}
		shape := make([]uint64, len(a.Shape))
		for k, n := range a.Shape {
			shape[k] = uint64(n)
		}
		view, err := safetensors.NewTensorView(safetensors.F32, shape, data)
		if err != nil {
			t.Fatal(err)
		}
		tensors[target] = view
	}
	b, err := safetensors.Serialize(tensors, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// readAccuracies takes every stage's accuracy from a run's manifest.
func readAccuracies(t *testing.T, out string) map[string]float64 {
	t.Helper()
	var m struct {
		Stages []struct {
			Name    string             `json:"name"`
			Metrics map[string]float64 `json:"metrics"`
		} `json:"stages"`
	}
	readJSON(t, filepath.Join(out, "manifest.json"), &m)
	acc := map[string]float64{}
	for _, s := range m.Stages {
		if a, ok := s.Metrics["accuracy"]; ok {
			acc[s.Name] = a
		}
	}
	return acc
}

func readJSON(t *testing.T, path string, v any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}
