//go:build linux

// Package tree lists, compares and copies the content of folders.
package tree

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Files are the files of a folder: a description of each, by relative path with slashes.
type Files map[string]string

// List describes everything below a folder: a file by the hash of its bytes, anything else by its kind. Links are not
// followed.
func List(dir string) Files {
	found := Files{}
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(dir, path)
		if err != nil {
			found[name] = "unreadable"
			return nil
		}
		if name != "." {
			info, err := d.Info()
			if err != nil {
				found[name] = "unreadable"
				return nil
			}
			found[name] = Describe(path, info)
		}
		return nil
	})
	return found
}

// Describe says what a file is.
func Describe(path string, d fs.FileInfo) string {
	switch {
	case d.IsDir():
		return "folder"
	case d.Mode()&fs.ModeSymlink != 0:
		target, _ := os.Readlink(path)
		return "link to " + target
	case !d.Mode().IsRegular():
		return d.Mode().Type().String()
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "unreadable"
	}
	return fmt.Sprintf("%x", sha256.Sum256(data))
}

// Results are the files of a run that contain no times, and files that should not be there. Kept earlier results and
// damaged logs are ignored.
func Results(dir string) Files {
	found := List(dir)
	maps.DeleteFunc(found, func(name, what string) bool {
		return what == "folder" || slices.Contains([]string{"lock", "manifest.json", "events.jsonl"}, name) || strings.HasPrefix(name, ".previous/") ||
			strings.HasPrefix(name, "events.jsonl.damaged") || strings.HasPrefix(name, "metrics.jsonl.damaged")
	})
	return found
}

// Differences compares two lists of files and returns sentences; files that skip names are left out.
func Differences(want, got Files, skip func(name string) bool) []string {
	var out []string
	names := map[string]bool{}
	for n := range want {
		names[n] = true
	}
	for n := range got {
		names[n] = true
	}
	for _, n := range slices.Sorted(maps.Keys(names)) {
		switch {
		case skip != nil && skip(n) || want[n] == got[n]:
		case got[n] == "":
			out = append(out, n+" is missing")
		case want[n] == "":
			out = append(out, n+" should not be there")
		default:
			out = append(out, n+" differs")
		}
	}
	return out
}

// Copy copies a folder with its links, pipes and empty folders.
func Copy(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		place := filepath.Join(to, name)
		switch {
		case d.IsDir():
			return os.MkdirAll(place, 0o755)
		case d.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(target, place)
		case d.Type()&fs.ModeNamedPipe != 0:
			return syscall.Mkfifo(place, 0o644)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(place, data, 0o644)
	})
}

// Regular lists the regular files of a folder, by relative path.
func Regular(dir string) (names []string) {
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			name, _ := filepath.Rel(dir, path)
			names = append(names, name)
		}
		return nil
	})
	return names
}
