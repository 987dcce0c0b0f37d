package ref

// SGD computes, for every parameter, each operation rounded on its own (g is only read):
//
//	d = g + decay·w
//	v = momentum·v + d
//	w = w - lr·v                        without nesterov
//	w = w - lr·(d + momentum·v)         with nesterov
func SGD(w, g, v []float32, lr, momentum, decay float32, nesterov bool) {
	for i := range w {
		d := g[i] + float32(decay*w[i])
		v[i] = float32(momentum*v[i]) + d
		if nesterov {
			d += float32(momentum * v[i])
		} else {
			d = v[i]
		}
		w[i] -= float32(lr * d)
	}
}
