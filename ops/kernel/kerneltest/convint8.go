package kerneltest

import (
	"fmt"
	"math"

	"qpipe/ops/kernel"
)

// operands draws the codes and the weights of an integer convolution. Extreme ones
// show a sum that saturates on the way.
func (g *gen) operands(p *kernel.Conv) (x []uint8, w []int8) {
	code, weight := g.code, g.int8
	switch g.intn(0, 3) {
	case 0:
		code = func() uint8 { return uint8(255 * g.intn(0, 1)) }
		weight = func() int8 { return []int8{-128, 127}[g.intn(0, 1)] }
	case 1:
		c, v := []uint8{0, 255}[g.intn(0, 1)], []int8{-128, -127, 127}[g.intn(0, 2)]
		code, weight = func() uint8 { return c }, func() int8 { return v }
	}
	return in(g, "x", xLen(p), func(int) uint8 { return code() }), in(g, "w", p.WeightLen(), func(int) int8 { return weight() })
}

func convInt8Pack(g *gen, s, ref *kernel.Set) {
	p := g.conv()
	_, w := g.operands(p)
	want := make([]int32, p.OutC)
	ref.Conv(p).Int8Pack(p, w, make([]int8, p.WeightLen()), want, 0, p.OutC)
	disjoint(g, p.OutC, s.Conv(p).Int8PackSize(p), s.Block, p.Groups, func(to []int8, lo, hi int) {
		sums := out[int32](g, "sums", p.OutC)
		before := wanted(sums)
		s.Conv(p).Int8Pack(p, w, to, sums, lo, hi)
		confined(g, "sums", sums, before, want, func(o int) bool { return lo <= o && o < hi })
	})
}

// int8Out is an epilogue with room for four results.
func (g *gen) int8Out(p *kernel.Conv) (whole, cut, alone, want *kernel.Int8Out, what string) {
	n := yLen(p)
	q := g.requant(p.OutC)
	if !g.one(4) { // a multiplier that spreads the codes
		f := g.float() * 200 / float32(math.Sqrt(float64(p.K()))*6000)
		q.M = in(g, "m", p.OutC, func(int) float32 { return f * (1 + g.float()) })
	}
	outs := [4]*kernel.Int8Out{{}, {}, {}, {}}
	each := func(f func(o *kernel.Int8Out)) {
		for _, o := range outs {
			f(o)
		}
	}
	switch g.intn(0, 5) {
	case 0:
		what = "Acc"
		each(func(o *kernel.Int8Out) { o.Acc = out[int32](g, "acc", n) })
	case 1:
		what = "F"
		each(func(o *kernel.Int8Out) { o.F = out[float32](g, "y", n) })
	case 2:
		what = "F with a multiplier"
		each(func(o *kernel.Int8Out) { o.F, o.Q = out[float32](g, "y", n), q })
	case 3:
		what = "Y"
		each(func(o *kernel.Int8Out) { o.Y, o.Q = out[uint8](g, "y", n), q })
	case 4:
		what = "Y with Z"
		z := g.codes("z", n)
		each(func(o *kernel.Int8Out) { o.Y, o.Z, o.Q = out[uint8](g, "y", n), z, q })
	case 5:
		what = "Y = Z"
		z := g.codes("z", n)
		each(func(o *kernel.Int8Out) { o.Y, o.Q = twin(g, "y = z", z), q; o.Z = o.Y })
	}
	if outs[0].Q != nil {
		what += fmt.Sprintf(", %+v", *q)
	}
	return outs[0], outs[1], outs[2], outs[3], what
}

func convInt8(g *gen, s, ref *kernel.Set) {
	p := g.conv()
	x, w := g.operands(p)
	pad := uint8(g.zero())
	bias := in(g, "bias", p.OutC, func(int) int32 { return int32(g.seed.Next()) >> g.intn(8, 31) })
	sums := out[int32](g, "sums", p.OutC)
	weights := packed(g, p.OutC, s.Conv(p).Int8PackSize(p), s.Block, p.Groups, g.one(2), func(to []int8, lo, hi int) { s.Conv(p).Int8Pack(p, w, to, sums, lo, hi) })
	whole, cut, alone, want, what := g.int8Out(p)
	g.detail = fmt.Sprintf("%+v, pad %d, %s", *p, pad, what)
	scratch := g.scratch(s.Conv(p).Int8Room(p))
	s.Conv(p).Int8(p, x, pad, weights, bias, whole, scratch, 0, p.Rows(), 0, p.OutC)
	g.parts(p, s.Block, func(r0, r1, o0, o1 int) {
		dirty(scratch)
		s.Conv(p).Int8(p, x, pad, weights, bias, cut, scratch, r0, r1, o0, o1)
	})
	ref.Conv(p).Int8(p, x, pad, w, bias, want, nil, 0, p.Rows(), 0, p.OutC)
	for _, o := range []struct {
		name string
		got  *kernel.Int8Out
	}{{"", whole}, {", cut", cut}} {
		equal(g, "acc"+o.name, o.got.Acc, want.Acc)
		equal(g, "float y"+o.name, o.got.F, want.F)
		equal(g, "y"+o.name, o.got.Y, want.Y)
	}
	r0, r1, o0, o1, inside := g.part(p, s.Block)
	acc, f, y := wanted(alone.Acc), wanted(alone.F), wanted(alone.Y)
	s.Conv(p).Int8(p, x, pad, weights, bias, alone, scratch, r0, r1, o0, o1)
	confined(g, "acc of a range", alone.Acc, acc, whole.Acc, inside)
	confined(g, "float y of a range", alone.F, f, whole.F, inside)
	confined(g, "y of a range", alone.Y, y, whole.Y, inside)
}
