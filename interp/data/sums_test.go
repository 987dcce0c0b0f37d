package data

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"qpipe/interp/disk"
	"qpipe/lang/files"
)

// counting is a file system that counts the files that are read, also by several goroutines at once.
type counting struct {
	fs.FS
	n *atomic.Int64
}

func (c counting) Open(name string) (fs.File, error) { c.n.Add(1); return c.FS.Open(name) }

func (c counting) Stat(name string) (fs.FileInfo, error) { return fs.Stat(c.FS, name) }

// TestTogether: many files have one hash, which depends on their names and contents only. They are read again when one of
// them has changed in any way, or has come or gone, also with its size and time as before.
func TestTogether(t *testing.T) {
	dir := t.TempDir()
	read := 0
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now().Add(time.Hour) // long after the last change
	s := &Sums{Known: map[string]disk.Digest{}, Now: func() time.Time { return now }}
	sum := func(names []string, afresh bool) string {
		t.Helper()
		var n atomic.Int64
		got, err := s.Together(counting{files.Folder(dir), &n}, "root", "train", names, afresh)
		read = int(n.Load())
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	contents := map[string]string{}
	for i := range 20 {
		contents[fmt.Sprintf("%02d.jpg", i)] = fmt.Sprint("image ", i)
	}
	for name, text := range contents {
		write(name, text)
	}
	names := slices.Sorted(maps.Keys(contents))
	first := sum(names, false)
	if read != len(names) || len(s.Known) != 1 {
		t.Errorf("%d files read, %d entries", read, len(s.Known))
	}
	if again := sum(names, false); again != first || read != 0 {
		t.Errorf("nothing has changed: %s and %s, %d files read", first, again, read)
	}
	file := filepath.Join(dir, names[3])
	was, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	write(names[3], "imagf 3")
	if err := os.Chtimes(file, was.ModTime(), was.ModTime()); err != nil {
		t.Fatal(err)
	}
	if other := sum(names, false); other == first || read != len(names) {
		t.Errorf("a file of the same size and time has another content: %s and %s, %d files read", first, other, read)
	}
	write(names[3], "image 3")
	if back := sum(names, false); back != first {
		t.Errorf("as before, but %s and %s", first, back)
	}
	if fewer := sum(names[1:], false); fewer == first || read != len(names)-1 {
		t.Errorf("one is gone: %s and %s", first, fewer)
	}
	s.Now = func() time.Time { return time.Now() }
	sum(names, false)
	if sum(names, false); read != len(names) {
		t.Errorf("files that have changed just now are read again, %d were", read)
	}
	s.Now = func() time.Time { return now }
	s = &Sums{Known: s.Known, Now: s.Now}
	sum(names, false)
	if sum(names, true); read != 0 {
		t.Error("this Sums has hashed them itself")
	}
	s = &Sums{Known: s.Known, Now: s.Now}
	if sum(names, true); read != len(names) {
		t.Error("afresh reads them")
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Together(files.Folder(dir), "root", "train", names, false); err == nil {
		t.Error("a file that is gone has a hash")
	}
}
