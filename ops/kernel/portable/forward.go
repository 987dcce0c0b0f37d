package portable

import "qpipe/ops/kernel"

// ConvForward is ref.ConvForward with float32 sums in the order of the weights.
func ConvForward(p *kernel.Conv, x, w, y, scratch []float32, r0, r1 int) {
	if depthwise(p) {
		depthwiseForward(p, x, w, y, scratch, r0, r1)
		return
	}
	k, cg, og := p.K(), p.C/p.Groups, p.OutC/p.Groups
	for g := range p.Groups {
		weights, out := w[g*og*k:(g+1)*og*k], y[g*og:]
		if direct(p) {
			lda := k * p.Groups
			dot(x[r0*p.OW*lda+g*cg:], lda, weights, k, out[r0*p.OW*p.OutC:], p.OutC, (r1-r0)*p.OW, og, k)
			continue
		}
		tile := tilePixels(k)
		for p0 := r0 * p.OW; p0 < r1*p.OW; p0 += tile {
			p1 := min(p0+tile, r1*p.OW)
			unroll(p, x, scratch, g, p0, p1)
			dot(scratch, k, weights, k, out[p0*p.OutC:], p.OutC, p1-p0, og, k)
		}
	}
}

// ConvForwardSize is the room for a tile of patches, or for turned weights.
func ConvForwardSize(p *kernel.Conv) int {
	switch {
	case depthwise(p):
		return p.WeightLen()
	case direct(p):
		return 0
	}
	return tilePixels(p.K()) * p.K()
}
