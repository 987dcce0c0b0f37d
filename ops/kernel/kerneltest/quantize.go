package kerneltest

import (
	"fmt"
	"math"

	"qpipe/ops/kernel"
)

func (g *gen) act() kernel.Act { return kernel.Act(g.intn(0, 2)) }

// quant draws a quantization to codes of one byte: signed ones (plus 128) with and
// without the most negative one, unsigned ones, of four bits, with any zero point.
func (g *gen) quant() kernel.Quant {
	q := kernel.Quant{Scale: []float32{0.5, 0.25, 0.1, 1.0 / 127, math.Float32frombits(0x34000000)}[g.intn(0, 4)], Zero: 128, Max: 255, HalfUp: g.one(2)}
	switch g.intn(0, 4) {
	case 0:
		q.Min = 1
	case 1:
		q.Min, q.Max = 120, 135
	case 2:
		q.Zero = int32(g.code())
	case 3:
		q.Zero = 0
	}
	return q
}

// broken is a quantization whose scale is now and then none.
func (g *gen) broken() kernel.Quant {
	q := g.quant()
	if g.one(8) {
		q.Scale = []float32{0, float32(math.NaN()), float32(math.Inf(1)), -0.5}[g.intn(0, 3)]
	}
	return q
}

// requant draws an epilogue for c channels.
func (g *gen) requant(c int) *kernel.Requant {
	f := g.quant()
	q := &kernel.Requant{
		M:  in(g, "m", c, func(int) float32 { return float32(math.Exp(float64(g.float()) * 12)) }),
		MZ: g.float(), ZZero: g.zero(), Zero: f.Zero, Min: f.Min, Max: f.Max, Act: g.act(), HalfUp: f.HalfUp,
	}
	q.Six = min(q.Zero+int32(g.intn(0, 90)), 255)
	switch g.intn(0, 5) {
	case 0, 1: // ties
		q.M = in(g, "m", c, func(int) float32 { return 0.5 })
		q.MZ = 0.25
	case 2: // multipliers that are broken
		q.M = in(g, "m", c, func(int) float32 { return g.special() })
		if g.one(2) {
			q.MZ = g.special()
		}
	}
	f.Scale = 6 / float32(q.Six-q.Zero)
	q.Floor, q.Ceil = f.Gate(q.Act)
	return q
}

func requantize(g *gen, s, ref *kernel.Set) {
	c, n := g.rows()
	q := g.requant(c)
	acc := in(g, "acc", n, func(int) int32 { return g.int32() })
	var (
		bias []int32
		z    []uint8
	)
	if g.one(2) {
		bias = in(g, "bias", c, func(int) int32 { return g.int32() / 2 })
	}
	if g.one(2) {
		z = g.codes("z", n)
	}
	g.detail = fmt.Sprintf("%d channels, %+v", c, *q)
	y, mask := out[uint8](g, "y", n), g.mask(n)
	want, wantMask := wanted(y), wanted(mask)
	s.Requantize(acc, bias, z, y, mask, c, q)
	ref.Requantize(acc, bias, z, want, wantMask, c, q)
	equal(g, "y", y, want)
	equal(g, "mask", mask, wantMask)
	if z != nil { // y may be z
		inPlace := twin(g, "z", z)
		s.Requantize(acc, bias, inPlace, inPlace, mask, c, q)
		equal(g, "y = z", inPlace, want)
		equal(g, "mask, y = z", mask, wantMask)
	}
}

func product(g *gen, s, ref *kernel.Set) {
	x, zx, zy, q := g.codes("x", g.length()), g.zero(), g.zero(), g.requant(1)
	y := g.codes("y", len(x))
	g.detail = fmt.Sprintf("zeros %d and %d, %+v", zx, zy, *q)
	to, mask := out[uint8](g, "out", len(x)), g.mask(len(x))
	want, wantMask := wanted(to), wanted(mask)
	s.Product(x, y, zx, zy, to, mask, q)
	ref.Product(x, y, zx, zy, want, wantMask, q)
	equal(g, "out", to, want)
	equal(g, "mask", mask, wantMask)
	inX, inY := twin(g, "x", x), twin(g, "y", y)
	s.Product(inX, y, zx, zy, inX, mask, q)
	equal(g, "out = x", inX, want)
	s.Product(x, inY, zx, zy, inY, mask, q)
	equal(g, "out = y", inY, want)
	equal(g, "mask, out = y", mask, wantMask)
}

func dequantize(g *gen, s, ref *kernel.Set) {
	c, n := g.rows()
	acc, m := in(g, "acc", n, func(int) int32 { return g.int32() }), g.specials("m", c)
	var bias []int32
	if g.one(2) {
		bias = in(g, "bias", c, func(int) int32 { return g.int32() / 2 })
	}
	y, want := out[float32](g, "y", n), make([]float32, n)
	s.Dequantize(acc, bias, y, c, m)
	ref.Dequantize(acc, bias, want, c, m)
	equal(g, "y", y, want)
}

func widen(g *gen, s, ref *kernel.Set) {
	x, zero := g.codes("x", g.length()), g.zero()
	acc, want := out[int32](g, "acc", len(x)), make([]int32, len(x))
	s.Widen(x, zero, acc)
	ref.Widen(x, zero, want)
	equal(g, "acc", acc, want)
}

func values(g *gen, s, ref *kernel.Set) {
	x, zero, scale := g.codes("x", g.length()), g.zero(), g.special()
	y, want := out[float32](g, "y", len(x)), make([]float32, len(x))
	s.Values(x, zero, scale, y)
	ref.Values(x, zero, scale, want)
	equal(g, "y", y, want)
}

func lookup(g *gen, s, ref *kernel.Set) {
	var table [256]uint8
	copy(table[:], g.codes("table", len(table)))
	x := g.codes("x", g.length())
	y, want, inPlace := out[uint8](g, "y", len(x)), make([]uint8, len(x)), twin(g, "x", x)
	s.Lookup(x, &table, y)
	s.Lookup(inPlace, &table, inPlace)
	ref.Lookup(x, &table, want)
	equal(g, "y", y, want)
	equal(g, "y = x", inPlace, want)
}

// ties draws values of which many lie on or beside the border between two codes,
// the limits' ones too.
func (g *gen) ties(what string, n int, q kernel.Quant) []float32 {
	return in(g, what, n, func(int) float32 {
		if g.one(2) {
			return g.special()
		}
		steps := []int32{q.Min, q.Max, int32(g.code())}[g.intn(0, 2)] - q.Zero
		v := (float32(steps) + []float32{-0.5, 0.5}[g.intn(0, 1)]) * q.Scale
		return math.Float32frombits(math.Float32bits(v) + uint32(g.intn(0, 2)-1))
	})
}

func quantize(g *gen, s, ref *kernel.Set) {
	q, act := g.broken(), g.act()
	x := g.ties("x", g.length(), q)
	g.detail = fmt.Sprintf("%+v, %v", q, act)
	y, mask := out[uint8](g, "y", len(x)), g.mask(len(x))
	want, wantMask := wanted(y), wanted(mask)
	s.Quantize(x, y, mask, q, act)
	ref.Quantize(x, want, wantMask, q, act)
	equal(g, "y", y, want)
	equal(g, "mask", mask, wantMask)
}

func fakeQuant(g *gen, s, ref *kernel.Set) {
	q, act := g.broken(), g.act()
	if g.one(4) { // FakeQuant also has codes of 16 bits
		q.Min, q.Max, q.Zero = -32768, 32767, int32(g.intn(-32768, 32767))*int32(g.intn(0, 1))
	}
	x := g.ties("x", g.length(), q)
	g.detail = fmt.Sprintf("%+v, %v", q, act)
	y, mask, inPlace := out[float32](g, "y", len(x)), g.mask(len(x)), twin(g, "x", x)
	want, wantMask := wanted(y), wanted(mask)
	s.FakeQuant(x, y, mask, q, act)
	ref.FakeQuant(x, want, wantMask, q, act)
	equal(g, "y", y, want)
	equal(g, "mask", mask, wantMask)
	s.FakeQuant(inPlace, inPlace, mask, q, act)
	equal(g, "y = x", inPlace, want)
	equal(g, "mask, y = x", mask, wantMask)
}

// weightQuant draws a quantization of weights: of narrow and full int8 and of int4.
func (g *gen) weightQuant() kernel.Quant {
	l := [][2]int32{{-127, 127}, {-128, 127}, {-7, 7}}[g.intn(0, 2)]
	q := kernel.Quant{Scale: g.quant().Scale, Min: l[0], Max: l[1], HalfUp: g.one(2)}
	if g.one(8) {
		q.Scale = []float32{0, float32(math.NaN())}[g.intn(0, 1)]
	}
	return q
}

func encodeWeights(g *gen, s, ref *kernel.Set) {
	q := g.weightQuant()
	w := g.ties("w", g.length(), q)
	f := []float32{1, -1, g.float(), g.special()}[g.intn(0, 3)]
	g.detail = fmt.Sprintf("%+v, f %g", q, f)
	n := len(w)
	codes, v, mask := out[int8](g, "codes", n), out[float32](g, "v", n), out[uint8](g, "mask", (n+7)/8)
	wantCodes, want, wantMask := wanted(codes), wanted(v), wanted(mask)
	s.EncodeWeights(w, f, q, codes, v, mask)
	ref.EncodeWeights(w, f, q, wantCodes, want, wantMask)
	equal(g, "codes", codes, wantCodes)
	equal(g, "v", v, want)
	equal(g, "mask", mask, wantMask)
}

func weightGrad(g *gen, s, ref *kernel.Set) {
	n := g.length()
	d, w, mask, u, f := g.floats("d", n), g.floats("w", n), g.bits(n), g.float(), g.float()
	if g.one(3) {
		d, u = g.specials("d", n), g.special()
	}
	if g.one(3) {
		w = nil
	}
	dst, want, inPlace := out[float32](g, "dst", n), make([]float32, n), twin(g, "d", d)
	dot := s.WeightGrad(d, w, mask, u, f, dst)
	wantDot := ref.WeightGrad(d, w, mask, u, f, want)
	equal(g, "dst", dst, want)
	if w != nil && math.Abs(wantDot) < math.Inf(1) { // what sums with infinities give depends on their order
		size := ref.WeightGrad(abs(d), abs(w), mask, abs([]float32{u})[0], f, make([]float32, n))
		near(g, "dot", []float64{dot}, []float64{wantDot}, func(int) float64 { return float64(n+2) * 0x1p-52 * size })
	}
	if again := s.WeightGrad(inPlace, w, mask, u, f, inPlace); bitsOf(again) != bitsOf(dot) && dot == dot {
		g.errorf("the dot product in place is %v, want %v", again, dot)
	}
	equal(g, "dst = d", inPlace, want)
}
