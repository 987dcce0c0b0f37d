package engine

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"qpipe/ops/layer"
	"qpipe/ops/nn"
	"qpipe/ops/tensor"
)

// torchArray is an array of such a file: maps are NCHW.
type torchArray struct {
	Shape []int     `json:"shape"`
	Data  []float32 `json:"data"`
}

type torchCase struct {
	Operands   []torchArray          `json:"operands"`
	Params     map[string]torchArray `json:"params"`
	Output     torchArray            `json:"output"`
	Grad       torchArray            `json:"grad"`
	Grads      []torchArray          `json:"grads"`
	ParamGrads map[string]torchArray `json:"param_grads"`
}

// shape is that of one image; a row of numbers has 1×1 pixels.
func (a torchArray) shape() (n int, s tensor.Shape) {
	d := append(slices.Clone(a.Shape), 1, 1)
	return d[0], tensor.Shape{C: d[1], H: d[2], W: d[3]}
}

// nhwc is the array in the order of memory.
func (a torchArray) nhwc() []float32 {
	n, s := a.shape()
	y := make([]float32, len(a.Data))
	for i := range n {
		for c := range s.C {
			for p := range s.H * s.W {
				y[(i*s.H*s.W+p)*s.C+c] = a.Data[(i*s.C+c)*s.H*s.W+p]
			}
		}
	}
	return y
}

// TestTorch: the float form of every op, forward and backward, is PyTorch's.
func TestTorch(t *testing.T) {
	files, err := filepath.Glob("testdata/torch/*.json")
	must(t, err)
	ops := map[string]layer.Op{}
	maps.Copy(ops, torchArith())
	maps.Copy(ops, torchCurves())
	maps.Copy(ops, torchLayouts())
	maps.Copy(ops, torchWindows())
	maps.Copy(ops, torchNorms())
	if len(files) != len(ops) {
		t.Errorf("%d files, %d ops", len(files), len(ops))
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(file)
			must(t, err)
			var c torchCase
			must(t, json.Unmarshal(data, &c))
			if ops[name] == nil {
				t.Fatal("the table has no such op")
			}
			c.compare(t, ops[name])
		})
	}
}

func (c *torchCase) compare(t *testing.T, o layer.Op) {
	n, s := c.Operands[0].shape()
	b := nn.NewBuilder(s)
	var operands []nn.Value
	var x [][]float32
	for i, a := range c.Operands {
		v := b.Input()
		if i > 0 {
			_, s := a.shape()
			v = b.AddInput(fmt.Sprintf("input%d", i), s)
		}
		operands, x = append(operands, v), append(x, a.nhwc())
	}
	g, err := b.Graph(b.Apply("op", o, operands...))
	must(t, err)
	g.Init(1)
	for name, p := range c.Params {
		must(t, g.SetTensor(nn.Tensor{Name: "op." + name, Shape: p.Shape, Data: p.Data}))
	}
	e := compile(t, g, n, true)
	e.wantDX = true
	e.build()
	asTorch(t, "the output", e.ForwardAll(x, n, Train)[0], c.Output.nhwc())
	e.BackwardAll([][]float32{c.Grad.nhwc()})
	nodes := nodesOf(g)
	for i, k := range g.Inputs() {
		at := slices.IndexFunc(nodes, func(n *layer.Node) bool { return n.Name == k.Name })
		asTorch(t, "the gradient of "+k.Name, e.cells[at].bench.Grad[:len(x[i])], c.Grads[i].nhwc())
	}
	for _, node := range nodes {
		for _, s := range node.Slots() {
			if s.Trainable() {
				asTorch(t, "the gradient of "+s.Name, s.ToFile(s.Param.Grad), c.ParamGrads[strings.TrimPrefix(s.Name, "op.")].Data)
			}
		}
	}
}

// asTorch compares within 1e-5 of the largest value.
func asTorch(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s has %d values, want %d", what, len(got), len(want))
	}
	most := 0.0
	for _, v := range want {
		most = max(most, math.Abs(float64(v)))
	}
	for i, v := range want {
		if d := math.Abs(float64(got[i]) - float64(v)); !(d <= 1e-5*most) {
			t.Fatalf("%s: value %d is %g, want %g", what, i, got[i], v)
		}
	}
}
