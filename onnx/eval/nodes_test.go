package eval

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"qpipe/internal/refvec"
	"qpipe/onnx/model"
	"qpipe/onnx/value"
)

// nodeTest is an entry of the index of onnx-node-tests.
type nodeTest struct {
	Set, Test, ONNXRuntime, Note string
	RTol, ATol                   float64
}

// disputed tests have expected values that implementations disagree about, or random ones.
func (n nodeTest) disputed() bool {
	return n.ONNXRuntime == "disagree" || strings.HasPrefix(n.Note, "disputed")
}

// TestNodes: every test of the ONNX project that lies in onnx-node-tests, within its tolerance.
func TestNodes(t *testing.T) {
	root := refvec.Folder(t, "onnx-node-tests")
	text, err := os.ReadFile(filepath.Join(root, "index.json"))
	must(t, err)
	var index struct{ Tests []nodeTest }
	must(t, json.Unmarshal(text, &index))
	entries := map[string]nodeTest{}
	for _, n := range index.Tests {
		entries[n.Set+"/"+n.Test] = n
	}
	paths, err := filepath.Glob(filepath.Join(root, "*", "*", "model.onnx"))
	must(t, err)
	if len(paths) < len(index.Tests) {
		t.Errorf("there are %d tests, and the index lists %d", len(paths), len(index.Tests))
	}
	for _, path := range paths {
		name, err := filepath.Rel(root, filepath.Dir(path))
		must(t, err)
		t.Run(filepath.ToSlash(name), func(t *testing.T) {
			n, listed := entries[filepath.ToSlash(name)]
			if n.disputed() {
				t.Skip(n.Note)
			}
			if !listed {
				n.RTol, n.ATol = 1e-3, 1e-7
			}
			nodeCase(t, path, n)
		})
	}
}

func nodeCase(t *testing.T, path string, n nodeTest) {
	m, err := model.Read(path, model.Usual())
	must(t, err)
	p, err := New(m)
	must(t, err)
	sets, err := filepath.Glob(filepath.Join(filepath.Dir(path), "test_data_set_*"))
	must(t, err)
	if len(sets) == 0 {
		t.Fatal("no data")
	}
	for _, dir := range sets {
		inputs := map[string]*value.Value{}
		given := 0
		for _, in := range m.Graph.Inputs {
			if v := tensorFile(t, filepath.Join(dir, fmt.Sprintf("input_%d.pb", given))); v != nil {
				inputs[in.Name] = v
				given++
			}
		}
		out, err := p.Run(inputs, Options{})
		must(t, err)
		for k, o := range m.Graph.Outputs {
			want := tensorFile(t, filepath.Join(dir, fmt.Sprintf("output_%d.pb", k)))
			if want == nil {
				t.Fatalf("no expected output %d", k)
			}
			same(t, o.Name, out[o.Name], want, n.RTol, n.ATol)
		}
		inferred, err := p.Infer(shapesOf(inputs), nil, Options{})
		must(t, err)
		for k, v := range out {
			if w := inferred[k]; w != nil && (w.Type != v.Type || fmt.Sprint(w.Dims) != fmt.Sprint(v.Dims)) {
				t.Errorf("%s: %v%v is inferred, and %v%v computed", k, w.Type, w.Dims, v.Type, v.Dims)
			}
		}
	}
}

// shapesOf are values without their elements.
func shapesOf(in map[string]*value.Value) map[string]*value.Value {
	out := map[string]*value.Value{}
	for k, v := range in {
		out[k] = &value.Value{Type: v.Type, Dims: v.Dims}
	}
	return out
}

// tensorFile reads a tensor, nil if there is no file.
func tensorFile(t *testing.T, path string) *value.Value {
	data, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil
	}
	must(t, err)
	tensor, err := model.ParseTensor(data)
	must(t, err)
	return value.Of(tensor)
}

// same compares a value with the expected one.
func same(t *testing.T, name string, got, want *value.Value, rtol, atol float64) {
	t.Helper()
	if got.Type != want.Type || fmt.Sprint(got.Dims) != fmt.Sprint(want.Dims) {
		t.Fatalf("%s is %v%v, not %v%v", name, got.Type, got.Dims, want.Type, want.Dims)
	}
	bad, first := 0, ""
	for i := range got.Len() {
		x, y := got.Number(i), want.Number(i)
		if x == y || x != x && y != y {
			continue
		}
		if got.F != nil && math.Abs(x-y) <= atol+rtol*math.Abs(y) {
			continue
		}
		if bad == 0 {
			first = fmt.Sprintf("element %d is %v, not %v", i, x, y)
		}
		bad++
	}
	if bad > 0 {
		t.Errorf("%s: %d of %d elements differ; %s", name, bad, got.Len(), first)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
