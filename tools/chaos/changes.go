//go:build linux

package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"

	"qpipe/tools/chaos/program"

	"qpipe/tools/chaos/draw"
	"qpipe/tools/chaos/tree"
)

// changes changes files while a run uses them.
func changes() *campaign {
	c := &campaign{
		name: "changes", weight: 10,
		promise: "files that are changed, removed or replaced under a run cost a clear message at most; nothing of others is touched, and the ways out end in the same bytes",
	}
	c.trial = func(t *trial) {
		switch t.r.IntN(6) {
		case 0:
			t.textChanges()
		case 1:
			t.dataChanges()
		default:
			t.artifactsChange()
		}
	}
	return c
}

// moment draws when something happens during a run.
func (t *trial) moment() func(program.Event) bool {
	n := 1 + t.r.IntN(35)
	t.title += fmt.Sprintf("at event %d ", n)
	return nth(n, func(program.Event) bool { return true })
}

// textChanges overwrites the running pipeline with another one: the run continues with what it has read, and the next
// one sees the change.
func (t *trial) textChanges() {
	at := t.moment()
	t.title += "the pipeline's text is edited"
	r := t.call(program.Call{Args: runArgs(), Watch: func(e program.Event) {
		if at(e) {
			t.write("p.hcl", strings.Replace(glyphs, "default = 0.02", "default = 0.03", 1))
		}
	}})
	if r.Code != 0 {
		t.fail("the run does not come to its end: %s", r.Message())
	}
	t.right(r)
	t.same()
	t.write("p.hcl", glyphs)
	t.upToDate()
	t.write("p.hcl", strings.Replace(glyphs, "default = 0.02", "default = 0.03", 1))
	if r := t.run(); r.Code != 0 {
		t.fail("the edited pipeline does not come to its end: %s", r.Message())
	}
	t.same(edited...)
}

// imageFiles are data sets in files, which somebody may change.
const imageFiles = `dataset "MNIST" "train" {
  root        = "data"
  split       = "train"
  max_samples = 256
}

dataset "MNIST" "test" {
  root        = "data"
  split       = "test"
  max_samples = 64
}

`

// imagePipeline is the pipeline with its data in files.
func imagePipeline() string {
	_, rest, _ := strings.Cut(glyphs, "variable ")
	return imageFiles + "variable " + rest
}

// images writes a small MNIST of its own, drawn from a number.
func (t *trial) images(variant int) {
	t.must(os.MkdirAll(t.path("data"), 0o755))
	for prefix, n := range map[string]int{"train": 256, "t10k": 64} {
		images, labels := make([]byte, 0, n*784), make([]byte, 0, n)
		for i := range n {
			label := (i*7 + i/5) % 10
			labels = append(labels, byte(label))
			for p := range 784 {
				v := 0
				if (p/28/3+variant)%10 == label {
					v = 120 + (i*31+p*17+variant*13)%120
				}
				images = append(images, byte(v))
			}
		}
		head := func(magic uint32, dims ...int) []byte {
			b := binary.BigEndian.AppendUint32(nil, magic)
			for _, d := range dims {
				b = binary.BigEndian.AppendUint32(b, uint32(d))
			}
			return b
		}
		t.must(os.WriteFile(t.path("data", prefix+"-images-idx3-ubyte"), append(head(0x803, n, 28, 28), images...), 0o644))
		t.must(os.WriteFile(t.path("data", prefix+"-labels-idx1-ubyte"), append(head(0x801, n), labels...), 0o644))
	}
}

// dataChanges changes the data during a run: the result of the next run must be that of the changed data.
func (t *trial) dataChanges() {
	pipeline := imagePipeline()
	t.write("p.hcl", pipeline)
	t.images(0)
	at, kind := t.moment(), draw.One(t.r, "replaced", "cut off", "deleted", "a folder")
	t.title += "the images are " + kind
	path := t.path("data", draw.One(t.r, "train", "t10k")+"-images-idx3-ubyte")
	t.call(program.Call{Args: runArgs(), Watch: func(e program.Event) {
		if !at(e) {
			return
		}
		switch kind {
		case "replaced":
			t.images(1)
		case "cut off":
			t.must(os.Truncate(path, 5000))
		case "deleted":
			t.must(os.Remove(path))
		case "a folder":
			t.must(os.Remove(path))
			t.must(os.Mkdir(path, 0o755))
		}
	}})
	if kind != "replaced" {
		if r := t.run(); r.Code != 1 || !r.Said("data") {
			t.fail("the data are %s: exit code %d: %s", kind, r.Code, r.Message())
		}
		t.must(os.RemoveAll(path))
		t.images(0)
	}
	if r := t.run(); r.Code != 0 {
		t.fail("the run does not come to its end: %s", r.Message())
		return
	}
	want := t.undisturbedOf(pipeline)
	if kind == "replaced" {
		other := t.workshop(t.campaign, fmt.Sprintf("changes-%d-other", t.n))
		defer other.clear()
		other.write("p.hcl", pipeline)
		other.images(1)
		other.run()
		want = &reference{files: tree.Results(other.path(runDir))}
	}
	for _, d := range tree.Differences(want.files, tree.Results(t.path(runDir)), nil) {
		t.fail("not as a run on these data: %s", d)
	}
}

// artifactsChange changes the run's own files during the run.
func (t *trial) artifactsChange() {
	end := draw.One(t.r, nil, nil, edited)
	if len(end) > 0 {
		t.run()
	}
	t.must(os.MkdirAll(t.path("mine", "deep"), 0o755))
	t.write("mine/last.safetensors", "a checkpoint of somebody else")
	t.write("mine/deep/best.safetensors", "another one")
	mine := tree.List(t.path("mine"))
	at := t.moment()
	var name string
	t.call(program.Call{Args: runArgs(end...), Watch: func(e program.Event) {
		if name == "" && at(e) {
			name = t.change()
			t.title += name
			t.tell("# %s", name)
		}
	}})
	for _, d := range tree.Differences(mine, tree.List(t.path("mine")), nil) {
		t.fail("of somebody else: %s", d)
	}
	var said strings.Builder
	t.follow(&said, end...)
	for _, d := range tree.Differences(mine, tree.List(t.path("mine")), nil) {
		t.fail("of somebody else: %s", d)
	}
	if strings.Contains(said.String(), "QP431") {
		t.run(append([]string{"-force"}, end...)...)
	}
	t.sameBut(func(n string) bool {
		return n == "metrics.jsonl" && strings.Contains(name, ".jsonl") || strings.HasPrefix(name, n+" is ") && t.dropped(n, said.String())
	}, end...)
	t.upToDate(end...)
}

// change does something to a file or folder of the run, and says what.
func (t *trial) change() string {
	all := tree.List(t.path(runDir))
	if len(all) == 0 {
		return "nothing: there is no file yet"
	}
	name := draw.One(t.r, slices.Sorted(maps.Keys(all))...)
	if t.r.IntN(3) == 0 {
		name = draw.One(t.r, "manifest.json", "events.jsonl", "metrics.jsonl", "lock", "float", "qat", ".")
	}
	path := t.path(runDir, name)
	kind := draw.One(t.r, "deleted", "moved away", "flipped", "cut off", "a link to somebody's file", "a pipe", "a folder", "unreadable")
	if all[name] == "folder" || name == "." {
		kind = draw.One(t.r, "deleted", "moved away", "a link to somebody's folder")
		if name == "." && strings.HasPrefix(kind, "a link") { // a link that -out names is followed
			kind = "deleted"
		}
	}
	if all[name] == "" && name != "." {
		return "nothing: no " + name + " yet"
	}
	aside := t.path(fmt.Sprintf("moved-under-%d", t.n))
	switch kind {
	case "deleted":
		_ = os.RemoveAll(path)
	case "moved away":
		_ = os.Rename(path, aside)
	case "flipped", "cut off":
		if data, err := os.ReadFile(path); err == nil {
			_ = os.WriteFile(path, draw.Spoiled(t.r, kind, bytes.Clone(data)), 0o644)
		}
	case "a link to somebody's file":
		_ = os.Remove(path)
		_ = os.Symlink(t.path("mine", "last.safetensors"), path)
	case "a pipe":
		_ = os.Remove(path)
		_ = syscall.Mkfifo(path, 0o644)
	case "a folder":
		_ = os.Remove(path)
		_ = os.Mkdir(path, 0o755)
	case "unreadable":
		_ = os.Chmod(path, 0)
	case "a link to somebody's folder":
		_ = os.Rename(path, aside)
		_ = os.Symlink(t.path("mine"), path)
	}
	return name + " is " + kind
}
