// Package refvec turns the folders of reference vectors (cases.json beside .npz and .onnx files) into Go values that a
// test compares with. It is only for tests: it knows formats, folders and tolerances, and none of qpipe's arithmetic.
package refvec

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// Tol is a tolerance: |got - want| <= Abs + Rel·|want|.
type Tol struct {
	Abs float64 `json:"abs"`
	Rel float64 `json:"rel"`
}

// Case is one entry of a cases.json. Inputs and Outputs are the names of its arrays.
type Case struct {
	Name      string            `json:"name"`
	Op        string            `json:"op"`
	File      string            `json:"file"`
	Attrs     map[string]any    `json:"attrs"`
	Inputs    []string          `json:"inputs"`
	Outputs   []string          `json:"outputs"`
	Tol       map[string]Tol    `json:"tol"`
	Normative bool              `json:"normative"`
	Note      string            `json:"note"`
	Files     map[string]string `json:"files"`

	dir    string
	arrays map[string]*Array
}

// Folder returns the directory of the shared material that has the given path inside it (such as "refvec/quant"). It
// looks in QPIPE_SHARED, by default in ../shared beside the project's root. If the folder is missing the test is
// skipped, or fails when CI=true.
func Folder(t testing.TB, path string) string {
	t.Helper()
	root, from := os.Getenv("QPIPE_SHARED"), "QPIPE_SHARED"
	if root == "" {
		root, from = filepath.Join(projectRoot(t), "..", "shared"), "../shared beside the project's root"
	}
	dir := filepath.Join(root, filepath.FromSlash(path))
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		missing := fmt.Sprintf("no folder %s (looked in %s; set QPIPE_SHARED to the shared material)", dir, from)
		if os.Getenv("CI") == "true" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	return dir
}

// projectRoot is the nearest folder above the working directory with a go.mod.
func projectRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("no go.mod above the working directory")
		}
		dir = up
	}
}

// Load reads the cases of a family ("quant", "convbn", …), their arrays included.
func Load(t testing.TB, family string) []*Case {
	t.Helper()
	dir := Folder(t, "refvec/"+family)
	text, err := os.ReadFile(filepath.Join(dir, "cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	var list struct {
		Cases []*Case `json:"cases"`
	}
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatalf("%s/cases.json: %v", dir, err)
	}
	if len(list.Cases) == 0 {
		t.Fatalf("%s/cases.json lists no case", dir)
	}
	for _, c := range list.Cases {
		c.dir = dir
		if c.arrays, err = ReadNPZ(filepath.Join(dir, c.File)); err != nil {
			t.Fatal(err)
		}
	}
	return list.Cases
}

// Run calls f in a subtest for each case of the family; cases that are not
// normative are skipped.
func Run(t *testing.T, family string, f func(t *testing.T, c *Case)) {
	for _, c := range Load(t, family) {
		t.Run(c.Name, func(t *testing.T) {
			if !c.Normative {
				t.Skip("not normative:", c.Note)
			}
			f(t, c)
		})
	}
}

// Array returns the named input or output.
func (c *Case) Array(t testing.TB, name string) *Array {
	t.Helper()
	a := c.arrays[name]
	if a == nil {
		t.Fatalf("%s has no array %q", c.Name, name)
	}
	return a
}

// Has reports whether the case has the named array.
func (c *Case) Has(name string) bool { return c.arrays[name] != nil }

// Model reads the case's ONNX file.
func (c *Case) Model(t testing.TB) *Model {
	t.Helper()
	m, err := ReadModel(filepath.Join(c.dir, c.Files["model"]))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Attr returns the attribute as T (float64, string, bool); the zero value where
// it is missing or null.
func Attr[T float64 | string | bool](t testing.TB, c *Case, name string) T {
	t.Helper()
	var zero T
	v := c.Attrs[name]
	if v == nil {
		return zero
	}
	x, ok := v.(T)
	if !ok {
		t.Fatalf("%s: attribute %s is %T, not %T", c.Name, name, v, zero)
	}
	return x
}

// Int returns an integer attribute, def where it is missing or null.
func (c *Case) Int(t testing.TB, name string, def int) int {
	t.Helper()
	if c.Attrs[name] == nil {
		return def
	}
	return int(Attr[float64](t, c, name))
}

// Ints returns a list of integers, nil where it is missing or null.
func (c *Case) Ints(t testing.TB, name string) []int {
	t.Helper()
	if c.Attrs[name] == nil {
		return nil
	}
	list, ok := c.Attrs[name].([]any)
	if !ok {
		t.Fatalf("%s: attribute %s is %T, not a list", c.Name, name, c.Attrs[name])
	}
	out := make([]int, len(list))
	for i, v := range list {
		f, ok := v.(float64)
		if !ok {
			t.Fatalf("%s: attribute %s holds a %T", c.Name, name, v)
		}
		out[i] = int(f)
	}
	return out
}
