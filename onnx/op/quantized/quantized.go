// Package quantized has the ops on integers that stand for real values: (q − zero)·scale. They are computed as ONNX Runtime
// computes them on x86-64 with FMA, with the same roundings in float32 in the same order, so that integers can be compared.
//
// Where the standard leaves an order open, it is that of these files of github.com/microsoft/onnxruntime:
// onnxruntime/core/mlas/lib/{quantize,qladd,qlmul,qlgavgpool,logistic}.cpp, intrinsics/avx2/qladd_avx2.cpp, and
// onnxruntime/contrib_ops/cpu/quantization/.
package quantized

import (
	"math"
	"slices"

	"qpipe/onnx/model"
	"qpipe/onnx/op"
	"qpipe/onnx/value"
)

// Rows are the ops of this package.
func Rows() []*op.Row {
	return slices.Concat(linearRows(), productRows(), runtimeRows(), tableRows(), poolRows())
}

// microsoft is the domain of ONNX Runtime's own ops.
const microsoft = "com.microsoft"

// grid is how integers stand for values: one scale and zero point.
type grid struct {
	scale float32
	zero  int64
	t     model.Type
}

// gridOf reads a scale and a zero point of one element each; without a zero point it is 0.
func gridOf(c *op.Call, scale, zero int, t model.Type) grid {
	g := grid{scale: float32(c.Single(scale).Number(0)), t: t}
	if c.Has(zero) {
		c.Single(zero)
		g.zero = c.Ints(zero)[0]
	}
	return g
}

// value is what an integer stands for.
func (g grid) value(q int64) float32 { return float32(g.scale * float32(q-g.zero)) }

// quantize is the integer of a value.
func (g grid) quantize(x float32) int64 { return g.fit(x / g.scale) }

// fit cuts a number of steps to what the type can have, rounds it to the nearest even, and adds the zero point. NaN
// becomes the smallest.
func (g grid) fit(steps float32) int64 {
	least, most := value.Limits(g.t)
	low, high := float32(least-g.zero), float32(most-g.zero)
	if !(steps > low) {
		steps = low
	}
	if steps > high {
		steps = high
	}
	return int64(math.RoundToEven(float64(steps))) + g.zero
}

// cut rounds to the nearest even and then cuts to what the type can have.
func (g grid) cut(x float32) int64 {
	least, most := value.Limits(g.t)
	if !(x > -(1 << 31)) {
		return least
	}
	return min(max(int64(math.RoundToEven(min(float64(x), 1<<31))), least), most)
}

// fma is a·b + c with one rounding. The sum in float64 is made odd if it is not exact, so that rounding it again to
// float32 gives what rounding the exact sum would (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums",
// 2008).
func fma(a, b, c float32) float32 {
	p, q := float64(float64(a)*float64(b)), float64(c) // the product is exact
	s := p + q
	t := s - p
	lost := (p - (s - t)) + (q - t)
	if lost != 0 && !math.IsInf(s, 0) && math.Float64bits(s)&1 == 0 {
		toward := math.Inf(1)
		if lost < 0 {
			toward = math.Inf(-1)
		}
		s = math.Nextafter(s, toward)
	}
	return float32(s)
}

// integers checks that inputs have whole numbers of at most 16 bits, and are of one type.
func integers(c *op.Call, inputs ...int) {
	for _, i := range inputs {
		if t := c.Arg(i).Type; t.Float() || t.Bits() > 16 || t == model.Bool {
			c.Fail("input %d is %s; it must be a quantized type", i, t)
		}
	}
}
