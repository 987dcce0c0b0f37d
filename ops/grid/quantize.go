package grid

import (
	"math"

	"qpipe/ops/kernel"
)

// magic added and taken away rounds a float32 of magnitude below 2^22 to an
// integer, ties to even. What is larger stays large, and is clamped.
const magic = 1.5 * (1 << 23)

func round(v float32, halfUp bool) float32 {
	if halfUp {
		return float32(math.Floor(float64(v) + 0.5))
	}
	return (v + magic) - magic
}

// limits returns the smallest and the largest code less the zero point.
func limits(q kernel.Quant) (lo, hi float32) {
	return float32(q.Min - q.Zero), float32(q.Max - q.Zero)
}

// Quantize writes the codes, less the zero point, of y = x: round(x/Scale)
// clamped. With asValue it writes what they stand for. In mask, unless it is nil, it notes where
// the gradient passes: inside the range, and strictly inside the linear part of
// the activation whose output x is. y may be x.
func Quantize(x, y []float32, mask []uint8, q kernel.Quant, act kernel.Act, asValue bool) {
	y = y[:len(x)]
	for i, v := range x {
		y[i] = v / q.Scale
	}
	lo, hi := limits(q)
	finish(y, mask, lo, hi, q, act)
	if asValue {
		for i, v := range y {
			y[i] = v * q.Scale
		}
	}
}

// finish rounds quotients in place to the codes lo to hi and notes in mask,
// unless it is nil, where the gradient passes.
func finish(y []float32, mask []uint8, lo, hi float32, q kernel.Quant, act kernel.Act) {
	if mask != nil {
		floor, ceil := gate(q, act)
		mask = mask[:len(y)]
		for i, v := range y {
			mask[i] = bit(v > floor) & bit(v < ceil)
		}
	}
	if q.HalfUp {
		for i, v := range y {
			y[i] = min(max(round(v, true), lo), hi)
		}
		return
	}
	for i, v := range y {
		y[i] = (min(max(v, lo), hi) + magic) - magic // the limits are integers: clamping first is the same
	}
}

func bit(b bool) (v uint8) {
	if b {
		v = 1
	}
	return v
}

// gate returns the open interval of quotients where the gradient passes: those
// that round to a code in the range, and lie strictly inside the activation's linear part.
func gate(q kernel.Quant, act kernel.Act) (floor, ceil float32) {
	lo, hi := limits(q)
	floor, ceil = lo-0.5, hi+0.5
	if round(floor, q.HalfUp) == lo {
		floor = math.Nextafter32(floor, floor-1)
	}
	if round(ceil, q.HalfUp) == hi {
		ceil = math.Nextafter32(ceil, ceil+1)
	}
	f, c := linear(act)
	return max(floor, f), min(ceil, c/q.Scale)
}

func clamp(r, lo, hi float32) float32 { return min(max(r, lo), hi) }

// linear returns the open interval where the activation passes its input on.
func linear(act kernel.Act) (floor, ceil float32) {
	floor, ceil = float32(math.Inf(-1)), float32(math.Inf(1))
	if act != kernel.None {
		floor = 0
	}
	if act == kernel.ReLU6 {
		ceil = 6
	}
	return floor, ceil
}

// Gate sets dy to zero where mask is 0.
func Gate(dy []float32, mask []uint8) {
	mask = mask[:len(dy)]
	for i, v := range dy {
		dy[i] = math.Float32frombits(math.Float32bits(v) & -uint32(mask[i]))
	}
}

// Scale writes y = x·s, y += x·s with add.
func Scale(x, y []float32, s float32, add bool) {
	y = y[:len(x)]
	switch {
	case add:
		for i, v := range x {
			y[i] += float32(v * s)
		}
	case s == 1:
		copy(y, x)
	default:
		for i, v := range x {
			y[i] = v * s
		}
	}
}

// Top is where the linear part of an activation ends, in units of x's data.
func Top(x *Value, act kernel.Act) float32 {
	_, top := linear(act)
	if act == kernel.ReLU6 && x.On {
		return Six(x.Q)
	}
	return top
}

// Clip writes y = min(max(x, 0), top), the activation on values or codes.
func Clip(x, y []float32, top float32) {
	y = y[:len(x)]
	for i, v := range x {
		y[i] = clamp(v, 0, top)
	}
}

// ClipBackward sets g to zero where y is not strictly between 0 and top.
func ClipBackward(y, g []float32, top float32) {
	y = y[:len(g)]
	for i, v := range y {
		if !(v > 0 && v < top) {
			g[i] = 0
		}
	}
}

// WindowSum sums the codes of a pooling window that lie in the image, for
// output row r of N·OH and column ow, per channel.
func WindowSum(p *kernel.Pool, x []float32, sum []int32, r, ow int) {
	n, oh := r/p.OH, r%p.OH
	clear(sum)
	h0, w0 := oh*p.StrideH-p.PadTop, ow*p.StrideW-p.PadLeft
	for ih := max(h0, 0); ih < min(h0+p.KH, p.H); ih++ {
		for iw := max(w0, 0); iw < min(w0+p.KW, p.W); iw++ {
			at := ((n*p.H+ih)*p.W + iw) * p.C
			for c, v := range x[at : at+p.C] {
				sum[c] += int32(v)
			}
		}
	}
}
