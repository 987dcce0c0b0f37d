// Package pass turns the passes of ops/kernel (normalize, activate, quantize, add, reduce) and its pools into calls of
// loops, which are function values, so that all instruction sets share these drivers.
package pass

import "qpipe/ops/kernel"

// Loops are the loops of a set for its passes and pools. Pointers are to the first elements, nil for a missing slice; n
// is a number of elements, greater than 0. The set's declarations say what each computes.
type Loops struct {
	Lanes int // of a vector

	Affine      func(x, zf *float32, zq *uint8, y *float32, mask *uint8, a, b *float32, n, c int, zzero int32, zscale, low, high, floor, ceil float32)
	AffineQuant func(x, zf *float32, zq, y, mask *uint8, a, b *float32, n, c int, zzero int32, zscale, scale, inverse, rest, least, most, floor, ceil float32, zero int32, exact bool)
	AffineRange func(x, zf *float32, zq *uint8, a, b *float32, n, c int, zzero int32, zscale, low, high float32) (least, most float32)
	GateAffine  func(g *float32, mask *uint8, x, y, a, k, l *float32, n, c int)
	Requantize  func(acc, bias *int32, z, y, mask *uint8, m *float32, n, c int, zzero int32, mz, lo, hi, floor, ceil float32, zero int32)
	Dequantize  func(acc, bias *int32, y, m *float32, n, c int)
	Product     func(x, y, out, mask *uint8, n int, zx, zy int32, m, lo, hi, floor, ceil float32, zero int32)

	Quantize      func(x *float32, y, mask *uint8, n int, scale, inverse, rest, least, most, floor, ceil float32, zero int32, exact bool)
	FakeQuant     func(x, y *float32, mask *uint8, n int, scale, inverse, rest, least, most, floor, ceil float32, exact bool)
	Widen         func(x *uint8, acc *int32, n int, zero int32)
	Values        func(x *uint8, y *float32, n int, zero int32, scale float32)
	Lookup        func(x, table, y *uint8, n int) // n is a number of whole vectors of bytes
	EncodeWeights func(w *float32, codes *int8, v *float32, mask *uint8, n int, f, scale, inverse, rest, least, most, floor, ceil float32, exact bool)
	WeightGrad    func(d, w *float32, mask *uint8, dst *float32, n int, u, f float32) float64
	Gate          func(g *float32, mask *uint8, y *float32, n int)
	GateAdd       func(g *float32, mask *uint8, y *float32, n int)
	AddTo         func(x, y *float32, n int)
	SGD           func(w, g, v *float32, n int, lr, momentum, decay float32)
	SGDNesterov   func(w, g, v *float32, n int, lr, momentum, decay float32)
	Finite        func(x *float32, n int) bool
	MinMax        func(x *float32, n int) (least, most float32)

	Formula FormulaLoops

	ChannelStats func(x *float32, sum, sq *float64, lo, hi *float32, rows, c int)
	ChannelRange func(acc, lo, hi *int32, rows, c int)
	GateSums     func(g *float32, mask *uint8, x, y *float32, sum, prod *float64, rows, c, last int)

	MaxPool           func(x, y *float32, index *int32, c, rows, cols, rowStep, pixels, pixelStep, base int)
	MaxPoolCodes      func(x, y *uint8, c, rows, cols, rowStep, pixels, pixelStep int)
	MaxPoolCodesIndex func(x, y *uint8, index *int32, c, rows, cols, rowStep, pixels, pixelStep, base int)
	AvgPool           func(x, y *float32, c, rows, cols, rowStep, pixels, pixelStep int, count float64)
	AvgSpread         func(dy, dx *float32, c, rows, cols, rowStep, pixels, pixelStep int, count float32)
	SumPool           func(x *uint8, acc *int32, c, rows, cols, rowStep, pixels, pixelStep int, start int32)
}

// Install makes the passes those of the set. For what they do not cover, the set keeps the kernels that it has.
func (p Loops) Install(s *kernel.Set) {
	d := &passes{asm: p, plain: *s}
	s.Affine, s.AffineQuant, s.AffineRange = d.affine, d.affineQuant, d.affineRange
	s.Requantize, s.Dequantize, s.Product = d.requantize, d.dequantize, d.product
	s.Widen, s.Values, s.Lookup = d.widen, d.values, d.lookup
	s.Formula = d.formula
	s.Quantize, s.FakeQuant = d.quantize, d.fakeQuant
	s.EncodeWeights, s.WeightGrad = d.encodeWeights, d.weightGrad
	s.GateSums, s.GateAffine, s.Gate = d.gateSums, d.gateAffine, d.gate
	s.ChannelStats, s.ChannelRange, s.MinMax = d.channelStats, d.channelRange, d.minMax
	s.AddTo, s.SGD, s.Finite = d.addTo, d.sgd, d.finite
	s.MaxPool, s.MaxPoolInt8 = d.maxPool, d.maxPoolInt8
	s.AvgPool, s.AvgPoolBackward, s.SumPoolInt8 = d.avgPool, d.avgPoolBackward, d.sumPoolInt8
}

// passes are the kernels of a set.
type passes struct {
	asm   Loops
	plain kernel.Set // for rare cases
}

// tableMost is the largest number of channels, other than a multiple of four vectors,
// that a table of coefficients has room for.
const tableMost = 2048

// repeats reports whether vectors can read coefficients of c channels.
func (p *passes) repeats(c int) bool { return c <= tableMost || c%(4*p.asm.Lanes) == 0 }

// first is the pointer to the first of n elements, which must exist; nil for nil.
func first[T any](x []T, n int) *T {
	if x == nil {
		return nil
	}
	_ = x[n-1]
	return &x[0]
}

// firstBit is the pointer to the first byte of a mask of n bits; nil for nil.
func firstBit(mask []uint8, n int) *uint8 { return first(mask, (n+7)/8) }

// limits are the codes' limits before the zero point is added, as float32. ok says that they are exact, and that 0 is
// between them, so that a code of 0 plus zero needs no clamping.
func limits(lo, hi, zero int32) (l, h float32, ok bool) {
	const most = 1 << 22
	a, b := int64(lo)-int64(zero), int64(hi)-int64(zero)
	return float32(a), float32(b), -most <= a && a <= 0 && 0 <= b && b <= most
}
