package pass

// slab is how many elements a pass that computes a value per channel takes at a time: some rows, a multiple of 8. It
// runs down the rows with a block of channels in registers, then with the next block; with too many rows, each of these
// jumps would miss the caches.
func slab(c int) int {
	if c == 0 {
		return 1
	}
	return max(16384/c/8*8, 32) * c
}

// part is x[i:j], nil for nil.
func part[T any](x []T, i, j int) []T {
	if x == nil {
		return nil
	}
	return x[i:j]
}

func (p *passes) channelStats(x []float32, sum, sq []float64, lo, hi []float32) {
	c := len(sum)
	for i, step := 0, slab(c); i < len(x); i += step {
		rows := min(step, len(x)-i) / c
		p.asm.ChannelStats(&x[i], &sum[0], first(sq, c), first(lo, c), first(hi, c), rows, c)
	}
}

func (p *passes) channelRange(acc, lo, hi []int32) {
	c := len(lo)
	for i, step := 0, slab(c); i < len(acc); i += step {
		rows := min(step, len(acc)-i) / c
		p.asm.ChannelRange(&acc[i], &lo[0], first(hi, c), rows, c)
	}
}
