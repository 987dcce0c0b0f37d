package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"qpipe/interp/cli"
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
			got := runAnchor(t, a.name, filepath.Join(shared, "data", a.data))
			for stage, accuracy := range want {
				g, ok := got[stage]
				if !ok {
					t.Errorf("%s: the run has no such stage", stage)
					continue
				}
				t.Logf("%-34s anchor %.4f  qpipe %.4f  %+.4f", stage, accuracy, g, g-accuracy)
				if strings.HasPrefix(stage, "scratch_") {
					continue // judged below: three epochs from random weights scatter more than the band
				}
				if math.Abs(g-accuracy) > a.band {
					t.Errorf("%s: accuracy %.4f, the anchor has %.4f ± %.3f", stage, g, accuracy, a.band)
				}
			}
		})
	}
}

// TestAnchorScratch trains from random weights: the modes that keep BN converge
// on MNIST where fuse_bn at the same learning rate does not.
func TestAnchorScratch(t *testing.T) {
	shared := longShared(t)
	out := t.TempDir()
	args := []string{"run", "-out", out, "-var", "data_dir=" + filepath.Join(shared, "data", "mnist"), "-var", "scratch_fuse_bn_lr=0.05"}
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
		t.Logf("fuse_bn at lr 0.05: accuracy %.4f", got)
		if got >= 0.90 {
			t.Errorf("fuse_bn at the same learning rate reached %.4f: it should diverge or stay below 0.90", got)
		}
	} else {
		t.Log("fuse_bn at lr 0.05 diverged")
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

func runAnchor(t *testing.T, name, data string) map[string]float64 {
	t.Helper()
	out := t.TempDir()
	if code := run(t, "run", "-out", out, "-var", "data_dir="+data, "testdata/anchors/"+name+".hcl"); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	return readAccuracies(t, out)
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
	type plain struct {
		Accuracy float64 `json:"accuracy"`
	}
	var r struct {
		Results struct {
			Float       plain            `json:"float"`
			FuseBN      mode             `json:"fuse_bn"`
			WithBN      mode             `json:"with_bn"`
			ReverseFold mode             `json:"with_bn_reverse_fold"`
			Scratch     map[string]plain `json:"qat_from_scratch"`
		} `json:"results"`
	}
	readJSON(t, path, &r)
	want := map[string]float64{"float": r.Results.Float.Accuracy}
	for name, m := range map[string]mode{"fuse_bn": r.Results.FuseBN, "with_bn": r.Results.WithBN, "with_bn_reverse_fold": r.Results.ReverseFold} {
		want["qat_"+name], want["int8_"+name] = m.QAT, m.Int8
	}
	for name, p := range r.Results.Scratch {
		want["scratch_"+strings.TrimSuffix(name, "_same_budget")] = p.Accuracy
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
