package optimizers

import (
	"errors"
	"math"
	"testing"

	"qpipe/interp/part"
	"qpipe/ops/kernel/sets"
)

// Every kernel set takes the steps that PyTorch's documentation of torch.optim.SGD
// describes, here in float64: over many steps, with every combination of terms.
func TestSGDIsPyTorchs(t *testing.T) {
	for _, set := range sets.All() {
		for _, a := range []SGDArgs{
			{LR: 0.1},
			{LR: 0.1, WeightDecay: 0.01},
			{LR: 0.05, Momentum: 0.9},
			{LR: 0.05, Momentum: 0.9, WeightDecay: 5e-4},
			{LR: 0.05, Momentum: 0.9, WeightDecay: 5e-4, Nesterov: true},
		} {
			o, err := NewSGD(a)
			if err != nil {
				t.Fatal(err)
			}
			if o.LR() != a.LR {
				t.Errorf("the base rate is %v, want %v", o.LR(), a.LR)
			}
			const n = 37
			r := part.NewRand(1)
			w, g, v := make([]float32, n), make([]float32, n), make([]float32, n)
			wantW, wantV := make([]float64, n), make([]float64, n)
			for i := range w {
				w[i] = float32(r.Float64() - 0.5)
				wantW[i] = float64(w[i])
			}
			for step := range 30 {
				lr := float32(a.LR) / float32(1+step)
				for i := range g {
					g[i] = float32(r.Float64() - 0.5)
					d := float64(g[i]) + a.WeightDecay*wantW[i]
					wantV[i] = a.Momentum*wantV[i] + d
					if a.Nesterov {
						wantW[i] -= float64(lr) * (d + a.Momentum*wantV[i])
					} else {
						wantW[i] -= float64(lr) * wantV[i]
					}
				}
				o.Update(&part.Update{W: w, G: g, Slots: [][]float32{v}, LR: lr, Step: step, Set: set})
			}
			for i := range w {
				if math.Abs(float64(w[i])-wantW[i]) > 1e-6 || math.Abs(float64(v[i])-wantV[i]) > 1e-5 {
					t.Fatalf("%s, %+v: value %d is %v (momentum %v), want %v (%v)", set.Name, a, i, w[i], v[i], wantW[i], wantV[i])
				}
			}
		}
	}
}

func TestBadArguments(t *testing.T) {
	for i, c := range []struct {
		attr string
		args SGDArgs
	}{
		{"lr", SGDArgs{LR: -1}},
		{"lr", SGDArgs{LR: math.NaN()}},
		{"momentum", SGDArgs{Momentum: 1}},
		{"weight_decay", SGDArgs{WeightDecay: -1e-4}},
		{"nesterov", SGDArgs{LR: 1, Nesterov: true}},
	} {
		var arg *part.ArgError
		if _, err := NewSGD(c.args); !errors.As(err, &arg) || arg.Attr != c.attr {
			t.Errorf("%d: %s: %v", i, c.attr, err)
		}
	}
}
