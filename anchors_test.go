package main

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nlpodyssey/safetensors"

	"qpipe/interp/cli"
	"qpipe/ops/refvec"
	"qpipe/stdlib"
)

// anchors are the pipelines in testdata/anchors, each named after the folder of
// ../shared/anchors that it repeats, with the folder of its data and the band
// (in accuracy) that the comparison allows.
var anchors = []struct {
	name, data string
	band       float64
}{
	{"mnist_resnet8", "mnist", 0.005},
	{"clothing10_resnet8", "clothing10", 0.03},
}

// TestAnchorAccuracy trains what an independent implementation trained, with its
// hyperparameters and its subset of the data, and compares the accuracies of the
// float net and of the QAT and int8 nets of each mode.
func TestAnchorAccuracy(t *testing.T) {
	shared := longShared(t)
	for _, a := range anchors {
		t.Run(a.name, func(t *testing.T) {
			want := readAnchor(t, filepath.Join(shared, "anchors", a.name, "results.json"))
			got := runAnchor(t, a.name, shared, a.data)
			for stage, accuracy := range want {
				g, ok := got[stage]
				if !ok {
					t.Errorf("%s: the run has no such stage", stage)
					continue
				}
				t.Logf("%-34s anchor %.4f  qpipe %.4f  %+.4f", stage, accuracy, g, g-accuracy)
				if math.Abs(g-accuracy) > a.band {
					t.Errorf("%s: accuracy %.4f, the anchor has %.4f ± %.3f", stage, g, accuracy, a.band)
				}
			}
		})
	}
}

// TestAnchorScratch trains quantized from the first weights on: the modes that keep
// BN converge on MNIST where fuse_bn at the same learning rate, 0.2, does not. (At
// 0.05 it does too on this net, whose first weights need no BN.)
func TestAnchorScratch(t *testing.T) {
	shared := longShared(t)
	out := t.TempDir()
	args := append(anchorArgs(t, "mnist_resnet8", shared, "mnist"), "-out", out, "-var", "scratch_epochs=4", "-var", "scratch_lr=0.2", "-var", "scratch_fuse_bn_lr=0.2")
	for _, s := range []string{"scratch_with_bn", "scratch_with_bn_reverse_fold"} {
		if code := run(t, append(args, "-stage", s, "testdata/anchors/mnist_resnet8.hcl")...); code != 0 {
			t.Fatalf("%s: exit code %d", s, code)
		}
		if got := readAccuracies(t, out)[s]; got < 0.95 {
			t.Errorf("%s: accuracy %.4f, want above 0.95", s, got)
		}
	}
	if code := run(t, append(args, "-stage", "scratch_fuse_bn", "testdata/anchors/mnist_resnet8.hcl")...); code == 0 {
		got := readAccuracies(t, out)["scratch_fuse_bn"]
		t.Logf("fuse_bn at lr 0.2: accuracy %.4f", got)
		if got >= 0.90 {
			t.Errorf("fuse_bn at the same learning rate reached %.4f: it should diverge or stay below 0.90", got)
		}
	} else {
		t.Log("fuse_bn at lr 0.2 diverged")
	}
}

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
	s := cli.Streams{In: strings.NewReader(""), Out: &out, Err: &errs, Environ: os.Environ()}
	code := cli.Main(args, s, stdlib.Catalog())
	t.Logf("qpipe %s\n%s%s", strings.Join(args, " "), &out, &errs)
	return code
}

func runAnchor(t *testing.T, name, shared, data string) map[string]float64 {
	t.Helper()
	out := t.TempDir()
	args := append(anchorArgs(t, name, shared, data), "-out", out)
	for _, mode := range []string{"fuse_bn", "with_bn", "with_bn_reverse_fold"} {
		args = append(args, "-stage", "int8_"+mode) // with the float and QAT stages that it needs
	}
	args = append(args, "testdata/anchors/"+name+".hcl")
	if code := run(t, args...); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	return readAccuracies(t, out)
}

// anchorArgs are the arguments that all runs of an anchor's pipeline share.
func anchorArgs(t *testing.T, name, shared, data string) []string {
	t.Helper()
	init := filepath.Join(t.TempDir(), "init.safetensors")
	exportInit(t, filepath.Join(shared, "anchors", name, "init.npz"), init)
	return []string{"run", "-var", "data_dir=" + filepath.Join(shared, "data", data), "-var", "init=" + init}
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

// exportInit writes the anchor's first weights as another tool would: a plain
// safetensors file.
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

// readAnchor names the anchor's accuracies like the stages that repeat them.
func readAnchor(t *testing.T, path string) map[string]float64 {
	t.Helper()
	type mode struct {
		QAT  float64 `json:"qat_accuracy"`
		Int8 float64 `json:"int8_accuracy"`
	}
	var r struct {
		Results struct {
			Float struct {
				Accuracy float64 `json:"accuracy"`
			} `json:"float"`
			FuseBN      mode `json:"fuse_bn"`
			WithBN      mode `json:"with_bn"`
			ReverseFold mode `json:"with_bn_reverse_fold"`
		} `json:"results"`
	}
	readJSON(t, path, &r)
	want := map[string]float64{"float": r.Results.Float.Accuracy}
	for name, m := range map[string]mode{"fuse_bn": r.Results.FuseBN, "with_bn": r.Results.WithBN, "with_bn_reverse_fold": r.Results.ReverseFold} {
		want["qat_"+name], want["int8_"+name] = m.QAT, m.Int8
	}
	return want
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
