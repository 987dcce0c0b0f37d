package exec

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"qpipe/interp/disk"
	"qpipe/interp/event"
	"qpipe/interp/parttest"
	"qpipe/interp/runs"
	"qpipe/lang/diag"
	"qpipe/lang/program"
)

// recordedFlow is the flow with diaries in its first and its int8 stage, or with whole = false only its first stage.
func recordedFlow(whole bool, a parttest.DiaryArgs) *program.Program {
	p, x := parttest.Flow()
	last := len(p.Stages) - 1
	for _, i := range []int{0, last} {
		p.Stages[i].Callbacks = append(p.Stages[i].Callbacks, program.Callback{Call: x.Call(program.CallbackKind, "Diary", fmt.Sprint("diary", i), a, "file", "fails")})
	}
	if !whole {
		p.Stages = p.Stages[:1]
	}
	return p
}

// TestRecorders: a recorder's file has every step, epoch and validation once, whenever the run was killed and resumed, also in the middle of
// a write to it. It grows where it is, so that a program that has opened it sees what is added.
func TestRecorders(t *testing.T) {
	p := recordedFlow(false, parttest.DiaryArgs{File: "diary.txt"})
	dir := filepath.Join(t.TempDir(), "run")
	path := filepath.Join(dir, "float", "diary.txt")
	var opened, now fs.FileInfo
	o := world(dir)
	o.Events = func(e event.Event) {
		if is[event.Checkpoint](e) {
			var err error
			now, err = os.Stat(path)
			must(t, err)
			if opened == nil {
				opened = now
			}
		}
	}
	r := ran(t, p, o)
	if !os.SameFile(opened, now) || now.Size() <= opened.Size() {
		t.Errorf("the file of %d bytes was replaced by one of %d", opened.Size(), now.Size())
	}
	want := products(t, dir)
	text := want["float/diary.txt"]
	steps, epochs, validations := strings.Count(text, "\nstep "), strings.Count(text, "\nepoch "), strings.Count(text, "\nvalidation ")
	if l := lowered(t, p).Stages[0].Length; steps != l.Steps || epochs != l.Epochs || validations != l.Epochs || strings.Contains(text, " true true ") {
		t.Errorf("%d steps, %d epochs and %d validations of %s:\n%s", steps, epochs, validations, states(r), text)
	}

	torn := 0
	for i, c := range crashes(t, p, world(filepath.Join(t.TempDir(), "run"))) {
		inside := strings.Contains(c.what, "half of float/diary.txt")
		if inside {
			torn++
		} else if skips(i) {
			continue
		}
		o := world(c.dir)
		o.Resume = true
		r := ran(t, p, o)
		if d := differences(want, products(t, c.dir)); d != nil {
			t.Errorf("killed at %s: %v\n%s", c.what, d, states(r))
		}
	}
	if torn < 2 {
		t.Errorf("only %d kills in the middle of a write", torn)
	}
}

// TestRecordersFiles: the files belong to the run. If they are lost they are written again, and the stage does not run; what a user has put in their
// place stays. A stage that only converts records its validation. Errors are placed at the callback.
func TestRecordersFiles(t *testing.T) {
	p := recordedFlow(true, parttest.DiaryArgs{File: "diary.txt"})
	dir := filepath.Join(t.TempDir(), "run")
	ran(t, p, world(dir))
	want := products(t, dir)
	if text := want["int_infer/diary.txt"]; strings.Count(text, "\nvalidation 0 0 ") != 1 {
		t.Errorf("int8: %s", text)
	}
	path := filepath.Join(dir, "float", "diary.txt")
	must(t, os.Remove(path))
	for range 2 {
		if r := ran(t, p, world(dir)); strings.Contains(states(r), "ran") {
			t.Errorf("%s", states(r))
		}
		if d := differences(want, products(t, dir)); d != nil {
			t.Error(d)
		}
	}
	m, err := runs.ReadManifest(dir)
	must(t, err)
	if sum, err := disk.SumFile(path); err != nil || m.Stage("float").Artifact("diary.txt") == nil || m.Stage("float").Artifact("diary.txt").SHA256 != sum {
		t.Errorf("the manifest does not have the file: %v", err)
	}

	must(t, os.WriteFile(path, []byte("mine"), 0o600))
	if _, d := broke(t, p, world(dir)); d.Code != diag.Foreign || !strings.Contains(d.Summary, "diary.txt") {
		t.Errorf("a file of somebody's: %s %s", d.Code, d.Summary)
	}
	if mine, err := os.ReadFile(path); err != nil || string(mine) != "mine" {
		t.Errorf("what was somebody's is now %q, %v", mine, err)
	}

	bad := recordedFlow(false, parttest.DiaryArgs{File: "diary.txt", Fails: true})
	if _, d := broke(t, bad, world(t.TempDir())); d.Subject != bad.Stages[0].Callbacks[len(bad.Stages[0].Callbacks)-1].Origin.Header || !strings.Contains(d.Summary, "ink") {
		t.Errorf("a recorder that fails: %s %s at %v", d.Code, d.Summary, d.Subject)
	}
}
