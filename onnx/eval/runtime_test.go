package eval

import (
	"os"
	"path/filepath"
	"testing"
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
