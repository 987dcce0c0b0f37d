package ref

import "qpipe/ops/kernel"

// ScaleShift computes, for rows of len(a) channels: y = act( x·a[c] + b[c] [+ z] ), each
// operation rounded on its own, from left to right.
func ScaleShift(x, z, y, a, b []float32, act kernel.Act) {
	for i, v := range x {
		c := i % len(a)
		v = float32(v*a[c]) + b[c]
		if z != nil {
			v += z[i]
		}
		y[i] = activate(v, act)
	}
}

// activate is the activation function: ReLU max(v, 0), ReLU6 min(max(v, 0), 6).
// NaN stays NaN.
func activate(v float32, act kernel.Act) float32 {
	switch act {
	case kernel.ReLU:
		return max(v, 0)
	case kernel.ReLU6:
		return min(max(v, 0), 6)
	}
	return v
}

// ActBackward computes dx = dy where the activation's output y lies strictly inside its
// linear part (ReLU: y > 0, ReLU6: 0 < y < 6, none: everywhere), else 0.
func ActBackward(y, dy, dx []float32, act kernel.Act) {
	for i, v := range y {
		if act == kernel.None || v > 0 && (act == kernel.ReLU || v < 6) {
			dx[i] = dy[i]
		} else {
			dx[i] = 0
		}
	}
}
