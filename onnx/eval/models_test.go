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

// TestModels: whole networks of onnx-models, within the tolerance of each output.
func TestModels(t *testing.T) {
	root := refvec.Folder(t, "onnx-models")
	text, err := os.ReadFile(filepath.Join(root, "models.json"))
	must(t, err)
	var index struct {
		Models []struct {
			Name, Model, Data string
			Tol               []float64
		}
	}
	must(t, json.Unmarshal(text, &index))
	if len(index.Models) == 0 {
		t.Fatal("no models are listed")
	}
	for _, entry := range index.Models {
		t.Run(entry.Name, func(t *testing.T) {
			p := program(t, filepath.Join(root, entry.Model))
			arrays, err := refvec.ReadNPZ(filepath.Join(root, entry.Data))
			must(t, err)
			x := arrays["input"]
			in := value.Floats(x.Shape, x.Float64s()...)
			out, err := p.Run(map[string]*value.Value{p.Model.Graph.Inputs[0].Name: in}, Options{})
			must(t, err)
			for k, o := range p.Model.Graph.Outputs {
				want := arrays[fmt.Sprintf("output_%d", k)].Float64s()
				got := out[o.Name].F
				if len(got) != len(want) {
					t.Fatalf("%s has %d elements, not %d", o.Name, len(got), len(want))
				}
				for i := range want {
					if d := math.Abs(got[i] - want[i]); !(d <= entry.Tol[k]) {
						t.Fatalf("%s: element %d is %v, not %v", o.Name, i, got[i], want[i])
					}
				}
			}
		})
	}
}

// TestLight: whole architectures whose weights are all the same.
func TestLight(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(refvec.Folder(t, "onnx-models"), "light", "*.onnx"))
	must(t, err)
	if len(paths) == 0 {
		t.Fatal("no models")
	}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".onnx")
		t.Run(name, func(t *testing.T) {
			if small := name == "light_squeezenet" || name == "light_shufflenet"; !small && os.Getenv("QPIPE_LONG") == "" {
				t.Skip("takes a second and more; QPIPE_LONG=1")
			}
			p := program(t, path)
			x := value.New(model.Float, []int{1, 3, 224, 224})
			for i := range x.F {
				x.F[i] = float64(float32(float64(i) / float64(len(x.F))))
			}
			in := map[string]*value.Value{}
			for _, v := range p.Model.Graph.Inputs {
				if p.consts[v.Name] == nil {
					in[v.Name] = x
				}
			}
			out, err := p.Run(in, Options{})
			must(t, err)
			want := tensorFile(t, strings.TrimSuffix(path, ".onnx")+"_output_0.pb")
			same(t, "output", out[p.Model.Graph.Outputs[0].Name], want, 1e-3, 1e-6)
		})
	}
}

func program(t testing.TB, path string) *Program {
	t.Helper()
	m, err := model.Read(path, model.Usual())
	must(t, err)
	p, err := New(m)
	must(t, err)
	return p
}
