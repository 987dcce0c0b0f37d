package exec

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"qpipe/interp/parttest"
	"qpipe/interp/runs"
	"qpipe/lang/program"
)

// rich is a pipeline with a stage that has everything that its result can depend on.
func rich() *program.Program {
	p, x := parttest.Flow()
	ramp := x.Call(program.LRUpdaterKind, "Ramp", "stage.float.trainer.lr_updater.Ramp", parttest.RampArgs{WarmupLen: 2}, "warmup_len")
	p.Stages[0].Trainer.LRUpdater = &ramp
	p.Datasets[0].Transforms = []program.Call{x.Call(program.TransformKind, "Crop", "dataset.train.transform.Crop[0]", parttest.CropArgs{Size: 6}, "size")}
	p.Datasets[1].Transforms = p.Datasets[0].Transforms
	q := p.QConfigs[0]
	own := q.Activation
	own.Rounding, own.Origin = "half_up", x.Origin("qconfig.int8.override[0].activation", "rounding")
	q.Overrides = append(q.Overrides, program.Override{Selector: x.Selector("body.b"), Activation: &own, Origin: x.Origin("qconfig.int8.override[0]")})
	p.Stages[3].Exports = []program.Call{x.Call(program.ExportKind, "Names", "stage.int_infer.export.Names[0]", parttest.NamesArgs{File: "nodes.txt"})}
	p.Stages[3].Proof = program.AllImages
	return p
}

// TestInputs: the inputs of a stage have the same names and values as in manifests of earlier versions, so that what those ran is
// still up to date. Every field of a stage either counts or is marked as not counting.
func TestInputs(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	ran(t, rich(), world(dir))
	m, err := runs.ReadManifest(dir)
	must(t, err)
	got := map[string]map[string]string{}
	for _, e := range m.Stages {
		in := maps.Clone(e.Inputs)
		delete(in, "version")
		maps.DeleteFunc(in, func(key, _ string) bool { return len(key) > 6 && key[:6] == "stage." }) // hashes of checkpoints
		got[e.Name] = in
	}
	path := filepath.Join("testdata", "inputs.json")
	text, err := json.MarshalIndent(got, "", "  ")
	must(t, err)
	if os.Getenv("QPIPE_UPDATE") != "" {
		must(t, os.WriteFile(path, append(text, '\n'), 0o600))
	}
	data, err := os.ReadFile(path)
	must(t, err)
	want := map[string]map[string]string{}
	must(t, json.Unmarshal(data, &want))
	for name := range want {
		for _, key := range slices.Sorted(maps.Keys(want[name])) {
			if got[name][key] != want[name][key] {
				t.Errorf("stage %s: %s is %s, and was %s", name, key, got[name][key], want[name][key])
			}
		}
		if !reflect.DeepEqual(got[name], want[name]) {
			t.Errorf("stage %s has other inputs: %v", name, got[name])
		}
	}
}
