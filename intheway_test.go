package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const numberedPipeline = `
dataset "Glyphs" "train" { num_samples = 64 }
dataset "Glyphs" "test" {
  split       = "test"
  num_samples = 32
}
model "LeNet" "net" { width = 1 }
stage "float" {
  model      = model.net
  train_data = dataset.train
  val_data   = dataset.test
  trainer {
    num_epochs = 4
    batch_size = 16
    optimizer "SGD" { lr = 0.1 }
  }
  callback "Checkpoint" {
    interval       = 2
    interval_steps = 3
    keep           = 1
  }
}
`

// TestInTheWay: if a file that a stage would write exists already, it is named before the stage begins, and stays; all
// of them at once. Files that the stage does not write are not in the way.
func TestInTheWay(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "x.hcl"), []byte(numberedPipeline), 0o600))
	run := func(out string) (string, error) {
		cmd := exec.Command("qpipe", "run", "-json", "-out", out, "x.hcl")
		cmd.Dir = dir
		said, err := cmd.CombinedOutput()
		return string(said), err
	}
	if said, err := run("clean"); err != nil {
		t.Fatal(said)
	}
	names := map[string]bool{}
	log, err := os.ReadFile(filepath.Join(dir, "clean", "events.jsonl"))
	must(t, err)
	for line := range bytes.Lines(log) {
		var e struct {
			Event string
			Data  struct{ Name string }
		}
		must(t, json.Unmarshal(line, &e))
		if e.Event == "checkpoint" {
			names[e.Data.Name] = true
		}
	}
	if len(names) != 9 { // last, best, epochs 2 and 4, steps 3 to 15
		t.Fatalf("it has written %v", names)
	}

	plant := func(out, name string) {
		must(t, os.MkdirAll(filepath.Join(dir, out, "float"), 0o700))
		must(t, os.WriteFile(filepath.Join(dir, out, "float", name+".safetensors"), []byte("mine"), 0o600))
	}
	check := func(out string, names ...string) {
		said, err := run(out)
		if err == nil || !strings.Contains(said, "QP456") || strings.Contains(said, `"event":"stage_start"`) {
			t.Errorf("%s: %v\n%s", out, err, said)
		}
		for _, name := range names {
			if !strings.Contains(said, "float/"+name+".safetensors") {
				t.Errorf("%s is not named: %s", name, said)
			}
			if text, err := os.ReadFile(filepath.Join(dir, out, "float", name+".safetensors")); err != nil || string(text) != "mine" {
				t.Errorf("%s: %q, %v", name, text, err)
			}
		}
	}
	var all []string
	for name := range names {
		plant(name, name)
		check(name, name)
		plant("all", name)
		all = append(all, name)
	}
	check("all", all...)

	for _, name := range []string{"epoch-0001", "epoch-0006", "step-00000004", "step-00000018", "step-3", "last-copy"} {
		plant("none", name)
	}
	if said, err := run("none"); err != nil {
		t.Error(said)
	}
}
