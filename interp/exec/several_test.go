package exec

import (
	"context"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"qpipe/interp/artifact"
	"qpipe/interp/eval"
	"qpipe/interp/part"
	"qpipe/interp/parttest"
	"qpipe/interp/runs"
	"qpipe/lang/program"
	"qpipe/stdlib/losses"
)

// TestSeveral: a network with two inputs and three outputs, for a class, a mask and numbers, goes through everything: it learns, its
// int8 form has the same integers, the bytes do not depend on threads, and it can be resumed after any kill.
func TestSeveral(t *testing.T) {
	p, _ := parttest.Several()
	dir := filepath.Join(t.TempDir(), "run")
	r := ran(t, p, world(dir))
	first, last := products(t, dir), r.Stages[3]
	if m := last.Metrics; last.Form != "quantized" || m["accuracy"] < 0.6 || m["mask_accuracy"] < 0.8 || m["size_error"] > 0.2 {
		t.Errorf("it has learned too little: %v", m)
	}
	m, err := runs.ReadManifest(dir)
	must(t, err)
	if proof := m.Stage("int_infer").Proof; proof == nil || proof.Changed != 0 || len(proof.Nodes) != 10 || proof.Images != 24 {
		t.Errorf("%+v", proof)
	}
	d, err := artifact.Describe(filepath.Join(dir, "int_infer", "int8.safetensors"))
	must(t, err)
	if len(d.Inputs) != 2 || len(d.Outputs) != 3 || d.Inputs[1].Name != "depth" || !d.Inputs[1].Preprocessing.Numbers || d.Outputs[1].Name != "head.mask" ||
		len(d.Classes) != 3 || d.Classes[2] != "far" {
		t.Errorf("%+v", d)
	}

	o := world(filepath.Join(t.TempDir(), "other"))
	o.Threads = 3
	ran(t, p, o)
	if d := differences(first, products(t, o.Out)); d != nil {
		t.Errorf("three threads: %v", d)
	}
	for i, c := range crashes(t, p, world(filepath.Join(t.TempDir(), "run"))) {
		if i%4 != 0 || skips(i) {
			continue
		}
		o := world(c.dir)
		o.Resume = true
		ran(t, p, o)
		if d := differences(first, products(t, c.dir)); d != nil {
			t.Errorf("killed at %s: %v", c.what, d)
		}
	}
}

// TestSeveralSplit: a loss and a metric for each output give the weights that one loss over all of them gives, and each is reported
// by itself. A run that was killed ends with the same bytes. Another weight gives other weights.
func TestSeveralSplit(t *testing.T) {
	weights := func(dir string) any {
		snap, err := artifact.Read(filepath.Join(dir, "int_infer", "int8.safetensors"))
		must(t, err)
		return snap.Model
	}
	flow := func(change func(p *program.Program)) (*program.Program, string, map[string]float64) {
		p, x := parttest.Several()
		if change != nil {
			parttest.Split(p, x)
			change(p)
		}
		dir := filepath.Join(t.TempDir(), "run")
		return p, dir, ran(t, p, world(dir)).Stages[0].Metrics
	}
	_, whole, one := flow(nil)
	p, split, three := flow(func(*program.Program) {})
	if !reflect.DeepEqual(weights(whole), weights(split)) {
		t.Error("the weights differ")
	}
	sum := three["head_fc_loss"] + three["head_mask_loss"] + three["head_size_loss"]
	if three["head_fc_accuracy"] != one["accuracy"] || three["head_mask_accuracy"] != one["mask_accuracy"] || math.Abs(sum-three["loss"]) > 1e-6*sum || sum == 0 {
		t.Errorf("%v, as one %v", three, one)
	}
	if _, heavy, _ := flow(func(p *program.Program) { p.Stages[0].Trainer.Losses[1].Weight = 0.25 }); reflect.DeepEqual(weights(heavy), weights(split)) {
		t.Error("the weight of a loss has no effect")
	}
	want := products(t, split)
	for i, c := range crashes(t, p, world(filepath.Join(t.TempDir(), "run"))) {
		if i%9 != 0 || skips(i) {
			continue
		}
		o := world(c.dir)
		o.Resume = true
		ran(t, p, o)
		if d := differences(want, products(t, c.dir)); d != nil {
			t.Errorf("killed at %s: %v", c.what, d)
		}
	}
}

// TestSeveralStopped: an interrupted run continues to the same bytes.
func TestSeveralStopped(t *testing.T) {
	p, _ := parttest.Several()
	clean := t.TempDir()
	ran(t, p, world(clean))
	for n := range 4 {
		dir := filepath.Join(t.TempDir(), "run")
		interrupted(t, p, dir, []string{"float", "float", "qat", "qat"}[n], 1+n%2)
		o := world(dir)
		o.Resume = true
		ran(t, p, o)
		if d := differences(products(t, clean), products(t, dir)); d != nil {
			t.Errorf("stopped %d: %v", n, d)
		}
	}
}

// TestSeveralEvaluated: an evaluation uses the metrics and the loss of the pipeline if the usual ones do not fit. Its results are
// those of the stage, and a dump has every input, target and output.
func TestSeveralEvaluated(t *testing.T) {
	p, _ := parttest.Several()
	dir := filepath.Join(t.TempDir(), "run")
	want := ran(t, p, world(dir)).Stages[3].Metrics
	catalogue := append(parttest.Catalog(), part.LossPart("CrossEntropyLoss", "", losses.CrossEntropyArgs{}, losses.NewCrossEntropy))
	dump := filepath.Join(t.TempDir(), "dump")
	w := world(dir)
	e, list := eval.Run(context.Background(), p, catalogue, eval.Options{
		Out: dir, Kernels: w.Kernels, Clock: w.Clock, FS: w.FS, Model: "stage.int_infer.checkpoint.int8", Data: p.Datasets[1], Batch: 7, Dump: dump,
	})
	if list.HasErrors() {
		t.Fatal(list[0])
	}
	for name, v := range want {
		if e.Metrics[name] != v {
			t.Errorf("%s is %v, and the stage found %v", name, e.Metrics[name], v)
		}
	}
	if loss := e.Metrics["loss"]; !(loss > 0 && loss < 3) || len(e.Metrics) != 4 {
		t.Errorf("%v", e.Metrics)
	}
	if python := os.Getenv("QPIPE_PYTHON"); python != "" {
		model := filepath.Join(dir, "int_infer", "int8.safetensors")
		if out, err := exec.Command(python, "../../tools/readback/readback.py", model, dump).CombinedOutput(); err != nil {
			t.Errorf("tools/readback finds other numbers: %v\n%s", err, out)
		}
	}
	var files []string
	entries, err := os.ReadDir(dump)
	must(t, err)
	for _, f := range entries {
		files = append(files, f.Name())
	}
	slices.Sort(files)
	if got, want := strings.Join(files, " "), "images-depth.npy images-image.npy index.json labels-class.npy labels-mask.npy logits-head.fc.npy logits-head.mask.npy logits-head.size.npy nodes numbers-size.npy predictions-head.fc.npy predictions-head.mask.npy"; got != want {
		t.Errorf("the dump has %s", got)
	}
}

// TestSpoiltSample: a sample that does not match the description of its data set is reported.
func TestSpoiltSample(t *testing.T) {
	p, x := parttest.Several()
	p.Datasets[0].Call = x.Call(program.DatasetKind, "Scenes", "dataset.Scenes.train", parttest.ScenesArgs{N: 40, Spoilt: 5})
	if _, d := broke(t, p, world(t.TempDir())); !strings.Contains(d.Summary, `image 5: its "mask" label is 2, but the data set declares 0 to 1`) {
		t.Errorf("%s: %s", d.Code, d.Summary)
	}
}
