package fold

import (
	"os"
	"path/filepath"
	"testing"

	"qpipe/internal/refvec"
	"qpipe/onnx/eval"
	"qpipe/onnx/model"
)

// FuzzFold: whatever a file contains, it is folded or gives an error, and what is folded can be written, read and
// computed again as far as the file could be.
func FuzzFold(f *testing.F) {
	paths, err := filepath.Glob(filepath.Join(refvec.Folder(f, "onnx-node-tests"), "*", "*", "model.onnx"))
	if err != nil {
		f.Fatal(err)
	}
	for i, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		if len(data) < 1500 && i%4 == 0 {
			f.Add(data)
		}
	}
	o := eval.Options{Limits: eval.Limits{Elements: 1 << 16, Work: 1 << 22}, Threads: 1}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<14 {
			return
		}
		m, err := model.Parse(data, nil, model.Limits{})
		if err != nil {
			return
		}
		shapes := map[string][]int{}
		for _, in := range m.Graph.Inputs {
			for _, d := range in.Shape {
				shapes[in.Name] = append(shapes[in.Name], min(max(d.Size, 1), 8))
			}
		}
		folded, err := Fold(m, shapes, o)
		if err != nil {
			return
		}
		out, err := folded.Model.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		again, err := model.Parse(out, nil, model.Limits{})
		if err != nil {
			t.Fatalf("what was folded is not read: %v", err)
		}
		if _, err := eval.New(again); err != nil {
			t.Fatalf("what was folded is not computed: %v", err)
		}
	})
}
