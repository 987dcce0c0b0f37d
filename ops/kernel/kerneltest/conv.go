package kerneltest

import (
	"fmt"

	"qpipe/ops/kernel"
)

// conv draws a geometry: ordinary ones, and now and then a linear layer, a
// pointwise or a depthwise convolution.
func (g *gen) conv() *kernel.Conv {
	for {
		p := &kernel.Conv{
			N: g.intn(1, 3), H: g.intn(1, 9), W: g.intn(1, 11),
			KH: g.intn(1, 4), KW: g.intn(1, 4), StrideH: g.intn(1, 3), StrideW: g.intn(1, 3),
			PadTop: g.intn(0, 3), PadLeft: g.intn(0, 3), DilationH: g.intn(1, 2), DilationW: g.intn(1, 2), Groups: 1,
		}
		cg, og := g.intn(1, 9), g.intn(1, 9)
		switch g.intn(0, 5) {
		case 0: // grouped
			p.Groups = g.intn(2, 3)
		case 1: // depthwise, now and then with a multiplier
			p.Groups, cg, og = g.intn(2, 19), 1, 1
			if g.one(4) {
				og = 2
			}
		case 2: // pointwise
			p.KH, p.KW, p.StrideH, p.StrideW, p.PadTop, p.PadLeft = 1, 1, 1, 1, 0, 0
		case 3: // linear
			p.KH, p.KW, p.PadTop, p.PadLeft, p.DilationH, p.DilationW = p.H, p.W, 0, 0, 1, 1
		}
		p.C, p.OutC = cg*p.Groups, og*p.Groups
		bottom, right := g.intn(0, p.PadTop), g.intn(0, p.PadLeft)
		p.OH = (p.H+p.PadTop+bottom-p.DilationH*(p.KH-1)-1)/p.StrideH + 1
		p.OW = (p.W+p.PadLeft+right-p.DilationW*(p.KW-1)-1)/p.StrideW + 1
		if p.H+p.PadTop+bottom > p.DilationH*(p.KH-1) && p.W+p.PadLeft+right > p.DilationW*(p.KW-1) {
			g.detail = fmt.Sprintf("%+v", *p)
			return p
		}
	}
}

func (g *gen) floats(what string, n int) []float32 {
	return in(g, what, n, func(int) float32 { return g.float() })
}

func (g *gen) codes(what string, n int) []int8 {
	return in(g, what, n, func(int) int8 { return g.int8() })
}

func xLen(p *kernel.Conv) int { return p.N * p.H * p.W * p.C }
func yLen(p *kernel.Conv) int { return p.N * p.OH * p.OW * p.OutC }

func convForward(g *gen, s, ref *kernel.Set) {
	p := g.conv()
	x, w := g.floats("x", xLen(p)), g.floats("w", p.WeightLen())
	whole, cut := out[float32](g, "y", yLen(p)), out[float32](g, "y", yLen(p))
	scratch := out[float32](g, "scratch", s.ConvForwardSize(p))
	s.ConvForward(p, x, w, whole, scratch, 0, p.Rows())
	g.ranges(p.Rows(), func(lo, hi int) { s.ConvForward(p, x, w, cut, scratch, lo, hi) })
	want, size := make([]float32, yLen(p)), make([]float32, yLen(p))
	ref.ConvForward(p, x, w, want, nil, 0, p.Rows())
	ref.ConvForward(p, abs(x), abs(w), size, nil, 0, p.Rows())
	near(g, "y", whole, want, func(i int) float64 { return sumBound(p.K(), size[i]) })
	sameBytes(g, "y", cut, whole)
}

func convBackwardData(g *gen, s, ref *kernel.Set) {
	p := g.conv()
	dy, w := g.floats("dy", yLen(p)), g.floats("w", p.WeightLen())
	whole, cut := out[float32](g, "dx", xLen(p)), out[float32](g, "dx", xLen(p))
	scratch := out[float32](g, "scratch", s.ConvBackwardDataSize(p))
	s.ConvBackwardData(p, dy, w, whole, scratch, 0, p.InRows())
	g.ranges(p.InRows(), func(lo, hi int) { s.ConvBackwardData(p, dy, w, cut, scratch, lo, hi) })
	want, size := make([]float32, xLen(p)), make([]float32, xLen(p))
	ref.ConvBackwardData(p, dy, w, want, nil, 0, p.InRows())
	ref.ConvBackwardData(p, abs(dy), abs(w), size, nil, 0, p.InRows())
	near(g, "dx", whole, want, func(i int) float64 { return sumBound(p.KH*p.KW*p.OutC/p.Groups, size[i]) })
	sameBytes(g, "dx", cut, whole)
}

func convBackwardWeights(g *gen, s, ref *kernel.Set) {
	p := g.conv()
	x, dy, before := g.floats("x", xLen(p)), g.floats("dy", yLen(p)), g.floats("dw", p.WeightLen())
	n0 := g.intn(0, p.N-1)
	n1 := g.intn(n0, p.N)
	whole, cut := twin(g, "dw", before), twin(g, "dw", before)
	scratch := out[float32](g, "scratch", s.ConvBackwardWeightsSize(p))
	s.ConvBackwardWeights(p, x, dy, whole, scratch, n0, n1, 0, p.OutC)
	g.ranges(p.OutC, func(lo, hi int) { s.ConvBackwardWeights(p, x, dy, cut, scratch, n0, n1, lo, hi) })
	want, size := append([]float32(nil), before...), abs(before)
	ref.ConvBackwardWeights(p, x, dy, want, nil, n0, n1, 0, p.OutC)
	ref.ConvBackwardWeights(p, abs(x), abs(dy), size, nil, n0, n1, 0, p.OutC)
	near(g, "dw", whole, want, func(i int) float64 { return sumBound((n1-n0)*p.OH*p.OW+1, size[i]) })
	sameBytes(g, "dw", cut, whole)
	g.detail = fmt.Sprintf("%+v, images %d to %d", *p, n0, n1)
}

func convInt8(g *gen, s, ref *kernel.Set) {
	p := g.conv()
	x, w, zero := g.codes("x", xLen(p)), g.codes("w", p.WeightLen()), int32(0)
	if g.one(2) {
		zero = int32(g.int8())
	}
	whole, cut := out[int32](g, "acc", yLen(p)), out[int32](g, "acc", yLen(p))
	scratch := out[byte](g, "scratch", s.ConvInt8Size(p))
	s.ConvInt8(p, x, zero, w, whole, scratch, 0, p.Rows())
	g.ranges(p.Rows(), func(lo, hi int) { s.ConvInt8(p, x, zero, w, cut, scratch, lo, hi) })
	want := make([]int32, yLen(p))
	ref.ConvInt8(p, x, zero, w, want, nil, 0, p.Rows())
	equal(g, "acc", whole, want)
	equal(g, "acc, cut", cut, want)
	g.detail = fmt.Sprintf("%+v, zero %d", *p, zero)
}
