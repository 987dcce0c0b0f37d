package artifact

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"qpipe/lang/diag"
)

// TestWriteIsAtomic stops a write after each of its steps: what is read after
// it is the old content or the new one.
func TestWriteIsAtomic(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "f")
	stop := errors.New("power cut")
	for n := 1; ; n++ {
		if err := (&Disk{}).Write(path, []byte("old content")); err != nil {
			t.Fatal(err)
		}
		at := 0
		d := &Disk{Trace: func(string, string) error {
			if at++; at == n {
				return stop
			}
			return nil
		}}
		err := d.Write(path, []byte("new "), []byte("content"))
		got, _ := os.ReadFile(path)
		want := "old content"
		if err == nil || n == 5 { // the last step comes after the rename
			want = "new content"
		}
		if string(got) != want {
			t.Errorf("stopped at step %d: %q", n, got)
		}
		if err == nil {
			break
		}
	}
	entries, _ := os.ReadDir(filepath.Dir(path))
	if len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestLock(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	first, err := TakeLock(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = TakeLock(dir)
	var f *FileError
	if !errors.As(err, &f) || f.Code != diag.Locked || !strings.Contains(err.Error(), dir) {
		t.Errorf("second lock: %v", err)
	}
	first.Release()
	again, err := TakeLock(dir)
	if err != nil {
		t.Fatal(err)
	}
	again.Release()
}

// TestTornLine cuts a log at every byte: opening it again keeps whole lines only.
func TestTornLine(t *testing.T) {
	whole := []byte("{\"a\":1}\n{\"b\":22}\n" + strings.Repeat("x", 5000) + "\n")
	for cut := range whole {
		if cut > 40 && cut < len(whole)-40 && cut%997 != 0 {
			continue
		}
		path := filepath.Join(t.TempDir(), "log")
		must(t, os.WriteFile(path, whole[:cut], 0o600))
		l, err := OpenLog(nil, path)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Append(map[string]int{"c": 3}); err != nil {
			t.Fatal(err)
		}
		_ = l.Close()
		got, _ := os.ReadFile(path)
		want := string(whole[:bytes.LastIndexByte(whole[:cut], '\n')+1]) + "{\"c\":3}\n"
		if string(got) != want {
			t.Fatalf("cut at %d: %.40q", cut, got)
		}
	}
}

func TestTrim(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l, err := OpenLog(nil, path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		must(t, l.Append(map[string]int{"i": i}))
	}
	if err := l.Trim(func(line []byte) bool {
		return !bytes.Contains(line, []byte("3")) && !bytes.Contains(line, []byte("4"))
	}); err != nil {
		t.Fatal(err)
	}
	must(t, l.Append(map[string]int{"i": 9}))
	_ = l.Close()
	got, _ := os.ReadFile(path)
	if want := "{\"i\":0}\n{\"i\":1}\n{\"i\":2}\n{\"i\":9}\n"; string(got) != want {
		t.Errorf("%q", got)
	}
}

func TestManifest(t *testing.T) {
	dir := t.TempDir()
	if m, err := ReadManifest(dir); m != nil || err != nil {
		t.Fatal(m, err)
	}
	m := &Manifest{Program: "p", Stages: []*StageEntry{{Name: "a", State: Complete, Metrics: Metrics{"loss": 0.1}}}}
	if err := WriteManifest(nil, dir, m); err != nil {
		t.Fatal(err)
	}
	got, err := ReadManifest(dir)
	if err != nil || got.Stage("a").Metrics["loss"] != 0.1 || got.Stage("b") != nil {
		t.Errorf("%+v, %v", got, err)
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
	for _, bad := range []string{"", "{", `{"format_version":9}`, `{"format_version":1,"stages":[null]}`, `{"format_version":1,"stages":3}`, `{"format_version":1,"stages":[{"name":"../../mine"}]}`, `{"format_version":1,"stages":[{"name":".."}]}`} {
		must(t, os.WriteFile(path, []byte(bad), 0o600))
		if _, err := ReadManifest(dir); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestArtifactSound(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "s", "last.safetensors")
	must(t, (&Disk{}).Write(path, []byte("content")))
	f, err := NewFile(dir, path, "last")
	if err != nil || f.Path != "s/last.safetensors" || f.Bytes != 7 || !f.Sound(dir) {
		t.Fatal(f, err)
	}
	must(t, os.WriteFile(path, []byte("cOntent"), 0o600))
	if f.Sound(dir) {
		t.Error("a changed file is called sound")
	}
	f.Path = "../" + filepath.Base(dir) + "/s/last.safetensors"
	if f.Sound(dir) {
		t.Error("a path out of the folder is followed")
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
