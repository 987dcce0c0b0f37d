package avx2

import "qpipe/ops/kernel/tile"

// depthwise are the kernels of convolutions where each channel has its own filter.
func depthwise() tile.Depthwise {
	return tile.Depthwise{
		Lanes: 8,
		Rows:  [...]tile.DepthwiseRow{depthwiseRow1s1, depthwiseRow2s1, depthwiseRow3s1, depthwiseRow3s2, depthwiseRow5s1, depthwiseRow5s2},
		Grads: [...]tile.DepthwiseGrad{depthwiseGrad1s1, depthwiseGrad2s1, depthwiseGrad3s1, depthwiseGrad3s2, depthwiseGrad5s1, depthwiseGrad5s2},
		Widen: depthwiseWiden,

		Nines:     [...]tile.DepthwiseNine[float32]{depthwiseNine1, depthwiseNine2},
		NineCodes: [...]tile.DepthwiseNine[uint8]{depthwiseNine1Codes, depthwiseNine2Codes},
		NineAdd:   depthwiseNineAdd,

		Taps8: depthwiseTaps8,
	}
}
