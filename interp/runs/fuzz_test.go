package runs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"qpipe/interp/disk"
	"qpipe/interp/frame"
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

// FuzzLog: a log, whatever it holds, is refused by name and left as it is, or goes on: what is opened then is sound, and
// ends with the line that came behind it.
func FuzzLog(f *testing.F) {
	for _, p := range []string{EventsName, MetricsName} {
		text, err := os.ReadFile("../../testdata/formats/manifest-2/interrupted/" + p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, false)
		f.Add(text[:len(text)-9], false)
		var lines []byte
		for i, object := range bytes.Split(bytes.TrimSpace(text), []byte("\n")) {
			lines = append(lines, frame.Line(object, i+1)...)
		}
		f.Add(lines, true)
		f.Add(lines[:len(lines)-9], true)
	}
	f.Add([]byte(nil), true)
	f.Add([]byte("\n\n{}\n{\"a\":1}"), false)
	f.Fuzz(func(t *testing.T, text []byte, numbered bool) {
		dir := t.TempDir()
		r, err := Open(dir, disk.Options{NoSync: true})
		must(t, err)
		defer r.Close()
		path := r.Path(MetricsName)
		must(t, os.WriteFile(path, text, 0o600))
		r.Manifest.FormatVersion = 2
		if numbered {
			r.Manifest.FormatVersion, r.Manifest.Logs = ManifestVersion, &Logs{}
		}
		for range 2 {
			e, m, found, err := r.OpenLogs(func(object []byte) {
				if !json.Valid(object) {
					t.Errorf("no object: %q", object)
				}
			})
			if err != nil {
				if now, _ := os.ReadFile(path); !strings.Contains(err.Error(), path) || !bytes.Equal(now, text) {
					t.Fatalf("%v: %q", err, now)
				}
				return
			}
			must(t, m.Append(map[string]int{"new": m.Count()}))
			must(t, m.Check(true))
			_, _ = e.Close(), m.Close()
			got, err := os.ReadFile(path)
			must(t, err)
			if r.Manifest.Logs != nil && numbered && len(found) > 0 && bytes.HasPrefix(got, text) {
				t.Errorf("nothing is damaged: %v", found[0])
			}
			if !bytes.HasSuffix(got, frame.Line(fmt.Appendf(nil, `{"new":%d}`, m.Count()-1), m.Count())) {
				t.Errorf("it ends otherwise: %q", got)
			}
			r.Manifest.FormatVersion, r.Manifest.Logs, numbered, text = ManifestVersion, &Logs{}, true, got
		}
	})
}
