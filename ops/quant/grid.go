package quant

import "math"

// Grid is the values k·Step for the integers k from Lowest to Highest.
type Grid struct {
	Step            float32
	Lowest, Highest int32
}

// Has reports whether a spec has grids with these integers: as many codes, and a zero point where the grid has 0.
func (s Spec) Has(g Grid) bool {
	qmin, qmax := s.Limits()
	if !s.Quantized() || qmax-qmin != g.Highest-g.Lowest || g.Lowest > 0 || g.Highest < 0 {
		return false
	}
	_, zero := s.Scale(0, 0)
	return s.Scheme == Affine || qmin-zero == g.Lowest
}

// RangeOf returns a range for which Scale has the grid's step and zero point; if the spec has no such grid, the grid's own extremes. For
// a few steps in a thousand (with 8 bits) no range has exactly that scale in float32, and the result is one of a neighbour.
func (s Spec) RangeOf(g Grid) (lo, hi float32) {
	lo, hi = float32(float64(g.Lowest)*float64(g.Step)), float32(float64(g.Highest)*float64(g.Step))
	if !s.Has(g) {
		return lo, hi
	}
	if s.Scheme == Symmetric {
		divisor := float64(g.Highest)
		if s.Rule == HalfRange {
			divisor = float64(g.Highest-g.Lowest) / 2
		}
		hi = float32(divisor * float64(g.Step))
		lo = -hi
	}
	best, far := [2]float32{lo, hi}, math.Inf(1)
	for i := range nudges * nudges {
		a, b := nudged(lo, step(i/nudges)), nudged(hi, step(i%nudges))
		if s.Scheme == Symmetric {
			a = -b
		}
		scale, _ := s.Scale(a, b)
		if d := math.Abs(float64(scale) - float64(g.Step)); d < far {
			best, far = [2]float32{a, b}, d
		}
	}
	return best[0], best[1]
}

// nudges is how many neighbours of an end are tried, with itself.
const nudges = 9

// step is 0, 1, -1, 2, -2, …
func step(i int) int {
	if i%2 == 1 {
		return (i + 1) / 2
	}
	return -i / 2
}

// nudged is the n-th neighbour of a number, towards infinity for n > 0; 0 stays.
func nudged(v float32, n int) float32 {
	if v == 0 {
		return 0
	}
	to := float32(math.Inf(n))
	for range max(n, -n) {
		v = math.Nextafter32(v, to)
	}
	return v
}
