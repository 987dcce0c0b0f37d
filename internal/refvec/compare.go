package refvec

import (
	"fmt"
	"math"
	"testing"
)

// Number is what a compared slice may hold.
type Number interface {
	~float32 | ~float64 | ~int8 | ~uint8 | ~int32 | ~int64 | ~int
}

// Check fails the test if got differs from the case's output by more than the case's tolerance. It reports the worst
// element and the number of wrong ones.
func Check[T Number](t testing.TB, c *Case, output string, got []T) {
	t.Helper()
	if msg := Diff(got, c.Array(t, output).Float64s(), c.Tol[output]); msg != "" {
		t.Errorf("%s: %s", output, msg)
	}
}

// Diff compares element by element under the tolerance; NaN matches NaN. It
// returns "" or a description of the worst difference.
func Diff[T Number](got []T, want []float64, tol Tol) string {
	if len(got) != len(want) {
		return fmt.Sprintf("%d elements, want %d", len(got), len(want))
	}
	bad, at, worst := 0, 0, 0.0
	for i, g := range got {
		excess := excess(float64(g), want[i], tol)
		if !(excess > 0) {
			continue
		}
		bad++
		if excess > worst {
			at, worst = i, excess
		}
	}
	if bad == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d elements differ; worst at %d: got %v, want %v (tolerance %g + %g·|want|)",
		bad, len(got), at, got[at], want[at], tol.Abs, tol.Rel)
}

// excess is the amount by which the difference exceeds the tolerance; 0 if it does not.
func excess(got, want float64, tol Tol) float64 {
	if got == want || math.IsNaN(got) && math.IsNaN(want) {
		return 0
	}
	d := math.Abs(got-want) - (tol.Abs + tol.Rel*math.Abs(want))
	if math.IsNaN(d) {
		return math.Inf(1)
	}
	return max(d, 0)
}

// NHWC returns an NCHW tensor's elements in NHWC order. It also turns OIHW
// weights into [O][H][W][I] (n = O, c = I).
func NHWC[T any](x []T, n, c, h, w int) []T {
	y := make([]T, len(x))
	for i := range n {
		for j := range c {
			for k := range h * w {
				y[(i*h*w+k)*c+j] = x[(i*c+j)*h*w+k]
			}
		}
	}
	return y
}

// NCHW is the inverse of NHWC.
func NCHW[T any](x []T, n, c, h, w int) []T {
	return NHWC(x, n, h*w, c, 1)
}
