//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"qpipe/tools/chaos/program"

	"qpipe/tools/chaos/draw"
	"qpipe/tools/chaos/forge"
	"qpipe/tools/chaos/tree"
)

// hostile gives the program folders and files made to do harm.
func hostile(w *world) *campaign {
	c := &campaign{
		name: "hostile", weight: 16,
		promise: "manifests, checkpoints and links made to do harm touch nothing outside of the run's folder, and cost a message within bounds of time and memory",
	}
	histories := []struct {
		name  string
		setup func(*trial)
	}{
		{"complete", func(t *trial) { t.run() }},
		{"killed in qat", func(t *trial) { killedAt(t, "qat", 5) }},
		{"edited and killed", func(t *trial) { t.run(); killedAt(t, "qat", 3, edited...) }},
		{"two earlier results", func(t *trial) {
			killedAt(t, "qat", 5)
			killedAt(t, "qat", 3, edited...)
			killedAt(t, "qat", 3, "-var", "qat_lr=0.04")
		}},
	}
	var folders []string
	c.prepare = func() (int, string) {
		for _, h := range histories {
			folders = append(folders, w.template(c, c.name+"-"+h.name, h.setup).dir)
		}
		return 0, ""
	}
	c.trial = func(t *trial) {
		i := t.r.IntN(len(folders))
		t.dir = filepath.Join(t.root, "w", "x")
		t.must(os.MkdirAll(t.dir, 0o755))
		t.must(tree.Copy(folders[i], t.dir))
		t.title = histories[i].name + ": "
		for _, place := range []string{"../..", "..", "."} {
			t.mine(place, folders[i])
		}
		switch t.r.IntN(6) {
		case 0, 1:
			t.hostileTensors()
		case 2:
			t.hostileLinks()
		default:
			t.hostileManifest()
		}
		t.tell("# %s", t.title)
		around := t.around()
		for i := range 2 + t.r.IntN(3) {
			args := draw.One(t.r, runArgs(), runArgs(), runArgs(edited...), runArgs("-force"), runArgs("-force", "-stage", "qat"))
			if i != 1 && t.r.IntN(2) == 0 {
				args = draw.One(t.r, []string{"show", runDir}, []string{"show", "-json", runDir}, []string{"plan", "-out", runDir, "p.hcl"}, runArgs("-resume"),
					[]string{"eval", "stage.qat.checkpoint.best", "-data", "dataset.test", "-out", runDir, "p.hcl"})
			}
			t.call(program.Call{Args: args, Shell: "ulimit -v 1500000;", Limit: 20 * time.Second, Codes: []int{2}})
			for _, d := range tree.Differences(around, t.around(), nil) {
				t.fail("outside of the run's folder, by qpipe %s: %s", strings.Join(args, " "), d)
			}
			if len(t.failures) > 0 {
				return
			}
		}
	}
	return c
}

// mine puts files of somebody else where a hostile path may lead: folders with the names of stages, with intact
// checkpoints in them.
func (t *trial) mine(place, folder string) {
	for _, name := range []string{"mine", "qat", "float"} {
		t.must(tree.Copy(filepath.Join(folder, runDir, "float"), t.path(place, name)))
		t.write(filepath.Join(place, name, "notes.txt"), "mine\n")
	}
	t.write(filepath.Join(place, "mine.txt"), "mine\n")
}

// around are the files outside of the run's folder.
func (t *trial) around() tree.Files {
	all, inside := tree.List(t.root), strings.TrimPrefix(t.path(runDir), t.root+"/")
	for name := range all {
		if name == inside || strings.HasPrefix(name, inside+"/") {
			delete(all, name)
		}
	}
	return all
}

// hostileManifest changes the manifest at random places, and gives it the right hash.
func (t *trial) hostileManifest() {
	path := t.path(runDir, "manifest.json")
	data, err := os.ReadFile(path)
	t.must(err)
	m, err := forge.Decode(data)
	t.must(err)
	for range 1 + t.r.IntN(3) {
		var what string
		m, what = t.mutator().Change(m)
		t.title += what + "; "
	}
	if t.r.IntN(4) == 0 { // a path that leads outside, in all places at once
		to := t.elsewhere()
		t.title += "every path leads to " + to
		m = forge.ReplaceStrings(m, func(s string) string {
			if stage, file, ok := strings.Cut(s, "/"); ok && slices.Contains(everyStage, stage) {
				return to + "/" + file
			}
			return s
		})
	}
	t.must(os.WriteFile(path, forge.SealManifest(m), 0o644))
}

// elsewhere is a path that leads outside of the run's folder.
func (t *trial) elsewhere() string {
	return draw.One(t.r, "../mine", "../../mine", "../../../mine", "../../../../mine", filepath.Join(t.root, "mine"), "./../mine", "float/../../mine", "..", "../..", ".", "", "/")
}

// mutator changes JSON trees as the trial draws it.
func (t *trial) mutator() *draw.Mutator { return &draw.Mutator{R: t.r, Elsewhere: t.elsewhere} }

// hostileTensors changes the header of a checkpoint, and gives it the right hash.
func (t *trial) hostileTensors() {
	names := slices.DeleteFunc(tree.Regular(t.path(runDir)), func(n string) bool {
		return filepath.Ext(n) != ".safetensors" || strings.HasPrefix(filepath.Base(n), ".")
	})
	if len(names) == 0 {
		return
	}
	name := draw.One(t.r, names...)
	t.title += name + ": "
	path := t.path(runDir, name)
	file, err := os.ReadFile(path)
	t.must(err)
	header, data, err := forge.Split(file)
	t.must(err)
	h, err := forge.Decode(header)
	t.must(err)
	for range 1 + t.r.IntN(2) {
		h = t.mutateHeader(h)
	}
	file = forge.SealTensors(h, data)
	t.must(os.WriteFile(path, file, 0o644))
	t.listed(name, file)
	for _, args := range [][]string{{"show", runDir + "/" + name}, {"eval", runDir + "/" + name, "-data", "dataset.test", "p.hcl"}, {"bench", "-once", runDir + "/" + name}, {"predict", runDir + "/" + name, "p.hcl"}} {
		if args[0] == "bench" && t.r.IntN(4) > 0 {
			continue
		}
		t.call(program.Call{Args: args, Shell: "ulimit -v 1500000;", Limit: 20 * time.Second, Codes: []int{2}})
	}
}

// mutateHeader changes a tensor's place, or one of the texts, which may be JSON itself.
func (t *trial) mutateHeader(h any) any {
	header, _ := h.(map[string]any)
	meta, _ := header["__metadata__"].(map[string]any)
	if meta == nil || t.r.IntN(3) == 0 {
		h, what := t.mutator().Change(h)
		t.title += what + "; "
		return h
	}
	key := draw.One(t.r, forge.Keys(meta)...)
	if t.r.IntN(2) == 0 {
		key = draw.One(t.r, "structure", "position", "callbacks", "preprocessing", "metrics")
	}
	text, _ := meta[key].(string)
	inner, err := forge.Decode([]byte(text))
	if err != nil {
		meta[key] = t.mutator().Text()
		t.title += fmt.Sprintf("%s = %.40q; ", key, meta[key])
		return header
	}
	inner, what := t.mutator().Change(inner)
	meta[key] = string(forge.Encode(inner, ""))
	t.title += key + " " + what + "; "
	return header
}

// listed makes the manifest list a changed file with its new hash, as a forger would.
func (t *trial) listed(name string, file []byte) {
	path := t.path(runDir, "manifest.json")
	data, err := os.ReadFile(path)
	if err != nil {
		return
	}
	m, err := forge.Decode(data)
	if err != nil {
		return
	}
	forge.Walk(m, func(v any) {
		if f, ok := v.(map[string]any); ok && f["path"] == name {
			f["sha256"], f["bytes"] = forge.Sum(file), json.Number(fmt.Sprint(len(file)))
		}
	})
	t.must(os.WriteFile(path, forge.SealManifest(m), 0o644))
}

// hostileLinks puts links and pipes into the run's folder, in place of existing files and where files will be written.
func (t *trial) hostileLinks() {
	var places []string
	_ = filepath.WalkDir(t.path(runDir), func(path string, d fs.DirEntry, err error) error {
		if err == nil && path != t.path(runDir) { // a link that -out names is followed
			name, _ := filepath.Rel(t.dir, path)
			places = append(places, name)
			if !d.IsDir() {
				places = append(places, filepath.Join(filepath.Dir(name), "."+d.Name()+".tmp"))
			}
		}
		return nil
	})
	places = append(places, runDir+"/.previous", runDir+"/.previous/qat", runDir+"/.previous/float/1", runDir+"/int_infer", runDir+"/qat/step-00000012.safetensors")
	for range 1 + t.r.IntN(3) {
		place := draw.One(t.r, places...)
		if !exists(t.path(filepath.Dir(place))) {
			continue
		}
		_ = os.RemoveAll(t.path(place))
		up := strings.Repeat("../", strings.Count(place, "/"))
		target := draw.One(t.r, up+"mine", up+"mine/last.safetensors", up+"../mine", up+"mine.txt", filepath.Join(t.root, "mine"), filepath.Join(t.root, "new.txt"), up+"new", ".", "loop", "/dev/zero", "/proc/self/mem", "pipe")
		t.title += fmt.Sprintf("%s → %s; ", place, target)
		if target == "pipe" {
			_ = syscall.Mkfifo(t.path(place), 0o644)
			continue
		}
		_ = os.Symlink(target, t.path(place))
	}
}
