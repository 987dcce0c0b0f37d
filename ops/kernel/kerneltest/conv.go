package kerneltest

import (
	"fmt"

	"qpipe/ops/kernel"
)

func (g *gen) floats(what string, n int) []float32 {
	return in(g, what, n, func(int) float32 { return g.float() })
}

func (g *gen) codes(what string, n int) []uint8 {
	return in(g, what, n, func(int) uint8 { return g.code() })
}

// packed lets a set pack weights into exactly size elements, a piece at a time, or
// whole, and returns them as an input.
func packed[T element](g *gen, n, size, block, groups int, cut bool, pack func(to []T, lo, hi int)) []T {
	to := out[T](g, "packed", size)
	if cut {
		g.pieces(n, block, groups, func(lo, hi int) { pack(to, lo, hi) })
	} else {
		pack(to, 0, n)
	}
	return in(g, "packed", size, func(i int) T { return to[i] })
}

// disjoint packs each piece into a buffer of its own, and merges them. Pieces may be packed at the same time, so no two
// may write the same element, and the result must be the same as when everything is packed at once.
func disjoint[T element](g *gen, n, size, block, groups int, pack func(to []T, lo, hi int)) {
	whole, merged := packed(g, n, size, block, groups, false, pack), out[T](g, "packed", size)
	g.pieces(n, block, groups, func(lo, hi int) {
		part := out[T](g, "packed", size)
		pack(part, lo, hi)
		for i, v := range part {
			if bitsOf(v) == bitsOf(guard[T]()) {
				continue
			}
			if bitsOf(merged[i]) != bitsOf(guard[T]()) {
				g.errorf("packed: element %d of %d is written for the channels %d to %d and for others", i, size, lo, hi)
				return
			}
			merged[i] = v
		}
	})
	sameBytes(g, "packed", merged, whole)
}

// confined requires that got is unchanged outside of a range, and inside equals the result of the whole computation.
func confined[T element](g *gen, what string, got, before, whole []T, inside func(i int) bool) {
	for i := range got {
		want := before[i]
		if inside(i) {
			want = whole[i]
		}
		if bitsOf(got[i]) != bitsOf(want) {
			g.errorf("%s: element %d of %d is %v, want %v: it is in the range: %v", what, i, len(got), got[i], want, inside(i))
			return
		}
	}
}

// part draws one range of rows and of channels, and a function that says which elements are in it.
func (g *gen) part(p *kernel.Conv, block int) (r0, r1, o0, o1 int, inside func(i int) bool) {
	r0 = g.intn(0, p.Rows()-1)
	r1, o1 = g.intn(r0, p.Rows()), p.OutC
	if p.Groups == 1 {
		blocks := (p.OutC + block - 1) / block
		o0 = g.intn(0, blocks-1)
		o1 = min(g.intn(o0, blocks)*block, p.OutC)
		o0 *= block
	}
	return r0, r1, o0, o1, func(i int) bool {
		r, o := i/(p.OW*p.OutC), i%p.OutC
		return r0 <= r && r < r1 && o0 <= o && o < o1
	}
}

// parts calls f for ranges of rows and of channels that cover a result.
func (g *gen) parts(p *kernel.Conv, block int, f func(r0, r1, o0, o1 int)) {
	g.ranges(p.Rows(), func(r0, r1 int) {
		g.pieces(p.OutC, block, p.Groups, func(o0, o1 int) { f(r0, r1, o0, o1) })
	})
}

func convPack(g *gen, s, _ *kernel.Set) {
	p := g.conv()
	w := g.floats("w", p.WeightLen())
	disjoint(g, p.OutC, s.Conv(p).PackSize(p), s.Block, p.Groups, func(to []float32, lo, hi int) { s.Conv(p).Pack(p, w, to, lo, hi) })
}

func convForward(g *gen, s, ref *kernel.Set) {
	p := g.conv()
	x, w := g.floats("x", xLen(p)), g.floats("w", p.WeightLen())
	weights := packed(g, p.OutC, s.Conv(p).PackSize(p), s.Block, p.Groups, g.one(2), func(to []float32, lo, hi int) { s.Conv(p).Pack(p, w, to, lo, hi) })
	whole, cut := out[float32](g, "y", yLen(p)), out[float32](g, "y", yLen(p))
	scratch := g.scratch(s.Conv(p).ForwardRoom(p))
	s.Conv(p).Forward(p, x, weights, whole, scratch, 0, p.Rows(), 0, p.OutC)
	g.parts(p, s.Block, func(r0, r1, o0, o1 int) {
		dirty(scratch)
		s.Conv(p).Forward(p, x, weights, cut, scratch, r0, r1, o0, o1)
	})
	want, size := make([]float32, yLen(p)), make([]float32, yLen(p))
	ref.Conv(p).Forward(p, x, w, want, nil, 0, p.Rows(), 0, p.OutC)
	ref.Conv(p).Forward(p, abs(x), abs(w), size, nil, 0, p.Rows(), 0, p.OutC)
	near(g, "y", whole, want, func(i int) float64 { return sumBound(p.K(), size[i]) })
	sameBytes(g, "y", cut, whole)
	r0, r1, o0, o1, inside := g.part(p, s.Block)
	alone := out[float32](g, "y", yLen(p))
	before := wanted(alone)
	s.Conv(p).Forward(p, x, weights, alone, scratch, r0, r1, o0, o1)
	confined(g, "y of a range", alone, before, whole, inside)
}

func convDataPack(g *gen, s, _ *kernel.Set) {
	p := g.conv()
	w := g.floats("w", p.WeightLen())
	disjoint(g, p.C, s.Conv(p).DataPackSize(p), s.Block, p.Groups, func(to []float32, lo, hi int) { s.Conv(p).DataPack(p, w, to, lo, hi) })
}

func convBackwardData(g *gen, s, ref *kernel.Set) {
	p, add := g.conv(), g.one(3)
	dy, w, before := g.floats("dy", yLen(p)), g.floats("w", p.WeightLen()), g.floats("dx", xLen(p))
	weights := packed(g, p.C, s.Conv(p).DataPackSize(p), s.Block, p.Groups, g.one(2), func(to []float32, lo, hi int) { s.Conv(p).DataPack(p, w, to, lo, hi) })
	whole, cut := out[float32](g, "dx", xLen(p)), out[float32](g, "dx", xLen(p))
	if add {
		copy(whole, before)
		copy(cut, before)
	}
	scratch := g.scratch(s.Conv(p).BackwardDataRoom(p))
	s.Conv(p).BackwardData(p, dy, weights, whole, add, scratch, 0, p.InRows())
	g.ranges(p.InRows(), func(lo, hi int) {
		dirty(scratch)
		s.Conv(p).BackwardData(p, dy, weights, cut, add, scratch, lo, hi)
	})
	want, size := wanted(before), abs(before)
	ref.Conv(p).BackwardData(p, dy, w, want, add, nil, 0, p.InRows())
	ref.Conv(p).BackwardData(p, abs(dy), abs(w), size, add, nil, 0, p.InRows())
	near(g, "dx", whole, want, func(i int) float64 { return sumBound(p.KH*p.KW*p.OutC/p.Groups+1, size[i]) })
	sameBytes(g, "dx", cut, whole)
	alone := out[float32](g, "dx", xLen(p))
	if add {
		copy(alone, before)
	}
	before, r0 := wanted(alone), g.intn(0, p.InRows()-1)
	r1 := g.intn(r0, p.InRows())
	s.Conv(p).BackwardData(p, dy, weights, alone, add, scratch, r0, r1)
	confined(g, "dx of a range", alone, before, whole, func(i int) bool { return r0*p.W*p.C <= i && i < r1*p.W*p.C })
	g.detail = fmt.Sprintf("%+v, add %v", *p, add)
}

func convBackwardWeights(g *gen, s, ref *kernel.Set) {
	p := g.conv()
	x, dy, before := kernel.Operand{F: g.floats("x", xLen(p))}, g.floats("dy", yLen(p)), g.floats("dw", p.WeightLen())
	size := kernel.Operand{F: abs(x.F)}
	if g.one(2) {
		x = kernel.Operand{Q: g.codes("x", xLen(p)), Zero: g.zero(), Scale: g.float()}
		for i, q := range x.Q {
			size.F[i] = float32(max(int32(q)-x.Zero, x.Zero-int32(q)))
		}
	}
	n0 := g.intn(0, p.N-1)
	n1 := g.intn(n0, p.N)
	if g.one(2) {
		n0, n1 = 0, p.N
	}
	whole, cut := twin(g, "dw", before), twin(g, "dw", before)
	scratch := g.scratch(s.Conv(p).BackwardWeightsRoom(p))
	s.Conv(p).BackwardWeights(p, x, dy, whole, scratch, n0, n1, 0, p.OutC)
	g.ranges(p.OutC, func(lo, hi int) {
		dirty(scratch)
		s.Conv(p).BackwardWeights(p, x, dy, cut, scratch, n0, n1, lo, hi)
	})
	want, bound := wanted(before), abs(before)
	ref.Conv(p).BackwardWeights(p, x, dy, want, nil, n0, n1, 0, p.OutC)
	ref.Conv(p).BackwardWeights(p, size, abs(dy), bound, nil, n0, n1, 0, p.OutC)
	near(g, "dw", whole, want, func(i int) float64 { return sumBound((n1-n0)*p.OH*p.OW+1, bound[i]) })
	sameBytes(g, "dw", cut, whole)
	g.detail = fmt.Sprintf("%+v, images %d to %d, codes %v", *p, n0, n1, x.Q != nil)
}
