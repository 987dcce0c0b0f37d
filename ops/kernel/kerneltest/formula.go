package kerneltest

import (
	"math"

	"qpipe/ops/kernel"
	"qpipe/ops/kernel/formula"
)

// formulas are every operation on its own, so that its limits are tried.
func formulas() []*formula.Formula {
	type number = formula.Number
	var list []*formula.Formula
	for _, of := range []func(x *number) *number{
		(*number).Exp,
		(*number).Expm1,
		func(x *number) *number { return x.Sub(formula.Const(3)).Choose(x, formula.Const(math.Inf(1))) },
		func(x *number) *number { return formula.Const(1).Div(x.Neg().Exp().Add(formula.Const(1))) },
		func(x *number) *number { return x.Mul(x).Mul(x).Mul(x).Mul(x).Exp() }, // an exponent with all its bits
		func(x *number) *number { return formula.Const(-709).Max(x).Min(formula.Const(1e300)) },
	} {
		list = append(list, formula.New(of))
	}
	return list
}

// formula draws a function: operations of x, constants and what was computed before.
func (g *gen) formula() *formula.Formula {
	if list := formulas(); g.one(2) {
		return list[g.intn(0, len(list)-1)]
	}
	return formula.New(func(x *formula.Number) *formula.Number {
		list := []*formula.Number{x, x}
		for range g.intn(1, 12) {
			any := func() *formula.Number {
				if g.one(3) {
					return formula.Const(float64(g.special()))
				}
				return list[g.intn(max(0, len(list)-4), len(list)-1)]
			}
			a := list[len(list)-1]
			list = append(list, []func() *formula.Number{
				func() *formula.Number { return a.Add(any()) },
				func() *formula.Number { return any().Sub(a) },
				func() *formula.Number { return a.Mul(any()) },
				func() *formula.Number { return any().Div(a) },
				func() *formula.Number { return a.Max(any()) },
				func() *formula.Number { return any().Min(a) },
				func() *formula.Number { return a.MulAdd(any(), any()) },
				func() *formula.Number { return a.Choose(any(), any()) },
				func() *formula.Number { return any().Choose(a, any()) },
				a.Exp,
				a.Expm1,
			}[g.intn(0, 10)]())
		}
		return list[len(list)-1]
	})
}

// edge is a value near one where an exponential changes, or any float32.
func (g *gen) edge() float32 {
	v := []float32{709, -708, 710, 745, -745, 88.72284, 88.72283, -87.33655, -103.97208, 104, 0x1p-10, 0.34657359, 1.0397208, 0, 2.5}
	switch g.intn(0, 2) {
	case 0:
		return math.Float32frombits(math.Float32bits(v[g.intn(0, len(v)-1)]) + uint32(g.intn(0, 4)) - 2)
	case 1:
		return math.Float32frombits(uint32(g.seed.Next()))
	}
	return 100 * g.float()
}

func formulaSteps(g *gen, s, ref *kernel.Set) {
	f, n := g.formula(), g.length()
	x := g.mixed("x", n)
	if g.one(2) {
		x = in(g, "x", n, func(int) float32 { return g.edge() })
	}
	room := kernel.Room{F64: f.Room()}
	y, want, inPlace, scratch := out[float32](g, "y", n), make([]float32, n), twin(g, "x", x), g.scratch(room)
	s.Formula(f, x, nil, y, scratch)
	ref.Formula(f, x, nil, want, room.Make())
	equal(g, "y", y, want)
	dirty(scratch)
	s.Formula(f, inPlace, nil, inPlace, scratch)
	equal(g, "y = x", inPlace, want)
	d := g.mixed("g", n)
	inPlace = twin(g, "g", d)
	s.Formula(f, x, d, y, scratch)
	ref.Formula(f, x, d, want, room.Make())
	equal(g, "y with g", y, want)
	s.Formula(f, x, inPlace, inPlace, scratch)
	equal(g, "y = g", inPlace, want)
}
