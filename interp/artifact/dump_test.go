package artifact

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"qpipe/interp/disk"
	"qpipe/lang/diag"
)

// TestNPYHeader: the headers are those that numpy.save writes.
func TestNPYHeader(t *testing.T) {
	for _, c := range []struct {
		dtype, want string
		shape       []int
	}{
		{"int8", "{'descr': '|i1', 'fortran_order': False, 'shape': (2, 3, 4, 5), }", []int{2, 3, 4, 5}},
		{"uint8", "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 2), }", []int{1, 2}},
		{"int64", "{'descr': '<i8', 'fortran_order': False, 'shape': (7,), }", []int{7}},
		{"float32", "{'descr': '<f4', 'fortran_order': False, 'shape': (100000, 224, 224, 1280), }", []int{100000, 224, 224, 1280}},
	} {
		h := npyHeader(c.dtype, c.shape)
		dict := string(h[10:])
		if len(h)%64 != 0 || string(h[:8]) != "\x93NUMPY\x01\x00" || int(h[8])+int(h[9])<<8 != len(dict) ||
			strings.TrimRight(dict, " \n") != c.want || !strings.HasSuffix(dict, "\n") {
			t.Errorf("%q", h)
		}
	}
}

// dumped begins a dump of one array with two elements.
func dumped(t *testing.T, dir string, elements ...int8) (*Dump, error) {
	t.Helper()
	w, err := NewDump(disk.Options{NoSync: true}, dir)
	if err != nil {
		return nil, err
	}
	k, err := w.Array(DumpArray{File: w.NodeFile("x"), DType: "int8", Shape: []int{2}})
	if err == nil {
		err = w.Append(k, elements)
	}
	return w, err
}

// TestDumpIsWhole: an array with too few or too many elements, and a dump that is given
// up, change nothing of what is there.
func TestDumpIsWhole(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "dump")
	w, err := dumped(t, dir, 1, 2)
	if err != nil || exists(dir) {
		t.Fatalf("%v; there before Commit: %t", err, exists(dir))
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	w.Discard()
	for _, elements := range [][]int8{{3}, {3, 4}} {
		w, err := dumped(t, dir, elements...)
		if err != nil {
			t.Fatal(err)
		}
		if len(elements) == 1 {
			var file *FileError
			if err := w.Commit(); !errors.As(err, &file) || file.Code != diag.Unwritable {
				t.Errorf("an array that is not complete: %v", err)
			}
		}
		w.Discard()
	}
	if _, err := dumped(t, dir, 1, 2, 3); err == nil {
		t.Error("more elements than the shape has")
	}
	data, err := os.ReadFile(filepath.Join(dir, "nodes", "x.npy"))
	if err != nil || !slices.Equal(data[len(data)-2:], []byte{1, 2}) {
		t.Errorf("%v %v", data, err)
	}
	// What a killed dump has left is in nobody's way, and stays: it could be somebody's.
	if err := os.MkdirAll(filepath.Join(filepath.Dir(dir), ".dump.00000000.tmp", "old"), 0o755); err != nil {
		t.Fatal(err)
	}
	if w, err = dumped(t, dir, 5, 6); err == nil {
		err = w.Commit()
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(dir), ".*")); err != nil || len(left) != 1 || exists(filepath.Join(dir, "old")) {
		t.Errorf("%v, left %v", err, left)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// TestDumpFolders: what may be replaced by a dump, and what may not.
func TestDumpFolders(t *testing.T) {
	for name, c := range map[string]struct {
		files []string
		want  string
	}{
		"empty":               {nil, ""},
		"a file":              {[]string{"a.txt"}, "holds a.txt"},
		"another index":       {[]string{"index.json"}, "holds index.json"},
		"a dump":              {[]string{"DUMP"}, ""},
		"a dump and a file":   {[]string{"DUMP", "notes"}, "holds notes"},
		"a file among nodes":  {[]string{"DUMP", "nodes/y.npy"}, "holds nodes/y.npy"},
		"a dump and a folder": {[]string{"DUMP", "more/x"}, "holds more"},
		"an empty folder":     {[]string{"more/"}, "holds more"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "dump")
			for _, f := range c.files {
				if f == "DUMP" {
					w, err := dumped(t, dir, 1, 2)
					if err == nil {
						err = w.Commit()
					}
					if err != nil {
						t.Fatal(err)
					}
					continue
				}
				path := filepath.Join(dir, f)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if strings.HasSuffix(f, "/") {
					_ = os.MkdirAll(path, 0o755)
				} else if err := os.WriteFile(path, []byte("{}"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			w, err := NewDump(disk.Options{NoSync: true}, dir)
			if err == nil {
				w.Discard()
			}
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// TestNodeFiles: every node has a file of its own with a name that any system takes.
func TestNodeFiles(t *testing.T) {
	w := &Dump{taken: map[string]bool{}}
	seen := map[string]bool{}
	for _, node := range []string{"a.b", "A.B", "a/b", "a\\b", "..", "../../x", "", "ü", strings.Repeat("x", 300), strings.Repeat("x", 301)} {
		f := w.NodeFile(node)
		name := strings.TrimPrefix(f, "nodes/")
		if seen[strings.ToLower(f)] || strings.ContainsAny(name, `/\`) || strings.HasPrefix(name, ".") || len(name) > 120 {
			t.Errorf("%q: %q", node, f)
		}
		seen[strings.ToLower(f)] = true
	}
	if f := w.NodeFile("backbone.conv1"); f != "nodes/backbone.conv1.npy" {
		t.Error(f)
	}
}
