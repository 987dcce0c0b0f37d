package pass

import (
	"math"

	"qpipe/ops/kernel"
)

func (p *passes) requantize(acc, bias []int32, z, y, mask []uint8, c int, q *kernel.Requant) {
	n := len(acc)
	if n == 0 {
		return
	}
	least, most := q.Bounds()
	lo, hi, ok := limits(least, most, q.Zero)
	if !ok || q.HalfUp || !p.repeats(c) {
		p.plain.Requantize(acc, bias, z, y, mask, c, q)
		return
	}
	p.asm.Requantize(&acc[0], first(bias, c), first(z, n), first(y, n), firstBit(mask, n), first(q.M, c), n, c, q.ZZero, q.MZ, lo, hi, q.Floor, q.Ceil, q.Zero)
}

func (p *passes) dequantize(acc, bias []int32, y []float32, c int, m []float32) {
	n := len(acc)
	if n == 0 {
		return
	}
	if !p.repeats(c) {
		p.plain.Dequantize(acc, bias, y, c, m)
		return
	}
	p.asm.Dequantize(&acc[0], first(bias, c), first(y, n), first(m, c), n, c)
}

func (p *passes) product(x, y []uint8, zx, zy int32, out, mask []uint8, q *kernel.Requant) {
	n := len(x)
	if n == 0 {
		return
	}
	least, most := q.Bounds()
	lo, hi, ok := limits(least, most, q.Zero)
	if !ok || q.HalfUp {
		p.plain.Product(x, y, zx, zy, out, mask, q)
		return
	}
	p.asm.Product(&x[0], first(y, n), first(out, n), firstBit(mask, n), n, zx, zy, q.M[0], lo, hi, q.Floor, q.Ceil, q.Zero)
}

func (p *passes) widen(x []uint8, zero int32, acc []int32) {
	if n := len(x); n > 0 {
		p.asm.Widen(&x[0], first(acc, n), n, zero)
	}
}

func (p *passes) values(x []uint8, zero int32, scale float32, y []float32) {
	if n := len(x); n > 0 {
		p.asm.Values(&x[0], first(y, n), n, zero, scale)
	}
}

func (p *passes) lookup(x []uint8, table *[256]uint8, y []uint8) {
	n := len(x) &^ (4*p.asm.Lanes - 1)
	if n > 0 {
		p.asm.Lookup(&x[0], &table[0], first(y, n), n)
	}
	p.plain.Lookup(x[n:], table, y[n:])
}

func (p *passes) quantize(x []float32, y, mask []uint8, q kernel.Quant, act kernel.Act) {
	n := len(x)
	if n == 0 {
		return
	}
	v, ok := quotientOf(&q, act)
	if !ok {
		p.plain.Quantize(x, y, mask, q, act)
		return
	}
	p.asm.Quantize(&x[0], first(y, n), firstBit(mask, n), n, v.scale, v.inverse, v.rest, v.least, v.most, v.floor, v.ceil, q.Zero, v.exact)
}

func (p *passes) fakeQuant(x, y []float32, mask []uint8, q kernel.Quant, act kernel.Act) {
	n := len(x)
	if n == 0 {
		return
	}
	v, ok := quotientOf(&q, act)
	if !ok {
		p.plain.FakeQuant(x, y, mask, q, act)
		return
	}
	p.asm.FakeQuant(&x[0], first(y, n), firstBit(mask, n), n, v.scale, v.inverse, v.rest, v.least, v.most, v.floor, v.ceil, v.exact)
}

func (p *passes) encodeWeights(w []float32, f float32, q kernel.Quant, codes []int8, v []float32, mask []uint8) {
	n := len(w)
	if n == 0 {
		return
	}
	t, ok := quotientOf(&q, kernel.None)
	if !ok {
		p.plain.EncodeWeights(w, f, q, codes, v, mask)
		return
	}
	p.asm.EncodeWeights(&w[0], first(codes, n), first(v, n), firstBit(mask, n), n, f, t.scale, t.inverse, t.rest, t.least, t.most, t.floor, t.ceil, t.exact)
}

func (p *passes) weightGrad(d, w []float32, mask []uint8, u, f float32, dst []float32) float64 {
	n := len(d)
	if n == 0 {
		return 0
	}
	return p.asm.WeightGrad(&d[0], first(w, n), firstBit(mask, n), first(dst, n), n, u, f)
}

func (p *passes) addTo(x, y []float32) {
	if n := len(x); n > 0 {
		p.asm.AddTo(&x[0], first(y, n), n)
	}
}

func (p *passes) sgd(w, g, v []float32, lr, momentum, decay float32, nesterov bool) {
	n := len(w)
	switch {
	case n == 0:
	case nesterov:
		p.asm.SGDNesterov(&w[0], first(g, n), first(v, n), n, lr, momentum, decay)
	default:
		p.asm.SGD(&w[0], first(g, n), first(v, n), n, lr, momentum, decay)
	}
}

func (p *passes) finite(x []float32) bool { return len(x) == 0 || p.asm.Finite(&x[0], len(x)) }

func (p *passes) minMax(x []float32) (lo, hi float32) {
	if len(x) == 0 {
		return float32(math.Inf(1)), float32(math.Inf(-1))
	}
	return p.asm.MinMax(&x[0], len(x))
}
