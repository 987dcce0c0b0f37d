package part_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"qpipe/interp/part"
	"qpipe/interp/parttest"
	"qpipe/lang/program"
	"qpipe/ops/nn"
	"qpipe/ops/tensor"
)

// TestLosses: whichever losses see which outputs, the total is their weighted sum, and each output gets the weighted sum of the
// gradients of those that see it; one that none sees gets 0.
func TestLosses(t *testing.T) {
	const n = 3
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 1))
		var outputs []nn.Port
		batch := &part.Batch{Len: n}
		for _, name := range []string{"a", "b", "c"} {
			outputs = append(outputs, nn.Port{Name: "node." + name, Label: name, Shape: tensor.Shape{H: 1, W: 1, C: 4}})
			out := part.Output{Shape: outputs[0].Shape, Values: make([]float32, 4*n), Grad: make([]float32, 4*n)}
			for i := range out.Values {
				out.Values[i], out.Grad[i] = float32(r.NormFloat64()), 7
			}
			batch.Outputs = append(batch.Outputs, out)
		}
		targets := []part.TargetSpec{{Name: "x", Classes: 4}}
		batch.Targets = []part.Target{{Labels: []int32{1, 0, 3}}}
		var judges []program.Judge
		for range 1 + r.IntN(4) {
			j := program.Judge{Call: program.Call{Kind: program.LossKind, Type: "CrossEntropy", Args: parttest.Nothing{}}, Output: outputs[r.IntN(3)].Label}
			if r.IntN(2) == 0 {
				j.Weight = 0.25 + r.Float64()
			}
			judges = append(judges, j)
		}
		all, _, err := part.NewLosses(parttest.Catalog(), judges)
		if err == nil {
			err = part.Fits(all, outputs, targets)
		}
		if err != nil {
			t.Fatal(err)
		}
		total, want := float64(all.Loss(batch)), 0.0
		grads := map[string][]float64{"a": make([]float64, 4*n), "b": make([]float64, 4*n), "c": make([]float64, 4*n)}
		for _, j := range judges {
			weight := 1.0
			if j.Weight != 0 {
				weight = j.Weight
			}
			for k, o := range outputs {
				if o.Label != j.Output {
					continue
				}
				one, _, err := part.NewLosses(parttest.Catalog(), []program.Judge{{Call: j.Call}})
				if err != nil {
					t.Fatal(err)
				}
				b := &part.Batch{Len: n, Outputs: []part.Output{batch.Outputs[k]}, Targets: batch.Targets}
				b.Outputs[0].Grad = make([]float32, 4*n)
				want += weight * float64(one.Loss(b))
				for i, g := range b.Outputs[0].Grad {
					grads[j.Output][i] += weight * float64(g)
				}
			}
		}
		if math.Abs(total-want) > 1e-5*want {
			t.Errorf("graph %d: the total is %v, want %v", seed, total, want)
		}
		for k, o := range outputs {
			for i, g := range batch.Outputs[k].Grad {
				if math.Abs(float64(g)-grads[o.Label][i]) > 1e-5 {
					t.Fatalf("graph %d: the gradient of %s[%d] is %v, want %v", seed, o.Label, i, g, grads[o.Label][i])
				}
			}
		}
	}
}

// TestMixedTargets: what does not take shares of labels is refused with mixed data, also behind a choice of outputs.
func TestMixedTargets(t *testing.T) {
	outputs := []nn.Port{{Name: "fc", Label: "fc", Shape: tensor.Shape{H: 1, W: 1, C: 4}}}
	for _, mixed := range []bool{false, true} {
		targets := []part.TargetSpec{{Classes: 4, Mixed: mixed}}
		for _, output := range []string{"", "fc"} {
			loss, _, err := part.NewLosses(parttest.Catalog(), []program.Judge{{Call: program.Call{Kind: program.LossKind, Type: "CrossEntropy", Args: parttest.Nothing{}}, Output: output}})
			if err == nil {
				err = part.Fits(loss, outputs, targets)
			}
			if (err != nil) != mixed {
				t.Errorf("a loss for %q, mixed %t: %v", output, mixed, err)
			}
			metric, err := part.NewMetric(parttest.Catalog(), program.Judge{Call: program.Call{Kind: program.MetricKind, Type: "Accuracy", Args: parttest.Nothing{}}, Output: output})
			if err == nil {
				err = part.Fits(metric, outputs, targets)
			}
			if (err != nil) != mixed {
				t.Errorf("a metric for %q, mixed %t: %v", output, mixed, err)
			}
		}
	}
}
