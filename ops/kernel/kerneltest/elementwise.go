package kerneltest

import (
	"math"

	"qpipe/ops/kernel"
)

// length draws the length of an elementwise pass: none, few, around the width of
// a vector, or many.
func (g *gen) length() int {
	return []int{0, 1, g.intn(2, 7), 8, g.intn(15, 17), g.intn(30, 70), g.intn(200, 1100)}[g.intn(0, 6)]
}

func (g *gen) specials(what string, n int) []float32 {
	return in(g, what, n, func(int) float32 { return g.special() })
}

func (g *gen) quant() kernel.Quant {
	q := kernel.Quant{Scale: []float32{0.5, 0.25, 0.1, 1.0 / 127, math.Float32frombits(0x34000000)}[g.intn(0, 4)], Min: -128, Max: 127, HalfUp: g.one(2)}
	switch g.intn(0, 3) {
	case 0:
		q.Min = -127
	case 1:
		q.Min, q.Max = -8, 7
	case 2:
		q.Zero = int32(g.int8())
	}
	return q
}

func requantize(g *gen, s, ref *kernel.Set) {
	c, rows := g.intn(1, 37), g.intn(0, 19)
	n := c * rows
	q := &kernel.Requant{
		M: in(g, "m", c, func(int) float32 { return float32(math.Exp(float64(g.float()) * 12)) }), MZ: g.float(), ZZero: int32(g.int8()),
		Zero: int32(g.intn(-20, 20)), Min: -128, Max: 127, Act: kernel.Act(g.intn(0, 2)), Six: int32(g.intn(30, 90)), HalfUp: g.one(2),
	}
	switch g.intn(0, 5) {
	case 0:
		q.M = q.M[:1]
	case 1: // ties
		q.M = in(g, "m", 1, func(int) float32 { return 0.5 })
		q.MZ = 0.25
	case 2: // multipliers that are broken
		q.M = in(g, "m", c, func(int) float32 { return g.special() })
	}
	acc := in(g, "acc", n, func(int) int32 { return int32(g.next()) >> g.intn(1, 31) })
	var (
		bias []int32
		z    []int8
	)
	if g.one(2) {
		bias = in(g, "bias", c, func(int) int32 { return int32(g.next()) >> g.intn(2, 31) })
	}
	if g.one(2) {
		z = g.codes("z", n)
	}
	y, want := out[int8](g, "y", n), make([]int8, n)
	s.Requantize(acc, bias, z, y, c, q)
	ref.Requantize(acc, bias, z, want, c, q)
	equal(g, "y", y, want)
	if z != nil { // y may be z
		inPlace := twin(g, "z", z)
		s.Requantize(acc, bias, inPlace, inPlace, c, q)
		equal(g, "y = z", inPlace, want)
	}
}

func dequantize(g *gen, s, ref *kernel.Set) {
	c, rows := g.intn(1, 37), g.intn(0, 9)
	acc := in(g, "acc", c*rows, func(int) int32 { return int32(g.next()) >> g.intn(1, 31) })
	m := g.floats("m", c)
	if g.one(3) {
		m = m[:1]
	}
	var bias []int32
	if g.one(2) {
		bias = in(g, "bias", c, func(int) int32 { return int32(g.next()) >> g.intn(2, 31) })
	}
	y, want := out[float32](g, "y", c*rows), make([]float32, c*rows)
	s.Dequantize(acc, bias, y, c, m)
	ref.Dequantize(acc, bias, want, c, m)
	equal(g, "y", y, want)
}

func quantize(g *gen, s, ref *kernel.Set) {
	q := g.quant()
	x := g.specials("x", g.length())
	y, want := out[int8](g, "y", len(x)), make([]int8, len(x))
	s.Quantize(x, y, q)
	ref.Quantize(x, want, q)
	equal(g, "y", y, want)
}

// wide is a quantization to codes of up to 16 bits, which FakeQuant also does.
func (g *gen) wide() kernel.Quant {
	q := g.quant()
	if g.one(4) {
		q.Min, q.Max = -32768, 32767
	}
	if g.one(6) {
		q.Scale = []float32{0, float32(math.NaN()), float32(math.Inf(1)), -0.5}[g.intn(0, 3)]
	}
	return q
}

func fakeQuant(g *gen, s, ref *kernel.Set) {
	q := g.wide()
	x := g.specials("x", g.length())
	y, want, inPlace := out[float32](g, "y", len(x)), make([]float32, len(x)), twin(g, "x", x)
	s.FakeQuant(x, y, q)
	s.FakeQuant(inPlace, inPlace, q)
	ref.FakeQuant(x, want, q)
	equal(g, "y", y, want)
	equal(g, "y = x", inPlace, want)
}

func fakeQuantBackward(g *gen, s, ref *kernel.Set) {
	q := g.wide()
	x := g.specials("x", g.length())
	dy := g.floats("dy", len(x))
	dx, want, inPlace := out[float32](g, "dx", len(x)), make([]float32, len(x)), twin(g, "dy", dy)
	s.FakeQuantBackward(x, dy, dx, q)
	s.FakeQuantBackward(x, inPlace, inPlace, q)
	ref.FakeQuantBackward(x, dy, want, q)
	equal(g, "dx", dx, want)
	equal(g, "dx = dy", inPlace, want)
}

func minMax(g *gen, s, ref *kernel.Set) {
	x := g.floats("x", g.length())
	if g.one(2) {
		x = g.specials("x", g.length())
	}
	lo, hi := s.MinMax(x)
	wantLo, wantHi := ref.MinMax(x)
	equal(g, "lo, hi", []float32{lo, hi}, []float32{wantLo, wantHi})
}

func channelSums(g *gen, s, ref *kernel.Set) {
	c := g.intn(1, 40)
	n := c * g.intn(0, 50)
	x := g.floats("x", n)
	y := x
	if g.one(2) {
		y = g.floats("y", n)
	}
	sum := in(g, "sum", c, func(int) float64 { return float64(g.float()) })
	wantSum, wantProd := append([]float64(nil), sum...), append([]float64(nil), sum...)
	gotSum, gotProd := twin(g, "sum", sum), twin(g, "prod", sum)
	s.ChannelSums(x, y, gotSum, gotProd)
	ref.ChannelSums(x, y, wantSum, wantProd)
	bound := func(int) float64 { return 1e-15 * float64(n/c+1) }
	near(g, "sum", gotSum, wantSum, bound)
	near(g, "prod", gotProd, wantProd, bound)
}

func (g *gen) act() kernel.Act { return kernel.Act(g.intn(0, 2)) }

func scaleShift(g *gen, s, ref *kernel.Set) {
	c, act := g.intn(1, 40), g.act()
	n := c * g.intn(0, 30)
	x, a, b := g.specials("x", n), g.floats("a", c), g.floats("b", c)
	var z []float32
	if g.one(2) {
		z = g.specials("z", n)
	}
	y, want, inPlace := out[float32](g, "y", n), make([]float32, n), twin(g, "x", x)
	s.ScaleShift(x, z, y, a, b, act)
	s.ScaleShift(inPlace, z, inPlace, a, b, act)
	ref.ScaleShift(x, z, want, a, b, act)
	equal(g, "y", y, want)
	equal(g, "y = x", inPlace, want)
	if z != nil {
		inPlace = twin(g, "z", z)
		s.ScaleShift(x, inPlace, inPlace, a, b, act)
		equal(g, "y = z", inPlace, want)
	}
}

func actBackward(g *gen, s, ref *kernel.Set) {
	y, act := g.specials("y", g.length()), g.act()
	dy := g.floats("dy", len(y))
	dx, want, inPlace := out[float32](g, "dx", len(y)), make([]float32, len(y)), twin(g, "dy", dy)
	s.ActBackward(y, dy, dx, act)
	s.ActBackward(y, inPlace, inPlace, act)
	ref.ActBackward(y, dy, want, act)
	equal(g, "dx", dx, want)
	equal(g, "dx = dy", inPlace, want)
}

func add(g *gen, s, ref *kernel.Set) {
	a, act := g.specials("a", g.length()), g.act()
	b := g.specials("b", len(a))
	y, want, inPlace := out[float32](g, "y", len(a)), make([]float32, len(a)), twin(g, "a", a)
	s.Add(a, b, y, act)
	s.Add(inPlace, b, inPlace, act)
	ref.Add(a, b, want, act)
	equal(g, "y", y, want)
	equal(g, "y = a", inPlace, want)
}

func addTo(g *gen, s, ref *kernel.Set) {
	x := g.specials("x", g.length())
	before := g.specials("y", len(x))
	y, want := twin(g, "y", before), append([]float32(nil), before...)
	s.AddTo(x, y)
	ref.AddTo(x, want)
	equal(g, "y", y, want)
}

func sgd(g *gen, s, ref *kernel.Set) {
	n := g.length()
	w0, d, v0 := g.floats("w", n), g.floats("g", n), g.floats("v", n)
	lr, momentum, decay, nesterov := g.float(), g.float(), g.float(), g.one(2)
	w, v := twin(g, "w", w0), twin(g, "v", v0)
	s.SGD(w, d, v, lr, momentum, decay, nesterov)
	wantW, wantV := append([]float32(nil), w0...), append([]float32(nil), v0...)
	ref.SGD(wantW, d, wantV, lr, momentum, decay, nesterov)
	equal(g, "w", w, wantW)
	equal(g, "v", v, wantV)
}
