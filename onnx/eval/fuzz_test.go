package eval

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"qpipe/internal/refvec"
	"qpipe/onnx/model"
	"qpipe/onnx/value"
)

// FuzzRun: whatever a file contains, it is computed or gives an error, in bounded memory.
func FuzzRun(f *testing.F) {
	paths, err := filepath.Glob(filepath.Join(refvec.Folder(f, "onnx-node-tests"), "*", "*", "model.onnx"))
	must(f, err)
	for i, path := range paths {
		data, err := os.ReadFile(path)
		must(f, err)
		if len(data) < 1500 && i%2 == 0 {
			f.Add(data)
		}
	}
	more, err := filepath.Glob("testdata/ort/*_0/model.onnx")
	must(f, err)
	for _, path := range more {
		data, err := os.ReadFile(path)
		must(f, err)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<14 {
			return
		}
		m, err := model.Parse(data, nil, model.Limits{})
		if err != nil {
			return
		}
		p, err := New(m)
		if err != nil {
			return
		}
		in := map[string]*value.Value{}
		for _, v := range m.Graph.Inputs {
			if p.consts[v.Name] == nil {
				in[v.Name] = numbers(v)
			}
		}
		o := Options{Limits: Limits{Elements: 1 << 16, Work: 1 << 22}, Threads: 1}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _ = p.Run(in, o)
		_, _ = p.Infer(shapesOf(in), nil, o)
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 64<<20 {
			t.Fatalf("%d MiB were allocated", used>>20)
		}
	})
}

// numbers is a small value of the declared type.
func numbers(v *model.Value) *value.Value {
	dims, n := []int{}, 1
	for _, d := range v.Shape {
		if d.Size < 0 || d.Size*n > 1<<12 {
			d.Size = 1
		}
		n *= d.Size
		dims = append(dims, d.Size)
	}
	if v.Type.Bits() == 0 {
		v.Type = model.Float
	}
	x := value.New(v.Type, dims)
	for i := range x.F {
		x.F[i] = float64(i%7) - 3
	}
	for i := range x.I {
		x.I[i] = value.Wrap(v.Type, int64(i%7)-3)
	}
	return x
}
