package eval

import (
	"os"
	"path/filepath"
	"testing"

	"qpipe/internal/refvec"
	"qpipe/onnx/model"
)

// TestRuntime: integers are those of ONNX Runtime (see tools/ortvec), all of them. QPIPE_ORTVEC names a folder with more
// cases.
func TestRuntime(t *testing.T) {
	folder := "testdata/ort"
	if more := os.Getenv("QPIPE_ORTVEC"); more != "" {
		folder = more
	}
	paths, err := filepath.Glob(filepath.Join(folder, "*", "model.onnx"))
	must(t, err)
	if len(paths) < 15 {
		t.Fatalf("%d cases", len(paths))
	}
	for _, path := range paths {
		t.Run(filepath.Base(filepath.Dir(path)), func(t *testing.T) { nodeCase(t, path, nodeTest{}) })
	}
}

// TestOps: the ops of which the ONNX project's tests in the shared material have none, against ONNX Runtime (see
// tools/ortvec).
func TestOps(t *testing.T) {
	paths, err := filepath.Glob("testdata/ops/*/model.onnx")
	must(t, err)
	if len(paths) < 3 {
		t.Fatalf("%d models", len(paths))
	}
	for _, path := range paths {
		t.Run(filepath.Base(filepath.Dir(path)), func(t *testing.T) { nodeCase(t, path, nodeTest{RTol: 2e-5, ATol: 2e-6}) })
	}
}

// TestEveryOpIsTested: each row is in a test of this package or in those of the shared material.
func TestEveryOpIsTested(t *testing.T) {
	tested := map[key]bool{}
	var paths []string
	for _, pattern := range []string{
		"testdata/*/*/model.onnx", filepath.Join(refvec.Folder(t, "onnx-node-tests"), "*/*/model.onnx"), filepath.Join(refvec.Folder(t, "onnx-models"), "*.onnx"),
	} {
		more, err := filepath.Glob(pattern)
		must(t, err)
		paths = append(paths, more...)
	}
	for _, path := range paths {
		m, err := model.Read(path, model.Usual())
		must(t, err)
		for _, n := range m.Graph.Nodes {
			tested[key{n.Domain, n.Op}] = true
		}
	}
	for _, r := range Rows() {
		if !tested[key{r.Domain, r.Name}] && r.Name != "Swish" { // ONNX Runtime 1.32 has no Swish
			t.Errorf("%s is in no test", r.Name)
		}
	}
}
