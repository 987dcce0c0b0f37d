package ref

// mark writes bit i of a mask, and with the first bit of a byte zeroes the others.
// Without a mask it does nothing.
func mark(mask []uint8, i int, pass bool) {
	if mask == nil {
		return
	}
	if i%8 == 0 {
		mask[i/8] = 0
	}
	if pass {
		mask[i/8] |= 1 << (i % 8)
	}
}

// marked reads bit i of a mask; without a mask everything passes.
func marked(mask []uint8, i int) bool { return mask == nil || mask[i/8]>>(i%8)&1 == 1 }
