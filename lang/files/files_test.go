package files

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"
)

func TestRead(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	for _, n := range []int{0, 1, 511, 512, 513, 100_000} {
		want := bytes.Repeat([]byte{'x'}, n)
		if err := os.WriteFile(path, want, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := Read(path, int64(n)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes: %d came, %v", n, len(got), err)
		}
		if _, err := Read(path, int64(n)-1); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%d bytes where one less is allowed: %v", n, err)
		}
	}
	if _, err := Read(dir, 1); !errors.Is(err, ErrFolder) {
		t.Errorf("a folder: %v", err)
	}
	if _, err := Read(path+"x", 1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing: %v", err)
	}
}

// TestLinks: a link that leads to no file is not the same as nothing.
func TestLinks(t *testing.T) {
	dir := t.TempDir()
	for name, to := range map[string]string{"broken": "nothing", "circle": "again", "again": "circle", "good": "f", "below": "."} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "f"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = root.Close() }()
	for name, want := range map[string]error{"broken": ErrBrokenLink, "circle": ErrLinkCircle, "below": ErrFolder, "good": nil, "nothing": fs.ErrNotExist} {
		for how, read := range map[string]func() ([]byte, error){
			"Read":      func() ([]byte, error) { return Read(filepath.Join(dir, name), 1) },
			"ReadNamed": func() ([]byte, error) { return ReadNamed(filepath.Join(dir, name), 1) },
			"ReadIn":    func() ([]byte, error) { return ReadIn(root, name, 1) },
			"Folder":    func() ([]byte, error) { return fs.ReadFile(Folder(dir), name) },
		} {
			if name == "below" && how == "Folder" {
				continue // it opens folders
			}
			got, err := read()
			if !errors.Is(err, want) || name != "nothing" && errors.Is(err, fs.ErrNotExist) || want == nil && string(got) != "x" {
				t.Errorf("%s, %s: %q, %v", how, name, got, err)
			}
		}
	}
}

// TestFolder: below a folder all is as os.DirFS has it.
func TestFolder(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, fstest.MapFS{"a/b/c": {Data: []byte("x")}, "a/d": {}, "e": {Data: []byte("y")}}); err != nil {
		t.Fatal(err)
	}
	if err := fstest.TestFS(Folder(dir), "a/b/c", "a/d", "e"); err != nil {
		t.Error(err)
	}
	var pe *fs.PathError
	if _, err := Folder(dir).Open("gone"); !errors.As(err, &pe) || pe.Path != "gone" || !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// TestWorldly opens what is no regular file: the answer comes at once.
func TestWorldly(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := mkfifo(fifo); err != nil {
		t.Skip("no FIFO here:", err)
	}
	if err := os.Symlink(fifo, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = root.Close() }()
	for name, open := range map[string]func() error{
		"a FIFO":            func() error { _, err := Open(fifo); return err },
		"a link to a FIFO":  func() error { _, err := Read(filepath.Join(dir, "link"), 1); return err },
		"a FIFO below":      func() error { _, err := ReadIn(root, "fifo", 1); return err },
		"a FIFO in folder":  func() error { _, err := Folder(dir).Open("fifo"); return err },
		"a device":          func() error { _, err := Read("/dev/zero", 1); return err },
		"an endless device": func() error { _, err := Read("/dev/urandom", 1<<40); return err },
		"a file that waits": func() error { return kernelLog() },
	} {
		done := make(chan error, 1)
		go func() { done <- open() }()
		select {
		case err := <-done:
			if !errors.Is(err, ErrNotRegular) {
				t.Errorf("%s: %v", name, err)
			}
		case <-time.After(5 * time.Second):
			t.Errorf("%s: it waits", name)
		}
	}
}

// kernelLog reads a file that says it is regular, and waits for its next line.
func kernelLog() error {
	_, err := Read("/proc/kmsg", 1)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, ErrTooLarge) {
		return ErrNotRegular // not here, not for us, it has waited long enough, or a line was there
	}
	return err
}

// TestReadNamed reads a pipe, as a command line may name one.
func TestReadNamed(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := mkfifo(fifo); err != nil {
		t.Skip("no FIFO here:", err)
	}
	go func() { _ = os.WriteFile(fifo, []byte("text"), 0o600) }()
	if got, err := ReadNamed(fifo, 4); err != nil || string(got) != "text" {
		t.Errorf("%q, %v", got, err)
	}
	slow := func() { // it comes late, and writes slowly
		time.Sleep(20 * time.Millisecond)
		f, err := os.OpenFile(fifo, os.O_WRONLY, 0)
		if err != nil {
			return
		}
		for range 4 {
			time.Sleep(5 * time.Millisecond)
			_, _ = f.WriteString("slow")
		}
		_ = f.Close()
	}
	go slow()
	if got, err := ReadNamed(fifo, 100); err != nil || string(got) != "slowslowslowslow" {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := readNamed(fifo, 4, 20*time.Millisecond); !errors.Is(err, ErrNoWriter) {
		t.Errorf("a pipe without a writer: %q, %v", got, err)
	}
	if _, err := ReadNamed("/dev/zero", 1<<20); !errors.Is(err, ErrTooLarge) {
		t.Errorf("an endless device: %v", err)
	}
}

// TestOpenIn follows no link out of the root.
func TestOpenIn(t *testing.T) {
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(outside, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = root.Close() }()
	for _, name := range []string{"link", "../f", outside} {
		if f, err := OpenIn(root, name); err == nil {
			t.Errorf("%s was opened", name)
			_ = f.Close()
		}
	}
}
