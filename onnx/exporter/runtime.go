package exporter

import (
	"math"

	"qpipe/ops/kernel"
)

// The functions below tell whether an op of ONNX Runtime gives the integers of the int8 model, for all codes that there are. They
// know its kernels (onnxruntime/core/mlas/lib/{qladd,qlmul,qlgavgpool}.cpp) with and without FMA, and are true only if both agree.

// fits reports whether values in steps of the output, zero point included, round to a code.
func (s *step) fits(want int32, got ...float32) bool {
	least, most := float64(s.low), float64(s.low+255)
	for _, v := range got {
		if min(max(math.RoundToEven(float64(v)), least), most) != float64(s.code(want)) {
			return false
		}
	}
	return true
}

// open is the output's grid without the activation's bounds, which an op of its own applies.
func (s *step) open() kernel.Quant {
	q := s.out.q
	q.Min, q.Max = 0, 255
	return q
}

func fma32(a, b, c float32) float32 {
	return float32(math.FMA(float64(a), float64(b), float64(c))) // a·b is exact in float64, but the sum is rounded twice
}

func (s *step) runtimeAdds(a, b kernel.Quant) bool {
	ra, rb, q := a.Scale/s.out.q.Scale, b.Scale/s.out.q.Scale, s.open()
	za, zb, zy := float32(s.code(a.Zero)), float32(s.code(b.Zero)), float32(s.code(q.Zero))
	fused := zy - fma32(ra, za, float32(rb*zb))
	plain := zy - float32(float32(ra*za)+float32(rb*zb))
	for i := range int32(256) {
		x, own := float32(s.code(i)), float32(float32(i-a.Zero)*ra)
		for k := range int32(256) {
			y := float32(s.code(k))
			want := of(q, own+float32(float32(k-b.Zero)*rb))
			if !s.fits(want, fma32(x, ra, fma32(y, rb, fused)), float32(x*ra)+float32(float32(y*rb)+plain)) {
				return false
			}
		}
	}
	return true
}

func (s *step) runtimeMultiplies(a, b kernel.Quant) bool {
	r, q := float32(a.Scale*b.Scale)/s.out.q.Scale, s.open()
	zero := float32(s.code(q.Zero))
	for i := range int32(256) {
		for k := range int32(256) {
			acc := float32((i - a.Zero) * (k - b.Zero))
			if !s.fits(of(q, acc*r), float32(acc*r)+zero, fma32(acc, r, zero)) {
				return false
			}
		}
	}
	return true
}

// runtimeAverages is about a mean of n codes.
func (s *step) runtimeAverages(x kernel.Quant, n int) bool {
	unit, q := x.Scale/float32(n)/s.out.q.Scale, s.open()
	own := x.Scale / float32(s.out.q.Scale*float32(n))
	if n > 1<<14 || own < 0x1p-32 || own >= 256 { // it computes nothing outside of these limits; there are many sums to try, too
		return false
	}
	for sum := int32(n) * -x.Zero; sum <= int32(n)*(255-x.Zero); sum++ {
		if of(q, float32(sum)*unit) != of(q, float32(sum)*own) {
			return false
		}
	}
	return true
}

// runtimeMoves is about codes that are moved to the output's grid.
func (s *step) runtimeMoves(x kernel.Quant) bool {
	q, unit := s.open(), x.Scale/s.out.q.Scale
	for i := range int32(256) {
		d := float32(i - x.Zero)
		if of(q, d*unit) != of(q, float32(d*x.Scale)/q.Scale) {
			return false
		}
	}
	return true
}
