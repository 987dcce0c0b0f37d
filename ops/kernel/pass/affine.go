package pass

import (
	"math"

	"qpipe/ops/kernel"
)

func (p *passes) affine(x []float32, z kernel.Operand, y []float32, mask []uint8, a, b []float32, act kernel.Act) {
	n, c := len(x), len(a)
	if n == 0 {
		return
	}
	if !p.repeats(c) {
		p.plain.Affine(x, z, y, mask, a, b, act)
		return
	}
	zf, zq := addresses(z, n)
	low, high := act.Linear()
	p.asm.Affine(&x[0], zf, zq, first(y, n), firstBit(mask, n), &a[0], first(b, c), n, c, z.Zero, z.Scale, low, high, low, high)
}

func (p *passes) affineQuant(x []float32, z kernel.Operand, y, mask []uint8, a, b []float32, act kernel.Act, q kernel.Quant) {
	n, c := len(x), len(a)
	if n == 0 {
		return
	}
	v, ok := quotientOf(&q, act)
	if !ok || !p.repeats(c) {
		p.plain.AffineQuant(x, z, y, mask, a, b, act, q)
		return
	}
	zf, zq := addresses(z, n)
	low, high := act.Linear()
	p.asm.AffineQuant(&x[0], zf, zq, first(y, n), firstBit(mask, n), &a[0], first(b, c), n, c, z.Zero, z.Scale,
		v.scale, v.inverse, v.rest, max(low, v.least), min(high, v.most), v.floor, v.ceil, q.Zero, v.exact)
}

func (p *passes) affineRange(x []float32, z kernel.Operand, a, b []float32, act kernel.Act) (lo, hi float32) {
	n, c := len(x), len(a)
	if n == 0 {
		return float32(math.Inf(1)), float32(math.Inf(-1))
	}
	if !p.repeats(c) {
		return p.plain.AffineRange(x, z, a, b, act)
	}
	zf, zq := addresses(z, n)
	low, high := act.Linear()
	return p.asm.AffineRange(&x[0], zf, zq, &a[0], first(b, c), n, c, z.Zero, z.Scale, low, high)
}

// addresses are those of an operand of n elements.
func addresses(z kernel.Operand, n int) (*float32, *uint8) {
	if z.F != nil {
		return first(z.F, n), nil
	}
	return nil, first(z.Q, n)
}
