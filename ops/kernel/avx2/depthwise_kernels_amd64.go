package avx2

import "qpipe/ops/kernel/depthwise"

// depthwiseKernels are the kernels of convolutions where each channel has its own filter.
func depthwiseKernels() depthwise.Kernels {
	return depthwise.Kernels{
		Lanes: 8,
		Rows:  [...]depthwise.Row{depthwiseRow1s1, depthwiseRow2s1, depthwiseRow3s1, depthwiseRow3s2, depthwiseRow5s1, depthwiseRow5s2},
		Grads: [...]depthwise.Grad{depthwiseGrad1s1, depthwiseGrad2s1, depthwiseGrad3s1, depthwiseGrad3s2, depthwiseGrad5s1, depthwiseGrad5s2},
		Widen: depthwiseWiden,

		Nines:     [...]depthwise.Nine[float32]{depthwiseNine1, depthwiseNine2},
		NineCodes: [...]depthwise.Nine[uint8]{depthwiseNine1Codes, depthwiseNine2Codes},
		NineAdd:   depthwiseNineAdd,

		Taps8: depthwiseTaps8,
	}
}
