package stage

import (
	"math"
	"testing"
)

// TestLargestBatch: the largest batch that fits is found for straight, bent and stepped costs, with few questions.
func TestLargestBatch(t *testing.T) {
	const batch = 100_000
	for name, cost := range map[string]func(n int) int64{
		"straight": func(n int) int64 { return 1e6 + 3000*int64(n) },
		"bent":     func(n int) int64 { return int64(math.Pow(float64(n), 1.7)) },
		"stepped":  func(n int) int64 { return int64(n/1000)*5e6 + 7 },
		"root":     func(n int) int64 { return int64(1e6 * math.Sqrt(float64(n))) },
	} {
		for _, largest := range []int{0, 1, 2, 3, 999, 1000, 12_345, batch - 1} {
			most := cost(largest)
			want, asked := 0, 0
			for n := 1; n < batch && cost(n) <= most; n++ {
				want = n
			}
			if most >= cost(batch) {
				continue // everything fits
			}
			got := LargestBatch(batch, most, func(n int) int64 {
				asked++
				return cost(n)
			})
			if got != want || asked > 50 || name == "straight" && asked > 6 {
				t.Errorf("%s: %d fit, and not %d, after %d questions", name, got, want, asked)
			}
		}
	}
}
