package artifact

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"qpipe/interp/checkpoint"
	"qpipe/interp/number"
	"qpipe/interp/part"
	"qpipe/ops/engine"
	"qpipe/ops/kernel/sets"
	"qpipe/ops/nn"
)

// TestVersion1 reads files that the program wrote before version 2: a QAT model
// with uint8 and affine activations, and the int8 model that was made of it. Both
// still compute the logits of that time.
func TestVersion1(t *testing.T) {
	want := []float32{
		1.3614601, -0.44497663, 0.5416056, 1.3320969, -0.44389862, 0.5677401,
		0.92481124, -0.34508148, 0.6260374, 0.9514003, -0.3533462, 0.528069,
	}
	x := make([]float32, 4*6*5*2)
	for i := range x {
		x[i] = float32((i*37)%101)/50 - 0.7
	}
	ks, err := sets.ByName("ref")
	must(t, err)
	pool := engine.NewWorkers(1)
	defer pool.Close()
	for _, file := range []string{"testdata/v1-int8.safetensors", "testdata/v1-qat.safetensors"} {
		s, err := Read(file)
		must(t, err)
		g, err := nn.Restore(s.Structure)
		must(t, err)
		must(t, checkpoint.LoadTensors(g, s, part.LoadOptions{}))
		if g.Form() == nn.QAT {
			g, err = g.Convert()
			must(t, err)
		}
		net, err := engine.Compile(g, 4, false, ks, pool)
		must(t, err)
		if got := net.Forward(x, 4, engine.Eval); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", file, got, want)
		}
		for _, ts := range g.Tensors() {
			if z, ok := ts.Data.([]int32); ok && ts.Name == "c0.act_zero_point" && z[0] != 0 {
				t.Errorf("%s: the zero point of uint8 codes of a ReLU6 is %d, want 0", file, z[0])
			}
		}
	}
}

// TestCallbacksOfVersion1: version 1 has the states alone, by the place of their callback.
func TestCallbacksOfVersion1(t *testing.T) {
	for text, want := range map[string][]callback{
		`[null,{"updates":5},{}]`: {{"[0]", nil}, {"[1]", number.Map{"updates": 5}}, {"[2]", number.Map{}}},
		`[null]`:                  {{"[0]", nil}},
		`[]`:                      {},
		`[{"name":"A[0]","state":null},{"name":"A[1]","state":{"name":"NaN"}}]`: {{"A[0]", nil}, {"A[1]", number.Map{"name": number.Float(math.NaN())}}},
	} {
		got, err := readCallbacks([]byte(text))
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}
