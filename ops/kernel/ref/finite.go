package ref

// Finite reports whether v - v == 0 for every v, which neither NaN nor an infinity fulfils.
func Finite(x []float32) bool {
	for _, v := range x {
		if v-v != 0 {
			return false
		}
	}
	return true
}
