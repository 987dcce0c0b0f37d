package kerneltest

import (
	"fmt"

	"qpipe/ops/kernel"
)

func (g *gen) specials(what string, n int) []float32 {
	return in(g, what, n, func(int) float32 { return g.special() })
}

// mixed draws ordinary values, or special ones among them.
func (g *gen) mixed(what string, n int) []float32 {
	if g.one(2) {
		return g.specials(what, n)
	}
	return g.floats(what, n)
}

func minMax(g *gen, s, ref *kernel.Set) {
	x := g.mixed("x", g.length())
	lo, hi := s.MinMax(x)
	wantLo, wantHi := ref.MinMax(x)
	equal(g, "lo, hi", []float32{lo, hi}, []float32{wantLo, wantHi})
}

func finite(g *gen, s, ref *kernel.Set) {
	x := g.floats("x", g.length())
	if len(x) > 0 && g.one(2) {
		at := g.intn(0, len(x)-1)
		x = in(g, "x", len(x), func(i int) float32 {
			if i == at {
				return g.special()
			}
			return 3e38 * g.float()
		})
	}
	if got, want := s.Finite(x), ref.Finite(x); got != want {
		g.errorf("of %d values: %v, want %v", len(x), got, want)
	}
}

// sums makes float64 accumulators with something in them.
func (g *gen) sums(c int) []float64 {
	return in(g, "sums", c, func(int) float64 { return float64(g.float()) })
}

func channelStats(g *gen, s, ref *kernel.Set) {
	c, n := g.rows()
	x, sum0, lo0, hi0 := g.mixed("x", n), g.sums(c), g.floats("lo", c), g.floats("hi", c)
	if g.one(3) {
		lo0, hi0 = g.specials("lo", c), g.specials("hi", c)
	}
	sum, sq, lo, hi := twin(g, "sum", sum0), twin(g, "sq", sum0), twin(g, "lo", lo0), twin(g, "hi", hi0)
	wantSum, wantSq, wantLo, wantHi := wanted(sum), wanted(sq), wanted(lo), wanted(hi)
	s.ChannelStats(x, sum, sq, lo, hi)
	ref.ChannelStats(x, wantSum, wantSq, wantLo, wantHi)
	g.detail = fmt.Sprintf("%d channels", c)
	equal(g, "sum", sum, wantSum)
	equal(g, "sq", sq, wantSq)
	equal(g, "lo", lo, wantLo)
	equal(g, "hi", hi, wantHi)
}

func channelRange(g *gen, s, ref *kernel.Set) {
	c, n := g.rows()
	acc, start := in(g, "acc", n, func(int) int32 { return g.int32() }), in(g, "start", c, func(int) int32 { return g.int32() })
	lo, hi := twin(g, "lo", start), twin(g, "hi", start)
	wantLo, wantHi := wanted(lo), wanted(hi)
	s.ChannelRange(acc, lo, hi)
	ref.ChannelRange(acc, wantLo, wantHi)
	g.detail = fmt.Sprintf("%d channels", c)
	equal(g, "lo", lo, wantLo)
	equal(g, "hi", hi, wantHi)
}

// operand draws an added operand: none, values or codes.
func (g *gen) operand(n int) kernel.Operand {
	switch g.intn(0, 2) {
	case 0:
		return kernel.Operand{F: g.mixed("z", n)}
	case 1:
		return kernel.Operand{Q: g.codes("z", n), Zero: g.zero(), Scale: []float32{g.float(), g.special()}[g.intn(0, 1)]}
	}
	return kernel.Operand{}
}

// affineCase is what the Affine kernels have in common.
func (g *gen) affineCase() (x []float32, z kernel.Operand, a, b []float32, act kernel.Act) {
	c, n := g.rows()
	act = g.act()
	x, z, a, b = g.mixed("x", n), g.operand(n), in(g, "a", c, func(int) float32 { return 8 * g.float() }), g.mixed("b", c)
	g.detail = fmt.Sprintf("%d channels, %v, z with values %v, codes %v (zero %d, scale %g)", c, act, z.F != nil, z.Q != nil, z.Zero, z.Scale)
	return x, z, a, b, act
}

func affine(g *gen, s, ref *kernel.Set) {
	x, z, a, b, act := g.affineCase()
	y, mask, inPlace := out[float32](g, "y", len(x)), g.mask(len(x)), twin(g, "x", x)
	want, wantMask := wanted(y), wanted(mask)
	s.Affine(x, z, y, mask, a, b, act)
	ref.Affine(x, z, want, wantMask, a, b, act)
	equal(g, "y", y, want)
	equal(g, "mask", mask, wantMask)
	s.Affine(inPlace, z, inPlace, mask, a, b, act)
	equal(g, "y = x", inPlace, want)
	equal(g, "mask, y = x", mask, wantMask)
	if z.F != nil {
		inPlace = twin(g, "z", z.F)
		s.Affine(x, kernel.Operand{F: inPlace}, inPlace, mask, a, b, act)
		equal(g, "y = z", inPlace, want)
		equal(g, "mask, y = z", mask, wantMask)
	}
}

func affineQuant(g *gen, s, ref *kernel.Set) {
	x, z, a, b, act := g.affineCase()
	q := g.broken()
	g.detail += fmt.Sprintf(", %+v", q)
	y, mask := out[uint8](g, "y", len(x)), g.mask(len(x))
	want, wantMask := wanted(y), wanted(mask)
	s.AffineQuant(x, z, y, mask, a, b, act, q)
	ref.AffineQuant(x, z, want, wantMask, a, b, act, q)
	equal(g, "y", y, want)
	equal(g, "mask", mask, wantMask)
}

func affineRange(g *gen, s, ref *kernel.Set) {
	x, z, a, b, act := g.affineCase()
	lo, hi := s.AffineRange(x, z, a, b, act)
	wantLo, wantHi := ref.AffineRange(x, z, a, b, act)
	equal(g, "lo, hi", []float32{lo, hi}, []float32{wantLo, wantHi})
}

func gateSums(g *gen, s, ref *kernel.Set) {
	c, n := g.rows()
	d, mask, sum0 := g.mixed("g", n), g.bits(n), g.sums(c)
	var x, y, inPlace []float32
	if g.one(2) {
		x = g.mixed("x", n)
	}
	if g.one(2) {
		y, inPlace = out[float32](g, "y", n), twin(g, "g", d)
	}
	sum, prod := twin(g, "sum", sum0), twin(g, "prod", sum0)
	want, wantSum, wantProd := wanted(y), wanted(sum), wanted(prod)
	s.GateSums(d, mask, x, y, sum, prod)
	ref.GateSums(d, mask, x, want, wantSum, wantProd)
	g.detail = fmt.Sprintf("%d channels, with x %v, y %v, mask %v", c, x != nil, y != nil, mask != nil)
	equal(g, "y", y, want)
	equal(g, "sum", sum, wantSum)
	equal(g, "prod", prod, wantProd)
	if y != nil {
		copy(sum, sum0)
		copy(prod, sum0)
		s.GateSums(inPlace, mask, x, inPlace, sum, prod)
		equal(g, "y = g", inPlace, want)
		equal(g, "sum, y = g", sum, wantSum)
		equal(g, "prod, y = g", prod, wantProd)
	}
}

func gateAffine(g *gen, s, ref *kernel.Set) {
	c, n := g.rows()
	d, mask, a, k, l := g.mixed("g", n), g.bits(n), g.mixed("a", c), g.mixed("k", c), g.mixed("l", c)
	var x []float32
	if g.one(2) {
		x = g.mixed("x", n)
	} else if g.one(2) {
		k, l = nil, nil
	}
	y, want, inPlace := out[float32](g, "y", n), make([]float32, n), twin(g, "g", d)
	s.GateAffine(d, mask, x, y, a, k, l)
	s.GateAffine(inPlace, mask, x, inPlace, a, k, l)
	ref.GateAffine(d, mask, x, want, a, k, l)
	g.detail = fmt.Sprintf("%d channels, with x %v, mask %v", c, x != nil, mask != nil)
	equal(g, "y", y, want)
	equal(g, "y = g", inPlace, want)
}

func gate(g *gen, s, ref *kernel.Set) {
	d, add := g.specials("g", g.length()), g.one(2)
	mask, before := g.bits(len(d)), g.specials("y", len(d))
	y, want, inPlace := twin(g, "y", before), wanted(before), twin(g, "g", d)
	s.Gate(d, mask, y, add)
	ref.Gate(d, mask, want, add)
	equal(g, "y", y, want)
	want = wanted(d)
	s.Gate(inPlace, mask, inPlace, add)
	ref.Gate(want, mask, want, add)
	equal(g, "y = g", inPlace, want)
}

func addTo(g *gen, s, ref *kernel.Set) {
	x := g.specials("x", g.length())
	before := g.specials("y", len(x))
	y, want := twin(g, "y", before), wanted(before)
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
	wantW, wantV := wanted(w0), wanted(v0)
	ref.SGD(wantW, d, wantV, lr, momentum, decay, nesterov)
	equal(g, "w", w, wantW)
	equal(g, "v", v, wantV)
}
