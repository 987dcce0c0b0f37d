//go:build linux

package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"qpipe/tools/chaos/program"

	"qpipe/tools/chaos/draw"
	"qpipe/tools/chaos/forge"
	"qpipe/tools/chaos/tree"
)

// belongings puts somebody else's files into the run's folder, at its file names and beside them.
func belongings() *campaign {
	c := &campaign{
		name: "belongings", weight: 10,
		promise: "what somebody has put into a run's folder stays there, byte for byte, whatever runs; a name that is needed is named",
	}
	c.trial = func(t *trial) {
		end := draw.One(t.r, nil, edited)
		switch history := draw.One(t.r, "nothing", "complete", "complete", "killed", "edited and killed"); history {
		case "nothing":
			t.must(os.MkdirAll(t.path(runDir, "qat"), 0o755))
		case "complete":
			t.run()
		case "killed":
			killedAt(t, "qat", 1+t.r.IntN(6))
		case "edited and killed":
			t.run()
			killedAt(t, "qat", 3, edited...)
		}
		ours := tree.List(t.path(runDir))
		mine := tree.Files{}
		for range 1 + t.r.IntN(5) {
			t.lay(ours, mine)
		}
		t.tell("# laid: %s", t.title)
		check := func(after string) {
			now := tree.List(t.path(runDir))
			for _, name := range slices.Sorted(maps.Keys(mine)) {
				if now[name] != mine[name] {
					t.fail("%s was somebody's (%s), and after %s is %q", name, mine[name], after, now[name])
				}
			}
			if len(t.failures) > 0 {
				panic(gaveUp{})
			}
		}
		for range 1 + t.r.IntN(3) {
			args := draw.One(t.r, nil, edited, []string{"-force"}, []string{"-force", "-stage", "qat"}, []string{"-var", "float_lr=0.04"})
			c := program.Call{Args: runArgs(args...), Codes: []int{130}}
			if t.r.IntN(2) == 0 {
				c.Sig, c.At = draw.One(t.r, syscall.SIGKILL, syscall.SIGINT), nth(1+t.r.IntN(40), func(program.Event) bool { return true })
			}
			r := t.call(c)
			check("qpipe run " + strings.Join(args, " "))
			if r.Code == 1 && !mentions(r.Text(), slices.Collect(maps.Keys(mine))) {
				t.fail("the message names no file in the way: %s", r.Message())
			}
		}
		t.clearWay(mine, end)
		for _, d := range tree.Differences(t.undisturbed(end...).files, tree.Results(t.path(runDir)), func(name string) bool { return mine[name] != "" }) {
			t.fail("not as a run that was never disturbed: %s", d)
		}
		check("the last run")
	}
	return c
}

// clearWay runs to the end, and moves files out of the way when a message names them.
func (t *trial) clearWay(mine tree.Files, end []string) {
	for range len(mine) + 1 {
		r := t.run(end...)
		if r.Code == 0 {
			return
		}
		i := slices.IndexFunc(slices.Sorted(maps.Keys(mine)), func(name string) bool { return strings.Contains(r.Message(), name) })
		if i < 0 {
			t.fail("the message names no file in the way: %s", r.Message())
			panic(gaveUp{})
		}
		name := slices.Sorted(maps.Keys(mine))[i]
		t.tell("# moves %s out of the way", name)
		t.must(os.Rename(t.path(runDir, name), t.path(fmt.Sprintf("mine-%d", len(mine)))))
		for n := range mine {
			if n == name || strings.HasPrefix(n, name+"/") {
				delete(mine, n)
			}
		}
	}
	t.fail("the ways out that messages name come to no end")
}

// lay puts something into the run's folder and records it.
func (t *trial) lay(ours, mine tree.Files) {
	stage := draw.One(t.r, append(slices.Clone(everyStage), "", "", ".previous", "mine")...)
	name := draw.One(t.r,
		"notes.txt", "plot.png", "favourite.safetensors", "last (copy).safetensors", "best.safetensors.bak", "LAST.safetensors", ".hidden", ".notes.tmp", ".last.safetensors.tmp", ".last.safetensors.mine.tmp",
		"epoch-0001.safetensors", "step-00000003.safetensors", "step-00000012.safetensors", "step-00000099.safetensors", "int8.safetensors", "best.safetensors", "folder", "qat", "1", "metrics.jsonl", "lock.txt", "manifest.json.orig")
	name = filepath.Join(stage, name)
	if ours[name] != "" || mine[name] != "" || strings.HasPrefix(name, "metrics.jsonl") || slices.Contains(everyStage, name) {
		return
	}
	path := t.path(runDir, name)
	if info, err := os.Lstat(filepath.Dir(path)); err == nil && !info.IsDir() {
		return
	}
	t.must(os.MkdirAll(filepath.Dir(path), 0o755))
	kind := draw.One(t.r, "text", "text", "a copied checkpoint", "a link", "a dangling link", "a pipe", "a folder")
	switch kind {
	case "text":
		t.must(os.WriteFile(path, []byte("mine\n"), 0o644))
	case "a copied checkpoint":
		data, err := os.ReadFile(t.path(runDir, "float", "last.safetensors"))
		if err != nil {
			data = []byte("mine\n")
		}
		t.must(os.WriteFile(path, data, 0o644))
	case "a link":
		t.write("elsewhere.txt", "mine\n")
		t.must(os.Symlink(t.path("elsewhere.txt"), path))
	case "a dangling link":
		t.must(os.Symlink("nowhere", path))
	case "a pipe":
		t.must(syscall.Mkfifo(path, 0o644))
	case "a folder":
		t.must(os.MkdirAll(filepath.Join(path, "deep"), 0o755))
		t.must(os.WriteFile(filepath.Join(path, "deep", "notes.txt"), []byte("mine\n"), 0o644))
		mine[filepath.Join(name, "deep", "notes.txt")] = forge.Sum([]byte("mine\n"))
	}
	info, err := os.Lstat(path)
	t.must(err)
	mine[name] = tree.Describe(path, info)
	t.title += fmt.Sprintf("%s (%s); ", name, kind)
}
