//go:build linux

package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"qpipe/tools/chaos/program"

	"qpipe/tools/chaos/tree"
)

// reference is an undisturbed run.
type reference struct {
	sync.Once
	files   tree.Files
	numbers string // that it has reported
	dir     string
	err     error
}

// undisturbed runs the pipeline with these arguments to its end, only once for all trials.
func (t *trial) undisturbed(args ...string) *reference { return t.undisturbedOf(glyphs, args...) }

func (t *trial) undisturbedOf(pipeline string, args ...string) *reference {
	key := fmt.Sprintf("%x %s", sha256.Sum256([]byte(pipeline)), strings.Join(args, " "))
	t.world.mu.Lock()
	ref := t.references[key]
	if ref == nil {
		ref = &reference{dir: filepath.Join(t.world.dir, fmt.Sprintf("undisturbed-%d", len(t.references)))}
		t.references[key] = ref
	}
	t.world.mu.Unlock()
	ref.Do(func() { ref.err = t.measure(ref, pipeline, args) })
	t.must(ref.err)
	return ref
}

func (t *trial) measure(ref *reference, pipeline string, args []string) error {
	own := &trial{world: t.world, campaign: t.campaign, root: ref.dir, dir: ref.dir}
	_ = os.RemoveAll(own.dir)
	own.write("p.hcl", pipeline)
	if pipeline != glyphs {
		own.images(0)
	}
	r := own.run(args...)
	if r.Code != 0 || len(own.failures) > 0 {
		return fmt.Errorf("the undisturbed run has failed (exit code %d): %s", r.Code, r.Text())
	}
	ref.numbers = r.Numbers()
	ref.files = tree.Results(own.path(runDir))
	for _, name := range []string{"float/best.safetensors", "qat/last.safetensors", "int_infer/int8.safetensors", "metrics.jsonl"} {
		if ref.files[name] == "" {
			return fmt.Errorf("the undisturbed run has left no %s", name)
		}
	}
	return nil
}

// same compares the run's folder with that of the undisturbed run with these arguments.
func (t *trial) same(args ...string) {
	t.sameBut(nil, args...)
}

func (t *trial) sameBut(skip func(name string) bool, args ...string) {
	for _, d := range tree.Differences(t.undisturbed(args...).files, tree.Results(t.path(runDir)), skip) {
		if d == "metrics.jsonl differs" && t.sameLines(t.undisturbed(args...).dir) {
			d = "metrics.jsonl has the same lines in another order"
		}
		t.fail("not as a run that was never disturbed: %s", d)
	}
	t.fewKept()
}

// sameLines reports whether the metrics are those of another folder in another order.
func (t *trial) sameLines(dir string) bool {
	sorted := func(dir string) (lines []string) {
		data, _ := os.ReadFile(filepath.Join(dir, runDir, "metrics.jsonl"))
		for line := range bytes.Lines(data) {
			var l map[string]any
			if json.Unmarshal(line, &l) != nil {
				return []string{"not JSON in " + dir}
			}
			delete(l, "seq")
			delete(l, "check")
			text, _ := json.Marshal(l)
			lines = append(lines, string(text))
		}
		slices.Sort(lines)
		return lines
	}
	return slices.Equal(sorted(dir), sorted(t.dir))
}

// mostKept is the largest number of earlier results of a stage that may be kept.
const mostKept = 3

// fewKept checks that not too many earlier results are kept.
func (t *trial) fewKept() {
	stages, _ := os.ReadDir(t.path(runDir, ".previous"))
	for _, s := range stages {
		if kept, _ := os.ReadDir(t.path(runDir, ".previous", s.Name())); len(kept) > mostKept {
			t.fail("%d earlier results of %s are kept", len(kept), s.Name())
		}
	}
}

// ends runs the pipeline, which must be complete after one run, and compares the result.
func (t *trial) ends(args ...string) program.Result {
	r := t.run(args...)
	if r.Code != 0 {
		t.fail("qpipe run does not come to its end: exit code %d: %s", r.Code, r.Message())
		return r
	}
	t.right(r, args...)
	t.same(args...)
	return r
}

// right checks the numbers that a run has reported at its end.
func (t *trial) right(r program.Result, args ...string) {
	if want := t.undisturbed(args...).numbers; r.Numbers() != want {
		t.fail("wrong numbers at the end: %s instead of %s", r.Numbers(), want)
	}
}

// upToDate checks that another run finds everything up to date and changes nothing.
func (t *trial) upToDate(args ...string) {
	before := tree.Results(t.path(runDir))
	r := t.run(args...)
	if r.Code != 0 {
		t.fail("the run after the last: exit code %d: %s", r.Code, r.Message())
	}
	for _, e := range r.Events {
		if e.Event == "stage_run" {
			t.fail("the run after the last trains %s again: %v", e.Stage, e.Data["reason"])
		}
	}
	for _, d := range tree.Differences(before, tree.Results(t.path(runDir)), nil) {
		t.fail("after one more run: %s", d)
	}
}

// entry is what the campaign needs from a stage's entry in the manifest.
type entry struct {
	Name  string `json:"name"`
	State string `json:"state"`
}

// states are the states of the stages in the manifest.
func (t *trial) states() map[string]string {
	var m struct {
		Stages []entry `json:"stages"`
	}
	data, _ := os.ReadFile(t.path(runDir, "manifest.json"))
	_ = json.Unmarshal(data, &m)
	out := map[string]string{}
	for _, s := range m.Stages {
		out[s.Name] = s.State
	}
	return out
}
