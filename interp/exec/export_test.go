package exec

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"qpipe/interp/event"
	"qpipe/interp/lower"
	"qpipe/interp/parttest"
	"qpipe/interp/runs"
	"qpipe/lang/diag"
	"qpipe/lang/program"
)

// TestExports: exported files belong to the run, like checkpoints. They are listed with their hashes, written again if they are missing or
// their arguments change, kept and restored, and never overwrite a user's file. A failed export fails the stage, and the next run continues there.
func TestExports(t *testing.T) {
	p, x := parttest.Flow()
	p.Dir = t.TempDir()
	st := p.Stages[len(p.Stages)-1]
	export := func(a parttest.NamesArgs) {
		st.Exports = []program.Call{x.Call(program.ExportKind, "Names", "stage.int_infer.export.Names[0]", a, "file", "fails")}
	}
	dir := filepath.Join(t.TempDir(), "run")
	o := world(dir)
	seen := events(&o)
	written := func() *runs.File {
		m, err := runs.ReadManifest(dir)
		must(t, err)
		return m.Stage("int_infer").Artifact("nodes.txt")
	}
	state := func() string {
		got := states(ran(t, p, o))
		return got[strings.LastIndex(got, "int_infer: "):]
	}
	path := filepath.Join(dir, "int_infer", "nodes.txt")

	export(parttest.NamesArgs{File: "nodes.txt", Fails: true})
	if _, d := broke(t, p, o); d.Code != diag.CannotExport || d.Subject != st.Exports[0].Origin.Header || !strings.Contains(d.Summary, "no room for names") {
		t.Errorf("a failed export: %s %s", d.Code, d.Summary)
	}
	export(parttest.NamesArgs{File: "nodes.txt"})
	state()
	text, err := os.ReadFile(path)
	must(t, err)
	if f := written(); !strings.HasPrefix(string(text), "quantized\ninput\nbody.a.conv\n") || f == nil || f.Bytes != int64(len(text)) {
		t.Errorf("the file holds %q, and the manifest says %+v", text, f)
	}
	if n := count[event.Export](*seen); n != 1 {
		t.Errorf("%d events tell of it", n)
	}
	if got := state(); got != "int_infer: up to date (nothing has changed)" {
		t.Errorf("again: %s", got)
	}

	must(t, os.Remove(path))
	if got := state(); !strings.Contains(got, "ran") || !fileExists(path) {
		t.Errorf("removed: %s, there: %t", got, fileExists(path))
	}
	must(t, os.Remove(filepath.Join(dir, "manifest.json")))
	if got := state(); written() == nil || !strings.Contains(got, "up to date") {
		t.Errorf("without a manifest: %s, listed: %v", got, written())
	}

	must(t, os.WriteFile(filepath.Join(dir, "int_infer", "mine.txt"), []byte("notes"), 0o600))
	export(parttest.NamesArgs{File: "mine.txt"})
	if _, d := broke(t, p, o); d.Code != diag.Foreign || !strings.Contains(d.Summary, "mine.txt") {
		t.Errorf("a file of somebody's: %s %s", d.Code, d.Summary)
	}
	export(parttest.NamesArgs{File: "other.txt"})
	if got := state(); got != `int_infer: ran (export[0].file changed from nodes.txt to other.txt)` {
		t.Errorf("another name: %s", got)
	}
	if notes, err := os.ReadFile(filepath.Join(dir, "int_infer", "mine.txt")); err != nil || string(notes) != "notes" {
		t.Errorf("what was somebody's is now %q, %v", notes, err)
	}
	for _, name := range []string{"", "a/b.txt", ".hidden", "noending", "x.safetensors"} {
		export(parttest.NamesArgs{File: name})
		if _, list := lower.Lower(p, parttest.Catalog()); !slices.ContainsFunc(list, func(d *diag.Diagnostic) bool { return d.Code == diag.BadPart }) {
			t.Errorf("%q is taken for a file's name: %v", name, list)
		}
	}
}
