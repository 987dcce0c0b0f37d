package elementary

import (
	"math"
	"testing"
)

// TestElementaryFunctions: the functions agree with those of package math.
func TestElementaryFunctions(t *testing.T) {
	for name, f := range map[string]struct {
		got, want func(float64) float64
		lo, hi    float64
	}{
		"exp":   {Exp, math.Exp, -700, 700},
		"expm1": {Expm1, math.Expm1, -3, 3},
		"tiny":  {Expm1, math.Expm1, -1e-3, 1e-3},
		"log1p": {Log1p, math.Log1p, -0.3, 1},
		"log":   {Log, math.Log, 1, 5000},
		"whole": {Expm1, math.Expm1, -700, 700},
		"small": {Log, math.Log, 1e-300, 0.5},
		"tanh":  {Tanh, math.Tanh, -20, 20},
		"erf":   {Erf, math.Erf, -7, 7},
	} {
		for i := range 20001 {
			x := f.lo + (f.hi-f.lo)*float64(i)/20000
			if got, want := f.got(x), f.want(x); !(math.Abs(got-want) <= 0x1p-42*math.Abs(want)) {
				t.Fatalf("%s(%g) is %g, want %g", name, x, got, want)
			}
		}
		if y := f.got(math.NaN()); y == y {
			t.Errorf("%s(NaN) is %g", name, y)
		}
	}
	if Exp(1000) != math.Inf(1) || Exp(-1000) != 0 || Exp(0) != 1 || Expm1(1000) != math.Inf(1) || Expm1(-1000) != -1 || Expm1(0) != 0 || Log(1) != 0 || Tanh(1000) != 1 || Erf(-1000) != -1 || Sigmoid(-1000) != 0 {
		t.Error("the limits are others")
	}
}
