package runs

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"qpipe/interp/artifact"
	"qpipe/interp/checkpoint"
	"qpipe/interp/disk"
	"qpipe/lang/diag"
	"qpipe/ops/nn"
)

func opened(t *testing.T, dir string) *Run {
	t.Helper()
	r, err := Open(dir, disk.Options{NoSync: true})
	must(t, err)
	t.Cleanup(r.Close)
	return r
}

func codeOf(err error) diag.Code {
	var f *artifact.FileError
	if errors.As(err, &f) {
		return f.Code
	}
	return ""
}

func TestLock(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	first := opened(t, dir)
	if _, err := Open(dir, disk.Options{}); codeOf(err) != diag.Locked || !strings.Contains(err.Error(), dir) {
		t.Errorf("second lock: %v", err)
	}
	first.Close()
	opened(t, dir)
}

func TestManifest(t *testing.T) {
	dir := t.TempDir()
	r := opened(t, dir)
	r.Manifest.Set(&StageEntry{Name: "a", State: Complete, Metrics: artifact.Metrics{"loss": 0.1}})
	must(t, r.Save())
	m, err := ReadManifest(dir)
	if err != nil || m.Stage("a").Metrics["loss"] != 0.1 || m.Stage("b") != nil {
		t.Errorf("%+v, %v", m, err)
	}
	path := filepath.Join(dir, ManifestName)
	sound, err := os.ReadFile(path)
	must(t, err)
	for i := range sound {
		bad := bytes.Clone(sound)
		bad[i] ^= 1 << (i % 8)
		if _, err := decodeManifest(path, bad); err == nil {
			t.Fatalf("a bit of byte %d was flipped, and nobody noticed: %q", i, bad)
		}
	}
	for _, bad := range []string{"", "{", `{"format_version":9}`, `{"format_version":1,"stages":[null]}`, `{"format_version":1,"stages":3}`} {
		must(t, os.WriteFile(path, []byte(bad), 0o600))
		if _, err := ReadManifest(dir); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// TestNames: no name or path of a manifest leads out of its stage's folder.
func TestNames(t *testing.T) {
	file := func(name, path string) string {
		return fmt.Sprintf(`{"name":"a","artifacts":[{"name":%q,"path":%q,"bytes":1,"sha256":%q}]}`, name, path, strings.Repeat("a", 64))
	}
	good := file("last", "a/last.safetensors")
	if _, err := decodeManifest("m", []byte(`{"format_version":1,"stages":[`+good+`]}`)); err != nil {
		t.Fatal(err)
	}
	var bad []string
	for _, name := range []string{"", ".", "..", "../../mine", "a/b", `a\\b`, "/a", "lock", "Lock", ".previous", "manifest.json", "events.jsonl", "nul", "COM1", `a\u0000`, "a b", strings.Repeat("x", 300)} {
		bad = append(bad, `{"name":"`+name+`"}`)
	}
	for _, f := range [][2]string{
		{"last", "last.safetensors"},
		{"last", "../a/last.safetensors"},
		{"last", "b/last.safetensors"},
		{"last", "a/best.safetensors"},
		{"../x", "a/../x.safetensors"},
		{"", "a/.safetensors"},
		{".x", "a/.x.safetensors"},
		{"x/y", "a/x/y.safetensors"},
		{"last", "/a/last.safetensors"},
	} {
		bad = append(bad, file(f[0], f[1]), `{"name":"a","previous":`+file(f[0], f[1])+`}`, `{"name":"a","writing":`+strings.TrimSuffix(strings.TrimPrefix(file(f[0], f[1]), `{"name":"a","artifacts":[`), `]}`)+`}`)
	}
	kept := func(folder string, k string) string {
		return `{"name":"a","kept":[` + strings.TrimSuffix(k, "}") + `,"folder":` + folder + `}]}`
	}
	bad = append(
		bad, good+`,{"name":"A"}`, kept("-1", file("last", ".previous/a/-1/last.safetensors")), kept("1", file("last", ".previous/a/2/last.safetensors")),
		kept("1", good), kept("1", `{"name":"b"}`), kept("1", `{"name":"a","kept":[{"name":"a","folder":2}]}`), `{"name":"a","kept":[null]}`,
		`{"name":"a","previous":{"name":"b"}}`, `{"name":"a","previous":{"name":"a","previous":{"name":"a"}}}`,
	)
	for _, stages := range bad {
		_, err := decodeManifest("m", []byte(`{"format_version":1,"stages":[`+stages+`]}`))
		if codeOf(err) != diag.Damaged {
			t.Errorf("%.200s: %v", stages, err)
		}
	}
}

// snap is a small checkpoint.
func snap(t *testing.T, weight float32) *checkpoint.Snapshot {
	t.Helper()
	return &checkpoint.Snapshot{
		Stage: "a", Form: nn.Float, Mode: nn.FuseBN, Step: int(weight),
		Model: []nn.Tensor{{Name: "w", Shape: []int{1}, Data: []float32{weight}}},
	}
}

// TestOwnership: files of others are never written over, moved or removed, wherever they lie in a stage's folder.
func TestOwnership(t *testing.T) {
	for name, plant := range map[string]func(t *testing.T, path string){
		"a text": func(t *testing.T, path string) { must(t, os.WriteFile(path, []byte("mine"), 0o600)) },
		"another sound checkpoint": func(t *testing.T, path string) {
			must(t, artifact.Write(path, snap(t, 99)))
		},
		"a folder": func(t *testing.T, path string) { must(t, os.Mkdir(path, 0o700)) },
		"a link": func(t *testing.T, path string) {
			must(t, os.Symlink("notes.txt", path))
		},
	} {
		dir := t.TempDir()
		r := opened(t, dir)
		must(t, r.Begin(&StageEntry{Name: "a", State: Running}, nil, false))
		must(t, r.Put("a", "last", snap(t, 1)))
		must(t, r.Put("a", "best", snap(t, 1)))
		must(t, os.WriteFile(filepath.Join(dir, "a", "notes.txt"), []byte("notes"), 0o600))
		path := filepath.Join(dir, "a", "last.safetensors")
		must(t, os.Remove(path))
		plant(t, path)
		before, _ := os.Lstat(path)
		if err := r.Put("a", "last", snap(t, 2)); codeOf(err) != diag.Foreign || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: written over: %v", name, err)
		}
		must(t, r.Remove("a", "last"))
		must(t, r.Save())
		must(t, r.Begin(&StageEntry{Name: "a", State: Running}, nil, false))
		if err := r.Vacant([]string{"a"}, func(_, name string) bool { return standard(name) }); codeOf(err) != diag.Foreign {
			t.Errorf("%s: vacant: %v", name, err)
		}
		if after, err := os.Lstat(path); err != nil || !os.SameFile(before, after) {
			t.Errorf("%s: gone: %v", name, err)
		}
		if _, err := os.Stat(filepath.Join(dir, "a", "notes.txt")); err != nil {
			t.Errorf("%s: the notes: %v", name, err)
		}
		if _, err := os.Stat(filepath.Join(dir, ".previous", "a", "1", "best.safetensors")); err != nil {
			t.Errorf("%s: what was the run's is not kept: %v", name, err)
		}
	}
}

// TestDamagedIsOurs: what is left of a checkpoint of ours is no hindrance.
func TestDamagedIsOurs(t *testing.T) {
	for name, damage := range map[string]func(b []byte) []byte{
		"a bit of the data":   func(b []byte) []byte { b[len(b)-1] ^= 1; return b },
		"a bit of the header": func(b []byte) []byte { b[20] ^= 1; return b },
		"cut in the data":     func(b []byte) []byte { return b[:len(b)-2] },
		"cut in the header":   func(b []byte) []byte { return b[:len(b)*9/10] },
		"empty":               func([]byte) []byte { return nil },
		"zeroed":              func(b []byte) []byte { clear(b); return b },
		"grown":               func(b []byte) []byte { return append(b, "more"...) },
	} {
		dir := t.TempDir()
		r := opened(t, dir)
		must(t, r.Begin(&StageEntry{Name: "a", State: Running}, nil, false))
		must(t, r.Put("a", "last", snap(t, 1)))
		path := filepath.Join(dir, "a", "last.safetensors")
		data, err := os.ReadFile(path)
		must(t, err)
		must(t, os.WriteFile(path, damage(data), 0o600))
		if fault, err := r.Fault(r.Manifest.Stage("a"), r.Manifest.Stage("a").Artifacts[0]); err != nil || !strings.Contains(fault, "is damaged") {
			t.Errorf("%s: %q", name, fault)
		}
		if err := r.Verify("a"); codeOf(err) != diag.Damaged {
			t.Errorf("%s: verified: %v", name, err)
		}
		if _, err := r.Own("a", "last"); err == nil {
			t.Errorf("%s: it was read", name)
		}
		must(t, r.Put("a", "last", snap(t, 2)))
		if s, err := r.Own("a", "last"); err != nil || s.Step != 2 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestMovesAreFinished stops every change of several files at each of its steps: who opens the
// folder next finds all files of all results in their places, none lost, none twice.
func TestMovesAreFinished(t *testing.T) {
	for name, change := range map[string]func(r *Run) error{
		"starts over": func(r *Run) error { return r.Begin(&StageEntry{Name: "a", State: Running, Hash: "3"}, nil, false) },
		"goes on":     func(r *Run) error { return r.Begin(&StageEntry{Name: "a", State: Running, Hash: "3"}, nil, true) },
		"is brought back": func(r *Run) error {
			_, err := r.BringBack("a", r.Manifest.Stage("a").Kept[0], nil)
			return err
		},
		"is complete": func(r *Run) error { return r.Complete("a") },
	} {
		for n := 1; ; n++ {
			dir := t.TempDir()
			r := opened(t, dir)
			must(t, r.Begin(&StageEntry{Name: "a", State: Running, Hash: "1"}, nil, false))
			must(t, r.Put("a", "last", snap(t, 1)))
			must(t, r.Put("a", "best", snap(t, 1)))
			must(t, r.Complete("a"))
			must(t, r.Begin(&StageEntry{Name: "a", State: Running, Hash: "2"}, nil, false))
			must(t, r.Put("a", "last", snap(t, 2)))
			must(t, r.Put("a", "best", snap(t, 1))) // the same bytes as the result that is kept
			r.Close()

			at, power := 0, errors.New("power cut")
			r, err := Open(dir, disk.Options{NoSync: true, Trace: func(string, string) error {
				if at++; at == n {
					return power
				}
				return nil
			}})
			done := err == nil && change(r) == nil
			if r != nil {
				r.Close()
			}
			r = opened(t, dir)
			e := r.Manifest.Stage("a")
			found := 0
			for _, f := range all(e) {
				if c, err := r.whose(f.Path, f); err != nil || c != ours {
					t.Errorf("%s, stopped at step %d: %s is not there (%v)", name, n, f.Path, err)
				}
				found++
			}
			for _, hash := range []string{"1", "2"} {
				if name != "is complete" && !remembers(e, hash) {
					t.Errorf("%s, stopped at step %d: the result %s is lost", name, n, hash)
				}
			}
			if got := checkpoints(t, dir); got != found {
				t.Errorf("%s, stopped at step %d: %d files where %d are listed", name, n, got, found)
			}
			r.Close()
			if done {
				break
			}
		}
	}
}

func all(e *StageEntry) []File {
	files := append([]File{}, e.Artifacts...)
	for _, k := range e.Kept {
		files = append(files, k.Artifacts...)
	}
	return files
}

func remembers(e *StageEntry, hash string) bool {
	for _, k := range e.Kept {
		if k.Hash == hash {
			return true
		}
	}
	return e.Hash == hash
}

func checkpoints(t *testing.T, dir string) (n int) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if strings.HasSuffix(path, artifact.Ext) {
			n++
		}
		return err
	}))
	return n
}

// TestKeptAreFew: the newest are kept, and the newest complete one whatever its age.
func TestKeptAreFew(t *testing.T) {
	dir := t.TempDir()
	r := opened(t, dir)
	for n := range 7 {
		must(t, r.Begin(&StageEntry{Name: "a", State: Running, Hash: fmt.Sprint(n)}, nil, false))
		must(t, r.Put("a", "last", snap(t, float32(n))))
		if n == 1 {
			must(t, r.Complete("a"))
		}
	}
	var got []string
	for _, k := range r.Manifest.Stage("a").Kept {
		got = append(got, k.Hash)
	}
	if fmt.Sprint(got) != "[5 4 1]" || checkpoints(t, dir) != 4 {
		t.Errorf("%v are kept, %d files", got, checkpoints(t, dir))
	}
	must(t, r.Complete("a"))
	if _, err := os.Stat(filepath.Join(dir, ".previous")); err == nil || checkpoints(t, dir) != 1 {
		t.Errorf("after the end: %d files, %v", checkpoints(t, dir), err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestDamagedIsNotKept: what is damaged does not stay behind when the rest is put aside.
func TestDamagedIsNotKept(t *testing.T) {
	r := opened(t, t.TempDir())
	must(t, r.Begin(&StageEntry{Name: "a", State: Running, Hash: "1"}, nil, false))
	must(t, r.Put("a", "last", snap(t, 1)))
	must(t, r.Put("a", "step-00000001", snap(t, 1)))
	data, err := os.ReadFile(r.File("a", "step-00000001"))
	must(t, err)
	data[len(data)-1] ^= 1
	must(t, os.WriteFile(r.File("a", "step-00000001"), data, 0o600))
	must(t, r.Begin(&StageEntry{Name: "a", State: Running, Hash: "2"}, nil, false))
	if names, err := r.Names("a"); err != nil || len(names) != 0 || len(r.Manifest.Stage("a").Kept[0].Artifacts) != 1 {
		t.Errorf("%v, %v", names, err)
	}
}
