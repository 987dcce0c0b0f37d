package pass

func (p *passes) gateAffine(g []float32, mask []uint8, x, y, a, k, l []float32) {
	n, c := len(g), len(a)
	if n == 0 {
		return
	}
	if !p.repeats(c) {
		p.plain.GateAffine(g, mask, x, y, a, k, l)
		return
	}
	if x == nil {
		k, l = nil, nil
	}
	p.asm.GateAffine(&g[0], firstBit(mask, n), first(x, n), first(y, n), &a[0], first(k, c), first(l, c), n, c)
}

func (p *passes) gate(g []float32, mask []uint8, y []float32, add bool) {
	n := len(g)
	switch {
	case n == 0:
	case mask == nil && add:
		p.asm.AddTo(&g[0], first(y, n), n)
	case mask == nil:
		copy(y[:n], g)
	case add:
		p.asm.GateAdd(&g[0], firstBit(mask, n), first(y, n), n)
	default:
		p.asm.Gate(&g[0], firstBit(mask, n), first(y, n), n)
	}
}

// gateSums uses plain Go for masks of less than four bytes that do not end at a byte, because vectors cannot load them.
func (p *passes) gateSums(g []float32, mask []uint8, x, y []float32, sum, prod []float64) {
	c := len(sum)
	if x == nil {
		prod = nil
	}
	for i, step := 0, slab(c); i < len(g); i += step {
		j := min(i+step, len(g))
		p.gateSlab(g[i:j], part(mask, i/8, (j+7)/8), part(x, i, j), part(y, i, j), sum, prod, c)
	}
}

func (p *passes) gateSlab(g []float32, mask []uint8, x, y []float32, sum, prod []float64, c int) {
	n := len(g)
	bytes := (n + 7) / 8
	if mask != nil && bytes < 4 && c%8 != 0 {
		p.plain.GateSums(g, mask, x, y, sum, prod)
		return
	}
	p.asm.GateSums(&g[0], firstBit(mask, n), first(x, n), first(y, n), &sum[0], first(prod, c), n/c, c, bytes-4)
}
