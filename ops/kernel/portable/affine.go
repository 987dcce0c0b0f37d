package portable

import (
	"math"

	"qpipe/ops/kernel"
)

// Affine is ref.Affine.
func Affine(x []float32, z kernel.Operand, y []float32, mask []uint8, a, b []float32, act kernel.Act) {
	floor, ceil := act.Linear()
	for i := 0; i < len(x); i += chunk {
		n := min(chunk, len(x)-i)
		affine(x[i:i+n], z, y[i:i+n], a, b, act, i)
		if mask != nil {
			between(y[i:i+n], mask[i/8:], floor, ceil)
		}
	}
}

// AffineQuant is ref.AffineQuant.
func AffineQuant(x []float32, z kernel.Operand, y, mask []uint8, a, b []float32, act kernel.Act, q kernel.Quant) {
	g := gridOf(&q, act)
	var buf [chunk]float32
	for i := 0; i < len(x); i += chunk {
		t := buf[:min(chunk, len(x)-i)]
		affine(x[i:i+len(t)], z, t, a, b, act, i)
		divide(t, t, q.Scale)
		g.encode(t, y[i:], part(mask, i))
	}
}

// AffineRange is ref.AffineRange.
func AffineRange(x []float32, z kernel.Operand, a, b []float32, act kernel.Act) (lo, hi float32) {
	var buf [chunk]float32
	lo, hi = MinMax(nil)
	for i := 0; i < len(x); i += chunk {
		t := buf[:min(chunk, len(x)-i)]
		affine(x[i:i+len(t)], z, t, a, b, act, i)
		l, h := MinMax(t)
		lo, hi = min(lo, l), max(hi, h)
	}
	return lo, hi
}

// affine writes act(x·a + b + z) for the elements from at on, of which x and y are
// slices; z is whole. y may be x, or the same elements of z.
func affine(x []float32, z kernel.Operand, y, a, b []float32, act kernel.Act, at int) {
	for i, c := 0, at%len(a); i < len(x); c = 0 {
		n := min(len(a)-c, len(x)-i)
		from, to := x[i:i+n], y[i:i+n]
		switch {
		case z.F != nil:
			scaleShiftAdd(from, z.F[at+i:at+i+n], to, a[c:], b[c:])
		case z.Q == nil && act == kernel.ReLU:
			scaleShiftReLU(from, to, a[c:], b[c:])
		default:
			scaleShift(from, to, a[c:], b[c:])
		}
		i += n
	}
	if z.F == nil && z.Q != nil {
		addCodes(z.Q[at:at+len(x)], y, z.Zero, z.Scale)
	}
	if act != kernel.ReLU || z.F != nil || z.Q != nil {
		activate(y, act)
	}
}

func scaleShift(x, y, a, b []float32) {
	y, a, b = y[:len(x)], a[:len(x)], b[:len(x)]
	for c, v := range x {
		y[c] = float32(v*a[c]) + b[c]
	}
}

func scaleShiftReLU(x, y, a, b []float32) {
	y, a, b = y[:len(x)], a[:len(x)], b[:len(x)]
	for c, v := range x {
		y[c] = relu(float32(v*a[c]) + b[c])
	}
}

func scaleShiftAdd(x, z, y, a, b []float32) {
	y, z, a, b = y[:len(x)], z[:len(x)], a[:len(x)], b[:len(x)]
	for c, v := range x {
		y[c] = float32(v*a[c]) + b[c] + z[c]
	}
}

// activate applies the activation in place.
func activate(y []float32, act kernel.Act) {
	switch act {
	case kernel.ReLU:
		for i, v := range y {
			y[i] = relu(v)
		}
	case kernel.ReLU6:
		for i, v := range y {
			y[i] = min(relu(v), 6)
		}
	}
}

// relu is max(v, 0) by the bits: negative values except NaN become 0. The condition becomes a conditional move; a
// branch would be unpredictable.
func relu(v float32) float32 {
	b := math.Float32bits(v)
	if b-signBit <= infBits {
		b = 0
	}
	return math.Float32frombits(b)
}

const (
	signBit = 1 << 31
	infBits = 0x7f800000
)
