package kerneltest

import "math"

// equal requires the same numbers; NaN equals NaN and -0 equals 0.
func equal[T element](g *gen, what string, got, want []T) {
	for i := range want {
		if got[i] != want[i] && (got[i] == got[i] || want[i] == want[i]) {
			g.errorf("%s: element %d of %d is %v, want %v", what, i, len(want), got[i], want[i])
			return
		}
	}
}

// sameBytes requires the same bits.
func sameBytes[T element](g *gen, what string, got, want []T) {
	for i := range want {
		if bitsOf(got[i]) != bitsOf(want[i]) {
			g.errorf("%s: element %d of %d is %v with the ranges cut and %v without", what, i, len(want), got[i], want[i])
			return
		}
	}
}

// near requires |got - want| <= bound for each element.
func near[T float32 | float64](g *gen, what string, got, want []T, bound func(i int) float64) {
	for i := range want {
		if d := math.Abs(float64(got[i]) - float64(want[i])); !(d <= bound(i)) {
			g.errorf("%s: element %d of %d is %v, want %v (allowed %g)", what, i, len(want), got[i], want[i], bound(i))
			return
		}
	}
}

// sumBound is how far a float32 sum of n products may be from the true one in any
// order of summation: every product and every addition errs by at most half a
// unit in the last place of the sum of magnitudes.
func sumBound(n int, magnitude float32) float64 {
	return float64(n+2)*math.Exp2(-24)*1.01*math.Abs(float64(magnitude)) + 1e-44
}

// abs returns the magnitudes of x.
func abs(x []float32) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(math.Abs(float64(v)))
	}
	return y
}
