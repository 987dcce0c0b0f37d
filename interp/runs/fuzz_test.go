package runs

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"qpipe/interp/disk"
	"qpipe/lang/vary"
)

// resealed is a manifest with the hash that belongs to what it says.
func resealed(text []byte) []byte {
	text = bytes.ReplaceAll(text, []byte(`"sha256":`), []byte(`"sha256": `))
	var head struct{ SHA256 string }
	_ = json.Unmarshal(text, &head) // what has no hash gets none
	text = bytes.Replace(text, manifestHash(head.SHA256), manifestHash(noHash()), 1)
	return bytes.Replace(text, manifestHash(noHash()), manifestHash(disk.Sum(text)), 1)
}

// FuzzManifest changes what manifests say, and gives them the hash that belongs to it:
// whoever makes a folder can do that. It is refused by name, or read; then it is written as it was
// read, and putting right what it says loses nothing of anybody's.
func FuzzManifest(f *testing.F) {
	var all [][]byte
	paths, err := filepath.Glob("../../testdata/formats/*/*/manifest.json")
	if more, _ := filepath.Glob("../../testdata/formats/*/manifest.json"); err != nil || len(paths) == 0 || len(more) == 0 {
		f.Fatal("no manifests:", err)
	} else {
		paths = append(paths, more...)
	}
	for _, p := range paths {
		text, err := os.ReadFile(p)
		if err != nil {
			f.Fatal(err)
		}
		m, err := decodeManifest(p, text)
		if err != nil {
			f.Fatal(err)
		}
		m.FormatVersion, m.SHA256 = ManifestVersion, noHash()
		now, err := json.MarshalIndent(m, "", "  ")
		if err != nil {
			f.Fatal(err)
		}
		all = append(all, text, now)
	}
	for i := range all {
		f.Add(byte(i), []byte{})
		for how := range 8 {
			for at := range 8 {
				f.Add(byte(i), []byte{byte(37 * at), byte(at % 2), byte(how), byte(5 + at)})
			}
		}
	}
	f.Fuzz(func(t *testing.T, which byte, edits []byte) {
		text := resealed(vary.JSON(all[int(which)%len(all)], edits))
		_, err := decodeManifest("run/manifest.json", text)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "run/manifest.json: ") {
				t.Fatalf("an error that does not name the file: %v", err)
			}
			return
		}
		dir := t.TempDir()
		mine := []string{"notes.txt", "run/notes.txt", "run/qat/notes.txt", "run/.previous/qat/notes.txt", "run/float/.notes.tmp", "run/qat.txt/notes.txt"}
		for _, name := range mine {
			path := filepath.Join(dir, filepath.FromSlash(name))
			must(t, os.MkdirAll(filepath.Dir(path), 0o700))
			must(t, os.WriteFile(path, []byte(name), 0o600))
		}
		out := filepath.Join(dir, "run")
		must(t, os.WriteFile(filepath.Join(out, ManifestName), text, 0o600))
		r, err := Open(out, disk.Options{NoSync: true})
		if err == nil {
			must(t, r.Save())
			r.Close()
			again(t, out)
		} else if !strings.Contains(err.Error(), out) {
			t.Errorf("an error that does not name the file: %v", err)
		}
		for _, name := range mine {
			if got, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name))); err != nil || string(got) != name {
				t.Errorf("%s is not as it was: %q, %v", name, got, err)
			}
		}
	})
}

// again reads and writes a manifest once more: it stays the same.
func again(t *testing.T, out string) {
	path := filepath.Join(out, ManifestName)
	once, err := os.ReadFile(path)
	must(t, err)
	r, err := Open(out, disk.Options{NoSync: true})
	if err != nil {
		t.Fatalf("what was written cannot be read: %v", err)
	}
	must(t, r.Save())
	r.Close()
	if twice, err := os.ReadFile(path); err != nil || !bytes.Equal(once, twice) {
		t.Fatalf("written twice it differs: %v\n%s\n%s", err, once, twice)
	}
}

// FuzzLog: what a log holds, whatever that is, is kept to its last whole line; lines come
// behind it, and trimming keeps what is wanted.
func FuzzLog(f *testing.F) {
	for _, p := range []string{"events.jsonl", "metrics.jsonl"} {
		text, err := os.ReadFile("../../testdata/formats/manifest-2/interrupted/" + p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
		f.Add(text[:len(text)-9])
	}
	f.Add([]byte(nil))
	f.Add([]byte("\n\n{}\n{\"a\":1}"))
	wanted := regexp.MustCompile(`"stage":"float"`)
	f.Fuzz(func(t *testing.T, text []byte) {
		dir := t.TempDir()
		path := filepath.Join(dir, "metrics.jsonl")
		must(t, os.WriteFile(path, text, 0o600))
		r, err := Open(dir, disk.Options{NoSync: true})
		must(t, err)
		defer r.Close()
		l, err := r.OpenLog("metrics.jsonl")
		if err != nil {
			if !strings.Contains(err.Error(), path) {
				t.Fatalf("an error that does not name the file: %v", err)
			}
			return
		}
		defer func() { _ = l.Close() }()
		must(t, l.Append(map[string]int{"new": 1}))
		must(t, l.Trim(func(line []byte) bool { return !wanted.Match(line) }))
		must(t, l.Append(map[string]int{"new": 2}))
		got, err := os.ReadFile(path)
		must(t, err)
		if !bytes.Contains(got, []byte(`{"new":2`)) || wanted.Match(got) {
			t.Errorf("after trimming: %q", got)
		}
	})
}
