package kerneltest

import (
	"fmt"

	"qpipe/ops/kernel"
)

// conv draws a geometry of any kind whose kernel fits into the padded image and
// whose work is bounded.
func (g *gen) conv() *kernel.Conv {
	most := []int{150_000, 150_000, 150_000, 1_200_000}[g.intn(0, 3)]
	for {
		p, bottom, right := g.shape()
		p.OH = (p.H+p.PadTop+bottom-p.DilationH*(p.KH-1)-1)/p.StrideH + 1
		p.OW = (p.W+p.PadLeft+right-p.DilationW*(p.KW-1)-1)/p.StrideW + 1
		fits := p.H+p.PadTop+bottom > p.DilationH*(p.KH-1) && p.W+p.PadLeft+right > p.DilationW*(p.KW-1)
		if fits && max(p.Rows()*p.OW, p.InRows()*p.W)*p.OutC*p.K() <= most {
			g.detail = fmt.Sprintf("%+v", *p)
			return p
		}
	}
}

// shape draws the input and the kernel, and how far the padding reaches beyond
// the bottom and the right edge. Half of the shapes are small and odd, the others
// those that a set with vectors has special forms for.
func (g *gen) shape() (p *kernel.Conv, bottom, right int) {
	switch g.intn(0, 15) {
	case 0, 1:
		p = g.wide(3, 1+g.intn(0, 1))
		p.H, p.W = g.intn(1, 12), g.intn(1, 20)
	case 2:
		p = g.wide(1, 1+g.intn(0, 1))
		p.H, p.W = g.intn(1, 12), g.intn(1, 20)
	case 3: // a stem
		p = g.wide([]int{7, 7, 3}[g.intn(0, 2)], 2)
		p.C, p.H, p.W = g.intn(1, 4), g.intn(7, 20), g.intn(7, 40)
		p.PadTop, p.PadLeft = p.KH/2, p.KW/2
	case 4, 5: // depthwise
		p = g.wide(3+2*g.intn(0, 1), 1+g.intn(0, 1))
		p.H, p.W = g.intn(1, 12), g.intn(1, 20)
		p.C = []int{g.intn(2, 140), 16 * g.intn(1, 8), 16*g.intn(1, 8) + 1}[g.intn(0, 2)]
		p.OutC, p.Groups = p.C, p.C
	case 6: // the last maps of a network
		p = g.wide(3, 1+g.intn(0, 1))
		p.N, p.H, p.W = g.intn(1, 17), g.intn(1, 8), g.intn(1, 8)
	case 7: // linear, pointwise on one pixel
		p = g.wide(g.intn(1, 4), 1)
		p.N, p.H, p.W, p.PadTop, p.PadLeft, p.DilationH, p.DilationW = g.intn(1, 17), p.KH, p.KW, 0, 0, 1, 1
	case 8: // grouped
		p = g.wide(3, 1+g.intn(0, 1))
		p.H, p.W = g.intn(1, 12), g.intn(1, 20)
		p.Groups = g.intn(2, 5)
		p.C, p.OutC = []int{2, 4, 8, 16, 20}[g.intn(0, 4)]*p.Groups, []int{1, 2, 3, 8, 16, 17}[g.intn(0, 5)]*p.Groups
	case 9: // long sums
		p = g.wide(3, 1)
		p.C, p.OutC, p.H, p.W = g.intn(100, 220), g.intn(1, 20), g.intn(1, 4), g.intn(1, 4)
	default:
		p = g.small()
	}
	return p, g.behind(p.PadTop, p.KH*p.DilationH), g.behind(p.PadLeft, p.KW*p.DilationW)
}

// behind draws the padding at a far edge: mostly up to that in front, now and then as in a padding that is not
// symmetric, beyond the kernel's reach, too.
func (g *gen) behind(front, reach int) int {
	if g.one(4) {
		return g.intn(0, reach+1)
	}
	return g.intn(0, front)
}

// wide draws channels around the widths of vectors, for a square kernel.
func (g *gen) wide(kernelSize, stride int) *kernel.Conv {
	channels := func() int {
		c := []int{1, 3, 8, 15, 16, 17, 24, 31, 32, 33, 40, 48, 64, 65, 72}
		return c[g.intn(0, len(c)-1)]
	}
	p := &kernel.Conv{
		N: g.intn(1, 2), C: channels(), OutC: channels(), KH: kernelSize, KW: kernelSize, StrideH: stride, StrideW: stride,
		DilationH: 1, DilationW: 1, Groups: 1,
	}
	if !g.one(3) {
		p.PadTop, p.PadLeft = kernelSize/2, kernelSize/2
	}
	if g.one(6) {
		p.DilationH, p.DilationW = 2, 2
	}
	return p
}

// small draws odd sizes, now and then of a linear layer, a pointwise, a grouped or
// a depthwise convolution.
func (g *gen) small() *kernel.Conv {
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
	return p
}

func xLen(p *kernel.Conv) int { return p.N * p.H * p.W * p.C }
func yLen(p *kernel.Conv) int { return p.N * p.OH * p.OW * p.OutC }
