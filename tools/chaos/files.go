//go:build linux

package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// files are the files of a folder: by relative path, with slashes, what each is.
type files map[string]string

// list describes all below a folder: of a file the hash of its bytes, of everything else
// its kind. A link is not followed.
func list(dir string) files {
	found := files{}
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(dir, path)
		if err != nil {
			found[name] = "unreadable"
			return nil
		}
		if name != "." {
			info, err := d.Info()
			if err != nil {
				found[name] = "unreadable"
				return nil
			}
			found[name] = describe(path, info)
		}
		return nil
	})
	return found
}

func describe(path string, d fs.FileInfo) string {
	switch {
	case d.IsDir():
		return "folder"
	case d.Mode()&fs.ModeSymlink != 0:
		target, _ := os.Readlink(path)
		return "link to " + target
	case !d.Mode().IsRegular():
		return d.Mode().Type().String()
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "unreadable"
	}
	return fmt.Sprintf("%x", sha256.Sum256(data))
}

// results are the files of a run that hold no time of day, and what should not be there.
// What is kept of earlier results and of damaged logs is not looked at.
func results(dir string) files {
	found := list(dir)
	maps.DeleteFunc(found, func(name, what string) bool {
		return what == "folder" || slices.Contains([]string{"lock", "manifest.json", "events.jsonl"}, name) || strings.HasPrefix(name, ".previous/") ||
			strings.HasPrefix(name, "events.jsonl.damaged") || strings.HasPrefix(name, "metrics.jsonl.damaged")
	})
	return found
}

// differences compares two lists of files, as sentences; those that skip names are left out.
func differences(want, got files, skip func(name string) bool) []string {
	var out []string
	names := map[string]bool{}
	for n := range want {
		names[n] = true
	}
	for n := range got {
		names[n] = true
	}
	for _, n := range slices.Sorted(maps.Keys(names)) {
		switch {
		case skip != nil && skip(n) || want[n] == got[n]:
		case got[n] == "":
			out = append(out, n+" is missing")
		case want[n] == "":
			out = append(out, n+" should not be there")
		default:
			out = append(out, n+" differs")
		}
	}
	return out
}

// reference is a run that nobody has disturbed.
type reference struct {
	sync.Once
	files   files
	numbers string // that it has told
	dir     string
	err     error
}

// undisturbed runs the pipeline with these arguments to its end, once for all trials.
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
	if r.code != 0 || len(own.failures) > 0 {
		return fmt.Errorf("the undisturbed run has failed (exit code %d): %s", r.code, r.text())
	}
	ref.numbers = r.numbers()
	ref.files = results(own.path(runDir))
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
	for _, d := range differences(t.undisturbed(args...).files, results(t.path(runDir)), skip) {
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

// mostKept is how many earlier results of a stage may be kept.
const mostKept = 3

// fewKept checks that earlier results do not pile up.
func (t *trial) fewKept() {
	stages, _ := os.ReadDir(t.path(runDir, ".previous"))
	for _, s := range stages {
		if kept, _ := os.ReadDir(t.path(runDir, ".previous", s.Name())); len(kept) > mostKept {
			t.fail("%d earlier results of %s are kept", len(kept), s.Name())
		}
	}
}

// ends runs the pipeline until it is complete, which it must be at once, and compares the
// result.
func (t *trial) ends(args ...string) result {
	r := t.run(args...)
	if r.code != 0 {
		t.fail("qpipe run does not come to its end: exit code %d: %s", r.code, r.message())
		return r
	}
	t.right(r, args...)
	t.same(args...)
	return r
}

// right checks the numbers that a run has told at its end.
func (t *trial) right(r result, args ...string) {
	if want := t.undisturbed(args...).numbers; r.numbers() != want {
		t.fail("wrong numbers at the end: %s instead of %s", r.numbers(), want)
	}
}

// settled checks that one more run finds everything up to date and changes nothing.
func (t *trial) settled(args ...string) {
	before := results(t.path(runDir))
	r := t.run(args...)
	if r.code != 0 {
		t.fail("the run after the last: exit code %d: %s", r.code, r.message())
	}
	for _, e := range r.events {
		if e.Event == "stage_run" {
			t.fail("the run after the last trains %s again: %v", e.Stage, e.Data["reason"])
		}
	}
	for _, d := range differences(before, results(t.path(runDir)), nil) {
		t.fail("after one more run: %s", d)
	}
}

// entry is what the campaign needs to know of a stage in the manifest.
type entry struct {
	Name  string `json:"name"`
	State string `json:"state"`
}

// states are the states of the stages, as the manifest says.
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

// copyTree copies a folder with its links, pipes and empty folders.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		place := filepath.Join(to, name)
		switch {
		case d.IsDir():
			return os.MkdirAll(place, 0o755)
		case d.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(target, place)
		case d.Type()&fs.ModeNamedPipe != 0:
			return syscall.Mkfifo(place, 0o644)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(place, data, 0o644)
	})
}
