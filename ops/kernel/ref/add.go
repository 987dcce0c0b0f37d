package ref

// AddTo computes y += x. It is how gradients meet where a value was used twice.
func AddTo(x, y []float32) {
	for i, v := range x {
		y[i] += v
	}
}
