//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"qpipe/tools/chaos/program"

	"qpipe/tools/chaos/draw"
	"qpipe/tools/chaos/tree"
)

// damage changes bytes in the files that a run has left.
func damage(w *world) *campaign {
	c := &campaign{
		name: "damage", weight: 16,
		promise: "damaged bytes are named, never believed; the way out that the message names ends in the same bytes",
	}
	histories := []struct {
		name  string
		setup func(*trial)
		end   []string
	}{
		{"complete", func(t *trial) { t.run() }, nil},
		{"killed in qat", func(t *trial) { killedAt(t, "qat", 5) }, nil},
		{"killed in float", func(t *trial) { killedAt(t, "float", 6) }, nil},
		{"interrupted in qat", func(t *trial) {
			t.call(program.Call{Args: runArgs(), Sig: syscall.SIGINT, At: nth(1, in("qat", "epoch")), Codes: []int{130}})
		}, nil},
		{"edited and killed", func(t *trial) { t.run(); killedAt(t, "qat", 3, edited...) }, nil},
	}
	var folders []string
	c.prepare = func() (int, string) {
		for _, h := range histories {
			folders = append(folders, w.template(c, c.name+"-"+h.name, h.setup).dir)
		}
		return 0, ""
	}
	c.trial = func(t *trial) {
		i := t.r.IntN(len(histories))
		t.must(tree.Copy(folders[i], t.dir))
		var said strings.Builder
		names := t.spoil(1 + t.r.IntN(6)/5)
		t.title = histories[i].name + ": " + t.title
		numbers := t.shown(folders[i])
		for _, args := range [][]string{{"show", "-json", runDir}, {"plan", "-out", runDir, "p.hcl"}} {
			r := t.call(program.Call{Args: args})
			if got := showNumbers(r.Out); args[0] == "show" && r.Code == 0 && got != numbers && !mentions(r.Text(), names) {
				t.fail("qpipe show shows wrong numbers, and says nothing: %s instead of %s", got, numbers)
			}
			if r.Code == 1 && !mentions(r.Text(), names) {
				t.fail("qpipe %s does not name the damaged file: %s", args[0], r.Message())
			}
		}
		t.showFiles(folders[i], names)
		t.follow(&said, histories[i].end...)
		t.mended(names, said.String(), histories[i].end...)
	}
	return c
}

// spoil damages some of the run's files and returns their names.
func (t *trial) spoil(n int) (names []string) {
	all := tree.List(t.path(runDir))
	maps.DeleteFunc(all, func(_, what string) bool { return what == "folder" })
	for range n {
		name := draw.One(t.r, slices.Sorted(maps.Keys(all))...)
		if t.r.IntN(3) == 0 {
			name = draw.One(t.r, "manifest.json", "events.jsonl", "metrics.jsonl")
		}
		path := t.path(runDir, name)
		data, err := os.ReadFile(path)
		if err != nil {
			continue // deleted already
		}
		kind := t.damageFile(path, data, all)
		t.title += fmt.Sprintf("%s %s; ", name, kind)
		names = append(names, name)
	}
	t.tell("# damaged: %s", t.title)
	return names
}

func (t *trial) damageFile(path string, data []byte, all tree.Files) string {
	kinds := []string{"flipped", "flipped", "cut off", "zeroed", "appended", "emptied", "deleted", "a line dropped", "a line doubled", "another's content"}
	kind := draw.One(t.r, kinds...)
	switch kind {
	case "emptied":
		data = nil
	case "deleted":
		t.must(os.Remove(path))
		return kind
	case "another's content":
		other := draw.One(t.r, slices.Sorted(maps.Keys(all))...)
		data, _ = os.ReadFile(t.path(runDir, other))
		kind = "is " + other
	default:
		data = draw.Spoiled(t.r, kind, data)
	}
	t.must(os.WriteFile(path, data, 0o644))
	return kind
}

// shown are the numbers that show prints for the folder before it was damaged.
func (t *trial) shown(folder string) string {
	r := t.call(program.Call{Args: []string{"show", "-json", runDir}, Dir: folder})
	return showNumbers(r.Out)
}

// showNumbers extracts the numbers from what `show -json` prints for a run.
func showNumbers(out string) string {
	var d struct {
		Run struct {
			Stages []struct {
				Name    string         `json:"name"`
				Metrics map[string]any `json:"metrics"`
				Best    map[string]any `json:"best_metrics"`
			} `json:"stages"`
			Outputs []any `json:"outputs"`
		} `json:"run"`
	}
	if json.Unmarshal([]byte(out), &d) != nil {
		return "not JSON"
	}
	text, _ := json.Marshal(d)
	return string(text)
}

// mentions reports whether a text names one of the files.
func mentions(text string, names []string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.Contains(text, filepath.Base(n)) })
}

// showFiles shows every damaged checkpoint: it is refused by name.
func (t *trial) showFiles(folder string, names []string) {
	for _, name := range names {
		now, err := os.ReadFile(t.path(runDir, name))
		if filepath.Ext(name) != ".safetensors" || err != nil {
			continue
		}
		before, _ := os.ReadFile(filepath.Join(folder, runDir, name))
		r := t.call(program.Call{Args: []string{"show", runDir + "/" + name}})
		switch {
		case r.Code == 1 && !mentions(r.Text(), []string{name}):
			t.fail("qpipe show does not name the damaged file: %s", r.Message())
		case r.Code == 0 && !bytes.Equal(before, now) && !strings.Contains(t.title, name+" is "):
			t.fail("qpipe show %s shows a damaged file", name)
		}
	}
}

var numbered = regexp.MustCompile(`/(step|epoch)-\d+\.safetensors$`)

var runPath = regexp.MustCompile(runDir + `/[^\s:;,"'` + "`" + `]+`)

// follow runs the pipeline and does what its messages say, until it is complete.
func (t *trial) follow(said *strings.Builder, end ...string) {
	args := end
	for i := range 20 {
		r := t.run(args...)
		said.WriteString(r.Text())
		if r.Code == 0 {
			if !strings.Contains(said.String(), "QP431") {
				t.right(r, end...)
			}
			return
		}
		args = end
		text := r.Message()
		switch path := runPath.FindString(text); {
		case strings.Contains(text, "Move them away"):
			for n, path := range runPath.FindAllString(text, -1) {
				if exists(t.path(path)) {
					t.tell("# moves %s away, as the message says", path)
					t.must(os.Rename(t.path(path), t.path(fmt.Sprintf("moved-%d-%d", i, n))))
				}
			}
		case (strings.Contains(text, "emove") || strings.Contains(text, "ove it away") || strings.Contains(text, "elete")) && path != "" && exists(t.path(path)):
			t.tell("# moves %s away, as the message says", path)
			t.must(os.Rename(t.path(path), t.path(fmt.Sprintf("moved-%d", i))))
		case strings.Contains(text, "next run"):
			t.tell("# runs once more, as the message says")
		case strings.Contains(text, "-force"):
			args = append([]string{"-force"}, end...)
		default:
			t.fail("the message names no way out: %s", text)
			panic(gaveUp{})
		}
	}
	t.fail("the ways out that messages name come to no end")
	panic(gaveUp{})
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// mended compares the result of a damaged run. The metrics may lack what was damaged, and the search for a lost best
// checkpoint may start over, if that was reported.
func (t *trial) mended(names []string, said string, end ...string) {
	if strings.Contains(said, "QP431") {
		t.right(t.run(append([]string{"-force"}, end...)...), end...)
		t.same(end...)
		return
	}
	logs := slices.ContainsFunc(names, func(n string) bool { return strings.HasSuffix(n, ".jsonl") })
	manifest := slices.ContainsFunc(names, func(n string) bool { return strings.HasSuffix(n, "manifest.json") })
	t.sameBut(func(name string) bool {
		if slices.Contains(names, name) && t.dropped(name, said) {
			return true
		}
		// Without the manifest nobody knows who owns a damaged file: it stays.
		if slices.Contains(names, name) && numbered.MatchString(name) && manifest {
			return true
		}
		// An intact copy of another file belongs to somebody else, and stays; so does what a manifest kept if it is
		// lost together with its log.
		if numbered.MatchString(name) && strings.Contains(t.title, name+" is ") || logs && manifest && (numbered.MatchString(name) || strings.HasPrefix(name, ".previous/")) {
			return true
		}
		return name == "metrics.jsonl" && (logs || manifest) && (strings.Contains(said, "metrics.jsonl") || strings.Contains(said, "events.jsonl"))
	}, end...)
	t.upToDate(end...)
}

// dropped reports whether a numbered checkpoint was damaged, was reported, and no longer exists: training is already
// past its step.
func (t *trial) dropped(name, said string) bool {
	return numbered.MatchString(name) && strings.Contains(said, name) && !exists(t.path(runDir, name))
}
