package dense

import "math"

// pieces computes what Gemm8 does not write: the sums go to scratch, a few pixels at a time.
func (c *int8Call) pieces(gemm Gemm8, tab []int32, a *uint8, taps, quads, jump int, b *int8, bjump int, bias []int32, o, at int) {
	cols, block := len(bias), c.kernels.Block
	clear(c.wide[copy(c.wide, bias):])
	for len(tab) > 0 {
		now := tab[:min(len(tab), 2*int8Piece)]
		for i := range len(now) / 2 {
			c.mine[2*i], c.mine[2*i+1] = now[2*i], int32(i*block)
		}
		gemm(len(now)/2, &c.mine[0], a, taps, quads, jump, b, bjump, b, b, c.kernels.width(cols), &c.wide[0], int8Acc, nil, &c.acc[0], nil, nil, nil, 0, 0, 0, 0, 0)
		for i := range len(now) / 2 {
			c.epilogue(c.acc[i*block:][:cols], at+int(now[2*i+1]), o)
		}
		tab = tab[len(now):]
	}
}

// epilogue computes the output of a pixel from its sums.
func (c *int8Call) epilogue(acc []int32, at, o int) {
	q := &c.requant
	switch c.mode {
	case int8Acc:
		copy(c.out.Acc[at:], acc)
		return
	case int8Float:
		f := c.out.F[at:][:len(acc)]
		for j, a := range acc {
			f[j] = float32(a)
			if c.ones == nil {
				f[j] = float32(f[j] * q.M[o+j])
			}
		}
		return
	}
	y := c.out.Y[at:][:len(acc)]
	for j, a := range acc {
		v := float32(float32(a) * q.M[o+j])
		if c.mode == int8Add {
			v += float32(float32(int32(c.out.Z[at+j])-q.ZZero) * q.MZ)
		}
		if v != v {
			v = 0
		}
		r := math.RoundToEven(float64(v))
		if q.HalfUp {
			r = math.Floor(float64(v) + 0.5)
		}
		y[j] = uint8(min(max(int64(min(max(r, -1<<32), 1<<32))+int64(q.Zero), int64(c.lo)), int64(c.hi)))
	}
}
