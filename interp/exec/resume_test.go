package exec

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"qpipe/interp/artifact"
	"qpipe/interp/disk"
	"qpipe/interp/event"
	"qpipe/interp/parttest"
	"qpipe/lang/diag"
	"qpipe/lang/program"
)

// crash is a copy of a run's folder as a crash would leave it at that time.
type crashed struct{ what, dir string }

// crashes runs a pipeline and copies its folder between the steps of every
// write. A kill at any time leaves one of these.
func crashes(t *testing.T, p *program.Program, o Options) []crashed {
	t.Helper()
	root := t.TempDir()
	var all []crashed
	o.trace = func(step, path string) error {
		rel := path
		if rel == "events.jsonl" && (step == disk.StepAppend || step == disk.StepHalf) {
			return nil
		}
		c := crashed{fmt.Sprint(len(all), " ", step, " of ", rel), filepath.Join(root, fmt.Sprint(len(all)))}
		if err := os.CopyFS(c.dir, os.DirFS(o.Out)); err != nil {
			t.Error(err)
		}
		all = append(all, c)
		return nil
	}
	ran(t, p, o)
	return all
}

// TestKills: after a kill at any time, --resume ends with the same bytes. The kills
// are in the middle of checkpoint writes, before and after absorptions, at the end of
// epochs, and during calibration.
func TestKills(t *testing.T) {
	p, _ := parttest.Flow()
	clean := t.TempDir()
	ran(t, p, world(clean))
	want := products(t, clean)

	all := crashes(t, p, world(filepath.Join(t.TempDir(), "run")))
	if len(all) < 60 {
		t.Fatalf("only %d moments", len(all))
	}
	for i, c := range all {
		if skips(i) {
			continue
		}
		tear(t, filepath.Join(c.dir, "metrics.jsonl"), i)
		o := world(c.dir)
		o.Resume = true
		ran(t, p, o)
		if d := differences(want, products(t, c.dir)); d != nil {
			t.Errorf("killed at %s: %v", c.what, d)
		}
	}
}

// skips leaves out most kills; QPIPE_LONG=1 tries them all.
func skips(i int) bool { return os.Getenv("QPIPE_LONG") == "" && i%5 != 0 }

// tear leaves half a line at the end of a log, as a kill during a write would. Without a manifest
// no line has been written.
func tear(t *testing.T, path string, i int) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(filepath.Dir(path), "manifest.json")); err != nil {
		return
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return // not there yet
	}
	defer func() { _ = f.Close() }()
	line := `{"stage":"qat","event":"epoch","epoch":1`
	_, err = f.WriteString(line[:i%len(line)])
	must(t, err)
}

// TestKillsOfASecondRun: after an edit, stages run again that were complete. After a kill at
// any time, the edited pipeline resumes to its own bytes. The pipeline before the edit
// is still up to date, is up to date again, or ends with its own bytes.
func TestKillsOfASecondRun(t *testing.T) {
	old, _ := parttest.Flow()
	edited, _ := parttest.Flow()
	edited.Stages[2].Trainer.Optimizer.Args = parttest.SGDArgs{LR: 0.02, Momentum: 0.9}
	for _, p := range []*program.Program{old, edited} {
		p.Stages = p.Stages[:3]
	}
	origin := t.TempDir()
	ran(t, old, world(origin))
	before := products(t, origin)

	run := filepath.Join(t.TempDir(), "run")
	if err := os.CopyFS(run, os.DirFS(origin)); err != nil {
		t.Fatal(err)
	}
	all := crashes(t, edited, world(run))
	after := products(t, run)
	for i, c := range all {
		if skips(i) {
			continue
		}
		back := c.dir + "-back"
		if err := os.CopyFS(back, os.DirFS(c.dir)); err != nil {
			t.Fatal(err)
		}
		o := world(c.dir)
		o.Resume = true
		ran(t, edited, o)
		if d := differences(after, products(t, c.dir)); d != nil {
			t.Errorf("killed at %s: %v", c.what, d)
		}
		ran(t, old, world(back))
		if d := differences(sorted(before), sorted(current(products(t, back)))); d != nil {
			t.Errorf("killed at %s, the edit taken back: %v", c.what, d)
		}
		ran(t, edited, world(back))
		if d := differences(sorted(after), sorted(current(products(t, back)))); d != nil {
			t.Errorf("killed at %s, the edit taken back and made again: %v", c.what, d)
		}
	}
}

// TestStop interrupts at every step: a checkpoint is written, and --resume ends
// with the same bytes.
func TestStop(t *testing.T) {
	p, _ := parttest.Flow()
	clean := t.TempDir()
	ran(t, p, world(clean))
	want := products(t, clean)
	for n := 1; n < 12; n += 2 {
		dir := filepath.Join(t.TempDir(), "run")
		o := world(dir)
		stop := make(chan struct{})
		o.Stop = stop
		seen := 0
		o.Events = func(e event.Event) {
			if is[event.Checkpoint](e) || is[event.Validation](e) || is[event.Absorb](e) {
				if seen++; seen == n {
					close(stop)
				}
			}
		}
		r, list := Run(context.Background(), lowered(t, p), o)
		if list.HasErrors() || !r.Interrupted || !strings.Contains(states(r), ": interrupted (") {
			t.Fatalf("stopped at event %d: %v\n%s", n, list, states(r))
		}
		o = world(dir)
		o.Resume = true
		r = ran(t, p, o)
		if !strings.Contains(states(r), ": ran (continues: it was interrupted)") {
			t.Errorf("%s", states(r))
		}
		if d := differences(want, products(t, dir)); d != nil {
			t.Errorf("stopped at event %d: %v", n, d)
		}
	}
}

// interrupted runs a pipeline until after the given checkpoint event of a stage.
func interrupted(t *testing.T, p *program.Program, dir, stageName string, n int) {
	t.Helper()
	o := world(dir)
	stop := make(chan struct{})
	o.Stop = stop
	o.Events = func(e event.Event) {
		if is[event.Checkpoint](e) && e.Stage == stageName {
			if n--; n == 0 {
				close(stop)
			}
		}
	}
	r, list := Run(context.Background(), lowered(t, p), o)
	if list.HasErrors() || !r.Interrupted {
		for _, d := range list {
			t.Log(d.Code, d.Summary)
		}
		t.Fatalf("%v\n%s", list, states(r))
	}
}

// TestFallBack: a damaged checkpoint is skipped with a warning, and an intact one is used.
func TestFallBack(t *testing.T) {
	p, _ := parttest.Flow()
	clean := t.TempDir()
	ran(t, p, world(clean))
	want := products(t, clean)

	dir := filepath.Join(t.TempDir(), "run")
	interrupted(t, p, dir, "qat", 4)
	flip(t, filepath.Join(dir, "qat", "last.safetensors"))
	o := world(dir)
	o.Resume = true
	heard := events(&o)
	r, list := Run(context.Background(), lowered(t, p), o)
	if list.HasErrors() || len(list) != 1 || list[0].Code != diag.FellBack || !strings.Contains(list[0].Detail, "qat/last.safetensors") {
		t.Fatalf("%v\n%s", list, states(r))
	}
	if count[event.Fallback](*heard) != 1 {
		t.Error("no event")
	}
	if d := differences(want, products(t, dir)); d != nil {
		t.Errorf("%v", d)
	}

	all := filepath.Join(t.TempDir(), "all")
	interrupted(t, p, all, "qat", 4)
	flip(t, filepath.Join(all, "qat", "last.safetensors"))
	flip(t, filepath.Join(all, "qat", "best.safetensors"))
	o = world(all)
	o.Resume = true
	if _, d := broke(t, p, o); d.Code != diag.Damaged || !strings.Contains(d.Summary, "safetensors") {
		t.Errorf("all damaged: %s %s", d.Code, d.Summary)
	}
}

// TestBestLost: an interrupted stage whose best checkpoint is damaged or missing continues
// with a warning, and ends with an intact best checkpoint, whenever it was stopped.
func TestBestLost(t *testing.T) {
	p, _ := parttest.Flow()
	for n := 1; n <= 4; n++ {
		dir := filepath.Join(t.TempDir(), "run")
		interrupted(t, p, dir, "qat", n)
		path := filepath.Join(dir, "qat", "best.safetensors")
		if !fileExists(path) {
			continue
		}
		if flip(t, path); n%2 == 0 {
			must(t, os.Remove(path))
		}
		o := world(dir)
		o.Resume = true
		r, list := Run(context.Background(), lowered(t, p), o)
		if list.HasErrors() {
			t.Fatalf("stopped after %d checkpoints: %v", n, first(list).Summary)
		}
		s, err := artifact.Read(path)
		if err != nil || s.Stage != "qat" {
			t.Errorf("stopped after %d checkpoints: %v\n%s", n, err, states(r))
		}
		if len(list) != 1 || list[0].Code != diag.BestLost {
			t.Errorf("stopped after %d checkpoints: %v", n, list)
		}
	}
}

// TestResumeNeedsNoEdit: an attempt is not continued with other settings.
func TestResumeNeedsNoEdit(t *testing.T) {
	p, _ := parttest.Flow()
	dir := filepath.Join(t.TempDir(), "run")
	interrupted(t, p, dir, "float", 1)
	edited, _ := parttest.Flow()
	edited.Stages[0].Trainer.NumEpochs = 3
	o := world(dir)
	o.Resume = true
	_, d := broke(t, edited, o)
	if d.Code != diag.CannotResume || !strings.Contains(d.Summary, "trainer.num_epochs changed from 2 to 3") {
		t.Errorf("%s %s", d.Code, d.Summary)
	}
	o = world(dir)
	r := ran(t, edited, o)
	if got := states(r); !strings.HasPrefix(got, "float: ran (starts over: it was interrupted, and since then trainer.num_epochs changed from 2 to 3)") {
		t.Errorf("%s", got)
	}
	next := filepath.Join(t.TempDir(), "next")
	interrupted(t, p, next, "float", 1)
	o = world(next)
	o.Resume, o.Version = true, "next"
	_, list := Run(context.Background(), lowered(t, p), o)
	if list.HasErrors() || len(list) == 0 || list[0].Code != diag.CannotResume {
		t.Errorf("another version: %v", list)
	}
}

// TestFrom continues from a file that is given on the command line.
func TestFrom(t *testing.T) {
	p, _ := parttest.Flow()
	dir := t.TempDir()
	ran(t, p, world(dir))
	want := products(t, dir)
	o := world(dir)
	o.Resume, o.From = true, filepath.Join(dir, "qat", "best.safetensors")
	r := ran(t, p, o)
	if got := states(r); !strings.Contains(got, "qat: ran (continues from ") {
		t.Errorf("%s", got)
	}
	if d := differences(want, products(t, dir)); d != nil {
		t.Errorf("%v", d)
	}
	o.Only = []string{"float"}
	if _, d := broke(t, p, o); d.Code != diag.CannotResume || !strings.Contains(d.Summary, `"qat"`) {
		t.Errorf("%s %s", d.Code, d.Summary)
	}
}

// TestScenarios: the three ways of recovery in the table of docs/language.md.
func TestScenarios(t *testing.T) {
	longer := func(epochs int, optimizer, place bool) *program.Program {
		p, _ := parttest.Flow()
		p.Stages = p.Stages[:1]
		tr := p.Stages[0].Trainer
		tr.NumEpochs, tr.ResumeOptimizer, tr.ResumeEpochOrStep = epochs, optimizer, place
		return p
	}
	straight := t.TempDir()
	ran(t, longer(4, false, false), world(straight))

	// Full: two epochs, and two more from the stage's own checkpoint "last", equal four.
	dir := t.TempDir()
	ran(t, longer(2, false, false), world(dir))
	o := world(dir)
	heard := events(&o)
	ran(t, longer(4, true, true), o)
	for _, name := range []string{"float/last.safetensors", "metrics.jsonl"} {
		if products(t, dir)[name] != products(t, straight)[name] {
			t.Errorf("full recovery: %s differs from that of a run of four epochs", name)
		}
	}
	if count[event.Resume](*heard) != 1 {
		t.Error("no event")
	}

	// Optimizer only: it begins at step 0 with the weights and the momentum.
	dir = t.TempDir()
	ran(t, longer(2, false, false), world(dir))
	ran(t, longer(2, true, false), world(dir))
	s, err := artifact.Read(filepath.Join(dir, "float", "last.safetensors"))
	if err != nil || s.Epoch != 2 || s.Step != 10 {
		t.Fatalf("%+v, %v", s, err)
	}
	if products(t, dir)["float/last.safetensors"] == products(t, straight)["float/last.safetensors"] {
		t.Error("the optimizer alone was asked for, the place was restored too")
	}

	// A checkpoint that LoadCheckpoint names takes precedence over the stage's own "last".
	p, x := parttest.Flow()
	dir = t.TempDir()
	second := x.Stage("second", p.Models[0], p.Datasets[0], p.Datasets[1], x.Convert("second", "", nil, "float.last"))
	second.Trainer = x.Trainer("second", 4, 0.05)
	second.Trainer.ResumeOptimizer, second.Trainer.ResumeEpochOrStep = true, true
	second.Callbacks = []program.Callback{x.Checkpoint("second", 0)}
	p.Stages = []*program.Stage{p.Stages[0], second}
	ran(t, p, world(dir))
	a, err := artifact.Read(filepath.Join(dir, "second", "last.safetensors"))
	b, err2 := artifact.Read(filepath.Join(straight, "float", "last.safetensors"))
	if err != nil || err2 != nil || a.Step != 20 {
		t.Fatal(err, err2)
	}
	for i := range a.Model {
		if fmt.Sprint(a.Model[i]) != fmt.Sprint(b.Model[i]) {
			t.Fatalf("%s differs", a.Model[i].Name)
		}
	}
}
