package portable

import "qpipe/ops/kernel"

// ConvPack copies the weights; those of a depthwise convolution are turned to [taps][C].
func ConvPack(p *kernel.Conv, w, packed []float32, o0, o1 int) {
	if p.Depthwise() {
		transpose(w, p.KH*p.KW, packed, p.C, p.C, p.KH*p.KW)
		return
	}
	copy(packed[o0*p.K():], w[o0*p.K():o1*p.K()])
}

// ConvForward is ref.ConvForward with float32 sums in the order of the weights.
func ConvForward(p *kernel.Conv, x, packed, y []float32, s *kernel.Scratch, r0, r1, o0, o1 int) {
	if p.Depthwise() {
		depthwiseForward(p, x, packed, y, r0, r1)
		return
	}
	k, cg, og := p.K(), p.C/p.Groups, p.OutC/p.Groups
	for g := o0 / og; g*og < o1; g++ {
		lo, hi := max(o0, g*og), min(o1, (g+1)*og)
		weights, out := packed[lo*k:hi*k], y[lo:]
		if direct(p) {
			lda := k * p.Groups
			if r0 < r1 {
				dot(x[r0*p.OW*lda+g*cg:], lda, weights, k, out[r0*p.OW*p.OutC:], p.OutC, (r1-r0)*p.OW, hi-lo, k)
			}
			continue
		}
		tile := tilePixels(k)
		for p0 := r0 * p.OW; p0 < r1*p.OW; p0 += tile {
			p1 := min(p0+tile, r1*p.OW)
			unroll(p, x, 0, s.F32, g, p0, p1)
			dot(s.F32, k, weights, k, out[p0*p.OutC:], p.OutC, p1-p0, hi-lo, k)
		}
	}
}

// ConvForwardRoom is the room for a tile of patches.
func ConvForwardRoom(p *kernel.Conv) kernel.Room {
	if p.Depthwise() || direct(p) {
		return kernel.Room{}
	}
	return kernel.Room{F32: tilePixels(p.K()) * p.K()}
}
