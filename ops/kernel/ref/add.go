package ref

import "qpipe/ops/kernel"

// Add computes y = act(a + b).
func Add(a, b, y []float32, act kernel.Act) {
	for i, v := range a {
		y[i] = activate(v+b[i], act)
	}
}

// AddTo computes y += x. It is how gradients meet where a value was used twice.
func AddTo(x, y []float32) {
	for i, v := range x {
		y[i] += v
	}
}
