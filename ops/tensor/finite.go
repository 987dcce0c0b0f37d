package tensor

// Finite reports whether no value is an infinity or NaN: x - x is 0 for the others.
func Finite(x []float32) bool {
	var a, b, c, d float32
	for len(x) >= 4 {
		a += x[0] - x[0]
		b += x[1] - x[1]
		c += x[2] - x[2]
		d += x[3] - x[3]
		x = x[4:]
	}
	for _, v := range x {
		a += v - v
	}
	return a+b+c+d == 0
}
