package exec

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"qpipe/interp/event"
	"qpipe/interp/parttest"
	"qpipe/interp/runs"
	"qpipe/lang/diag"
	"qpipe/lang/program"
)

// edited is the same pipeline with another learning rate in qat.
func edited() *program.Program {
	p, _ := parttest.Flow()
	p.Stages[2].Trainer.Optimizer.Args = parttest.SGDArgs{LR: 0.02, Momentum: 0.9}
	return p
}

// TestNothingIsThrownAway: whatever is edited or forced in between, an interrupted attempt continues
// where it stopped as soon as its text is restored.
func TestNothingIsThrownAway(t *testing.T) {
	p, _ := parttest.Flow()
	clean := t.TempDir()
	ran(t, p, world(clean))
	want := products(t, clean)

	dir := filepath.Join(t.TempDir(), "run")
	interrupted(t, p, dir, "qat", 3)
	interrupted(t, edited(), dir, "qat", 1)
	interrupted(t, edited(), dir, "qat", 1)
	steps := 0
	o := world(dir)
	o.Events = func(e event.Event) {
		if d, ok := e.Data.(event.Resume); ok && e.Stage == "qat" {
			steps = d.CheckpointStep
		}
	}
	r := ran(t, p, o)
	if got := states(r); !strings.Contains(got, "qat: ran (continues what was kept of an earlier attempt)") || steps == 0 {
		t.Errorf("from step %d:\n%s", steps, got)
	}
	if d := differences(sorted(want), sorted(products(t, dir))); d != nil {
		t.Errorf("%v", d)
	}
}

// TestDamagedWhereItIsKept: a kept result with damaged files is not restored. It does not keep a stage from running either, not even
// if its restoration was begun and could not be finished.
func TestDamagedWhereItIsKept(t *testing.T) {
	p, _ := parttest.Flow()
	clean, changed := t.TempDir(), t.TempDir()
	ran(t, p, world(clean))
	ran(t, edited(), world(changed))
	for _, c := range []struct {
		next *program.Program
		want string
	}{{p, clean}, {edited(), changed}} {
		for i, lose := range []func(path string){
			func(path string) { flip(t, path) },
			func(path string) { must(t, os.Truncate(path, 2000)) },
			func(path string) { // its move back was cut off, and what had come is damaged
				at := filepath.Join(filepath.Dir(path), "..", "..", "..", "qat", filepath.Base(path))
				must(t, os.Rename(path, at))
				flip(t, at)
			},
			func(path string) { // so was its move there
				data, err := os.ReadFile(path)
				must(t, err)
				flip(t, path)
				must(t, os.WriteFile(filepath.Join(filepath.Dir(path), "..", filepath.Base(path)), data, 0o600))
			},
		} {
			dir := t.TempDir()
			ran(t, p, world(dir))
			interrupted(t, edited(), dir, "qat", 1)
			lose(filepath.Join(dir, ".previous", "qat", "1", "best.safetensors"))
			o := world(dir)
			heard := events(&o)
			told := strings.Contains(states(ran(t, c.next, o)), "what was kept does not come back: its .previous/qat/1/best.safetensors is ")
			lost := c.next == p && i < 3
			if told != lost || count[event.Fallback](*heard) > 0 != lost {
				t.Errorf("%d: what was kept: told %t, want %t", i, told, lost)
			}
			if e, _ := os.ReadDir(filepath.Join(dir, ".previous")); len(e) > 0 && lost {
				t.Errorf("%d: there is still %v", i, e)
			}
			if d := differences(sorted(current(products(t, c.want))), sorted(current(products(t, dir)))); d != nil {
				t.Error(d)
			}
		}
	}
}

// TestContinues: an interrupted stage is continued by default; -force starts it over.
func TestContinues(t *testing.T) {
	p, _ := parttest.Flow()
	clean := t.TempDir()
	ran(t, p, world(clean))
	for _, force := range []bool{false, true} {
		dir := filepath.Join(t.TempDir(), "run")
		interrupted(t, p, dir, "float", 2)
		o := world(dir)
		o.Force = force
		heard := events(&o)
		r := ran(t, p, o)
		if got := count[event.Resume](*heard); got > 0 == force || !force && !strings.HasPrefix(states(r), "float: ran (continues: it was interrupted)") {
			t.Errorf("force %t: %d resumed\n%s", force, got, states(r))
		}
		if d := differences(products(t, clean), products(t, dir)); d != nil {
			t.Errorf("force %t: %v", force, d)
		}
	}
}

// TestLostManifest: a damaged manifest is reported. A missing one is rebuilt from the log, and
// nothing is trained twice.
func TestLostManifest(t *testing.T) {
	p, _ := parttest.Flow()
	clean := t.TempDir()
	ran(t, p, world(clean))

	dir := t.TempDir()
	ran(t, p, world(dir))
	flip(t, filepath.Join(dir, runs.ManifestName))
	for range 2 {
		if _, d := broke(t, p, world(dir)); d.Code != diag.Damaged || !strings.Contains(d.Summary, "manifest.json") || !strings.Contains(d.Detail, "rebuilds it from events.jsonl") {
			t.Errorf("%s %s %s", d.Code, d.Summary, d.Detail)
		}
	}
	must(t, os.Remove(filepath.Join(dir, runs.ManifestName)))
	r := ran(t, p, world(dir))
	if got := states(r); strings.Count(got, "up to date (nothing has changed)") != 4 {
		t.Errorf("%s", got)
	}

	half := filepath.Join(t.TempDir(), "run")
	interrupted(t, p, half, "qat", 3)
	must(t, os.Remove(filepath.Join(half, runs.ManifestName)))
	r = ran(t, p, world(half))
	if got := states(r); !strings.Contains(got, "qat: ran (continues: it was interrupted)") {
		t.Errorf("%s", got)
	}
	if d := differences(products(t, clean), products(t, half)); d != nil {
		t.Errorf("%v", d)
	}
}

// TestOtherPipeline: a folder belongs to one pipeline, which may be edited or moved; for both together, -adopt is needed.
func TestOtherPipeline(t *testing.T) {
	p, _ := parttest.Flow()
	p.Stages = p.Stages[:1]
	at := func(file, text string) *program.Program {
		q := *p
		q.Files, q.SHA256 = []string{file}, text
		return &q
	}
	dir := t.TempDir()
	ran(t, at("a/p.hcl", "1"), world(dir))
	ran(t, at("a/p.hcl", "2"), world(dir))
	ran(t, at("b/p.hcl", "2"), world(dir))
	_, d := broke(t, at("a/p.hcl", "3"), world(dir))
	if d.Code != diag.OtherPipeline || !strings.Contains(d.Summary, filepath.FromSlash("b/p.hcl")) || !strings.Contains(d.Detail, "-out") {
		t.Errorf("%s %s %s", d.Code, d.Summary, d.Detail)
	}
	if _, list := Explain(lowered(t, at("a/p.hcl", "3")), world(dir)); !list.HasErrors() {
		t.Error("plan says nothing")
	}
	o := world(dir)
	o.Adopt = true
	ran(t, at("a/p.hcl", "3"), o)
	ran(t, at("a/p.hcl", "4"), world(dir))
}

// TestOwnFiles: files that a user puts into a run's folder survive everything that a run can do. If they
// are where the run must write, they are reported before hours are lost.
func TestOwnFiles(t *testing.T) {
	p, _ := parttest.Flow()
	dir := t.TempDir()
	ran(t, p, world(dir))
	mine := map[string]string{
		"notes.txt": "n", "qat/notes.txt": "n", "qat/plots/p.png": "p", "qat/.last.safetensors.tmp": "t", ".x.00000000.tmp": "t",
		".manifest.json.00000000.tmp": "mine", ".manifest.json.deadbeef.tmp": "{", ".events.jsonl.00000001.tmp": "# mine", "qat/.last.safetensors.00000000.tmp": "mine",
		"float/favourite.safetensors": products(t, dir)["float/best.safetensors"], "qat/epoch-copy.safetensors": "x", ".previous/qat/notes": "n",
	}
	for name, text := range mine {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	o := world(dir)
	o.Force = true
	ran(t, edited(), o)
	ran(t, p, world(dir))
	interrupted(t, edited(), dir, "qat", 1)
	ran(t, p, world(dir))
	for name, text := range mine {
		if got := products(t, dir)[name]; got != text {
			t.Errorf("%s is %.20q", name, got)
		}
	}
}

// TestStageThatIsLeftOut: a stage that is removed from the text keeps its files and metrics, and is up to date when it is added again.
func TestStageThatIsLeftOut(t *testing.T) {
	p, _ := parttest.Flow()
	dir := t.TempDir()
	ran(t, p, world(dir))
	before := products(t, dir)
	less, _ := parttest.Flow()
	less.Stages = slices.Delete(less.Stages, 2, 4)
	for _, q := range []*program.Program{less, p} {
		if got := states(ran(t, q, world(dir))); strings.Count(got, "up to date (nothing has changed)") != len(q.Stages) {
			t.Error(got)
		}
		if d := differences(before, products(t, dir)); d != nil {
			t.Error(d)
		}
	}
}

// TestLostLog: a new log of events has the entries of the stages again. If the manifest is lost as well,
// all files that are in the way are reported at once.
func TestLostLog(t *testing.T) {
	p, _ := parttest.Flow()
	for left, leave := range map[string]func(log string) string{
		"no file":    func(string) string { return "" },
		"nothing":    func(string) string { return "" },
		"half of it": func(log string) string { return log[:len(log)/2] },
		"no checks":  func(log string) string { return strings.ReplaceAll(log, "check", "cheque") },
	} {
		dir := t.TempDir()
		ran(t, p, world(dir))
		log := filepath.Join(dir, runs.EventsName)
		text, err := os.ReadFile(log)
		must(t, err)
		must(t, os.WriteFile(log, []byte(leave(string(text))), 0o600))
		if left == "no file" {
			must(t, os.Remove(log))
		}
		for range 2 {
			r := ran(t, p, world(dir))
			if got := states(r); strings.Count(got, "up to date (nothing has changed)") != 4 {
				t.Errorf("%s is left of the log: %s", left, got)
			}
			must(t, os.Remove(filepath.Join(dir, runs.ManifestName)))
		}
	}

	dir := t.TempDir()
	ran(t, p, world(dir))
	before := products(t, dir)
	for _, name := range []string{runs.EventsName, runs.ManifestName} {
		must(t, os.Remove(filepath.Join(dir, name)))
	}
	o := world(dir)
	heard := events(&o)
	_, list := Run(context.Background(), lowered(t, p), o)
	if len(list) != 1 || list[0].Code != diag.Foreign || count[event.Start](*heard) > 0 {
		t.Fatalf("%v", list)
	}
	for name := range before {
		if strings.HasSuffix(name, ".safetensors") && !strings.Contains(list[0].Summary, name) {
			t.Errorf("%s is not named: %s", name, list[0].Summary)
		}
	}
	if !strings.Contains(list[0].Summary, "There is no manifest.json") {
		t.Error(list[0].Summary)
	}
	if d := differences(before, products(t, dir)); d != nil {
		t.Errorf("%v", d)
	}
}
