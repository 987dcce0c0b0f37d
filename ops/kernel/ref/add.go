package ref

// AddTo computes y += x. It adds up gradients where a value was used twice.
func AddTo(x, y []float32) {
	for i, v := range x {
		y[i] += v
	}
}
