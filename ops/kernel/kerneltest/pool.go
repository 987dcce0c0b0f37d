package kerneltest

import (
	"fmt"
	"math"

	"qpipe/ops/kernel"
)

func (g *gen) pool() *kernel.Pool {
	p := &kernel.Pool{
		N: g.intn(1, 3), H: g.intn(1, 9), W: g.intn(1, 9), C: []int{g.intn(1, 19), g.intn(1, 80), 16 * g.intn(1, 9)}[g.intn(0, 2)],
		KH: g.intn(1, 4), KW: g.intn(1, 4), StrideH: g.intn(1, 3), StrideW: g.intn(1, 3), CountPad: g.one(2),
	}
	if g.one(3) { // global
		p.KH, p.KW = p.H, p.W
	}
	p.PadTop, p.PadLeft = g.intn(0, p.KH/2), g.intn(0, p.KW/2)
	bottom, right := g.behind(p.PadTop, p.KH), g.behind(p.PadLeft, p.KW)
	p.OH = max(p.H+p.PadTop+bottom-p.KH, 0)/p.StrideH + 1
	p.OW = max(p.W+p.PadLeft+right-p.KW, 0)/p.StrideW + 1
	if p.CountPad && g.one(2) { // as in ceil mode
		behindH, behindW := (p.OH-1)*p.StrideH+p.KH-p.PadTop-p.H, (p.OW-1)*p.StrideW+p.KW-p.PadLeft-p.W
		p.OverhangH, p.OverhangW = g.intn(0, max(min(p.StrideH-1, p.KH-1, behindH), 0)), g.intn(0, max(min(p.StrideW-1, p.KW-1, behindW), 0))
	}
	g.detail = fmt.Sprintf("%+v", *p)
	return p
}

// dilated is a pool that may have a dilation.
func (g *gen) dilated() *kernel.Pool {
	p := g.pool()
	if g.one(3) {
		p.DilationH, p.DilationW = g.intn(0, 3), g.intn(0, 3)
		g.detail = fmt.Sprintf("%+v", *p)
	}
	return p
}

func poolLens(p *kernel.Pool) (x, y int) { return p.N * p.H * p.W * p.C, p.N * p.OH * p.OW * p.C }

// fewFloats draws from few values, so that maxima tie, and some NaN.
func (g *gen) fewFloats(what string, n int) []float32 {
	nans := g.one(3)
	return in(g, what, n, func(int) float32 {
		if nans && g.one(9) {
			return float32(math.NaN())
		}
		return float32(g.intn(-3, 3))
	})
}

func maxPool(g *gen, s, ref *kernel.Set) {
	p := g.dilated()
	nx, ny := poolLens(p)
	x := g.fewFloats("x", nx)
	y, index := out[float32](g, "y", ny), out[int32](g, "index", ny)
	g.ranges(p.N*p.OH, func(lo, hi int) { s.MaxPool(p, x, y, index, lo, hi) })
	wantY, wantIndex := make([]float32, ny), make([]int32, ny)
	ref.MaxPool(p, x, wantY, wantIndex, 0, p.N*p.OH)
	equal(g, "y", y, wantY)
	equal(g, "index", index, wantIndex)
}

func maxPoolBackward(g *gen, s, ref *kernel.Set) {
	p := g.dilated()
	nx, ny := poolLens(p)
	x, dy := g.fewFloats("x", nx), g.floats("dy", ny)
	y, index := make([]float32, ny), make([]int32, ny)
	ref.MaxPool(p, x, y, index, 0, p.N*p.OH)
	dx, want := out[float32](g, "dx", nx), make([]float32, nx)
	g.ranges(p.N, func(lo, hi int) { s.MaxPoolBackward(p, dy, index, dx, lo, hi) })
	ref.MaxPoolBackward(p, dy, index, want, 0, p.N)
	equal(g, "dx", dx, want)
}

func maxPoolInt8(g *gen, s, ref *kernel.Set) {
	p := g.dilated()
	nx, ny := poolLens(p)
	x := g.codes("x", nx)
	if g.one(2) { // so that maxima tie, and are 0
		x = in(g, "x", nx, func(int) uint8 { return uint8(max(g.intn(-3, 3), 0)) })
	}
	y, want := out[uint8](g, "y", ny), make([]uint8, ny)
	var index, wantIndex []int32
	if g.one(2) {
		index, wantIndex = out[int32](g, "index", ny), make([]int32, ny)
	}
	g.ranges(p.N*p.OH, func(lo, hi int) { s.MaxPoolInt8(p, x, y, index, lo, hi) })
	ref.MaxPoolInt8(p, x, want, wantIndex, 0, p.N*p.OH)
	equal(g, "y", y, want)
	equal(g, "index", index, wantIndex)
}

func avgPool(g *gen, s, ref *kernel.Set) {
	p := g.pool()
	nx, ny := poolLens(p)
	x, whole, cut := g.floats("x", nx), out[float32](g, "y", ny), out[float32](g, "y", ny)
	s.AvgPool(p, x, whole, 0, p.N*p.OH)
	g.ranges(p.N*p.OH, func(lo, hi int) { s.AvgPool(p, x, cut, lo, hi) })
	want, size := make([]float32, ny), make([]float32, ny)
	ref.AvgPool(p, x, want, 0, p.N*p.OH)
	ref.AvgPool(p, abs(x), size, 0, p.N*p.OH)
	near(g, "y", whole, want, func(i int) float64 { return sumBound(p.KH*p.KW, size[i]) })
	sameBytes(g, "y", cut, whole)
}

func avgPoolBackward(g *gen, s, ref *kernel.Set) {
	p := g.pool()
	nx, ny := poolLens(p)
	dy, whole, cut := g.floats("dy", ny), out[float32](g, "dx", nx), out[float32](g, "dx", nx)
	s.AvgPoolBackward(p, dy, whole, 0, p.N)
	g.ranges(p.N, func(lo, hi int) { s.AvgPoolBackward(p, dy, cut, lo, hi) })
	want, size := make([]float32, nx), make([]float32, nx)
	ref.AvgPoolBackward(p, dy, want, 0, p.N)
	ref.AvgPoolBackward(p, abs(dy), size, 0, p.N)
	near(g, "dx", whole, want, func(i int) float64 { return sumBound(2*p.KH*p.KW, size[i]) })
	sameBytes(g, "dx", cut, whole)
}

func sumPoolInt8(g *gen, s, ref *kernel.Set) {
	p := g.pool()
	nx, ny := poolLens(p)
	x, zero := g.codes("x", nx), g.zero()
	acc, want := out[int32](g, "acc", ny), make([]int32, ny)
	g.ranges(p.N*p.OH, func(lo, hi int) { s.SumPoolInt8(p, x, zero, acc, lo, hi) })
	ref.SumPoolInt8(p, x, zero, want, 0, p.N*p.OH)
	equal(g, "acc", acc, want)
}
