package disk

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func opened(t *testing.T, dir string, o Options) *Disk {
	t.Helper()
	d, err := Open(dir, o)
	must(t, err)
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// TestWriteIsAtomic stops a write after each of its steps: what is read after
// it is the old content or the new one.
func TestWriteIsAtomic(t *testing.T) {
	dir := t.TempDir()
	stop := errors.New("power cut")
	for n := 1; ; n++ {
		must(t, opened(t, dir, Options{}).Write("deep/f", []byte("old content")))
		at := 0
		d := opened(t, dir, Options{Trace: func(string, string) error {
			if at++; at == n {
				return stop
			}
			return nil
		}})
		err := d.Write("deep/f", []byte("new "), []byte("content"))
		got, _ := os.ReadFile(filepath.Join(dir, "deep", "f"))
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
	d := opened(t, dir, Options{})
	must(t, os.WriteFile(filepath.Join(dir, "deep", ".notes.00000001.tmp"), nil, 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "deep", ".f.tmp"), nil, 0o600))
	must(t, d.Sweep("deep", func(name, _ string) bool { return name == "deep/f" }))
	entries, _ := d.Entries("deep")
	if len(entries) != 3 {
		t.Errorf("after the sweep: %v; want the file, and two that are not ours", entries)
	}
}

// TestNothingOutside: no name and no link leads a write out of the folder, or into another file.
func TestNothingOutside(t *testing.T) {
	outside := t.TempDir()
	canary := filepath.Join(outside, "canary")
	must(t, os.WriteFile(canary, []byte("keep"), 0o600))
	for name, plant := range map[string]func(dir string) error{
		"../canary":    func(string) error { return nil },
		canary:         func(string) error { return nil },
		"link/canary":  func(dir string) error { return os.Symlink(outside, filepath.Join(dir, "link")) },
		"inner/canary": func(dir string) error { return os.Symlink("real", filepath.Join(dir, "inner")) },
	} {
		dir := t.TempDir()
		must(t, os.Mkdir(filepath.Join(dir, "real"), 0o700))
		must(t, plant(dir))
		if err := opened(t, dir, Options{}).Write(name, []byte("gone")); err == nil {
			t.Errorf("%s was written", name)
		}
	}
	dir := t.TempDir()
	must(t, os.Symlink(canary, filepath.Join(dir, ".f.00000000.tmp")))
	must(t, opened(t, dir, Options{}).Write("f", []byte("content")))
	if got, _ := os.ReadFile(canary); string(got) != "keep" {
		t.Errorf("the canary is %q", got)
	}
	if got, _ := os.ReadFile(filepath.Join(dir, "f")); string(got) != "content" {
		t.Errorf("beside a planted link: %q", got)
	}
}

// TestMove replaces nothing.
func TestMove(t *testing.T) {
	d := opened(t, t.TempDir(), Options{})
	must(t, d.Write("a", []byte("a")))
	must(t, d.Write("b", []byte("b")))
	if err := d.Move("a", "b"); err == nil {
		t.Error("b was replaced")
	}
	must(t, d.Move("a", "new/c"))
	if got, err := d.Read("new/c", 10); err != nil || string(got) != "a" {
		t.Errorf("%q, %v", got, err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
