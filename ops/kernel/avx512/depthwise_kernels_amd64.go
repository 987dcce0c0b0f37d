package avx512

import "qpipe/ops/kernel/depthwise"

// depthwiseKernels are the kernels of convolutions where each channel has its own filter.
func depthwiseKernels() depthwise.Kernels {
	return depthwise.Kernels{
		Lanes: 16,
		Rows:  [...]depthwise.Row{depthwiseRow1s1, depthwiseRow2s1, depthwiseRow3s1, depthwiseRow3s2, depthwiseRow5s1, depthwiseRow5s2},
		Grads: [...]depthwise.Grad{depthwiseGrad1s1, depthwiseGrad2s1, depthwiseGrad3s1, depthwiseGrad3s2, depthwiseGrad5s1, depthwiseGrad5s2},
		Widen: depthwiseWiden,

		Nines:     [...]depthwise.Nine[float32]{depthwiseNine1, depthwiseNine2},
		NineCodes: [...]depthwise.Nine[uint8]{depthwiseNine1Codes, depthwiseNine2Codes},
		NineAdd:   depthwiseNineAdd,

		Taps8: depthwiseTaps8,
		Rows8: [...][2]depthwise.Row8{
			{depthwiseInt8x64s1, depthwiseInt8x64s2},
			{depthwiseInt8x32s1, depthwiseInt8x32s2},
			{depthwiseInt8x16s1, depthwiseInt8x16s2},
			{depthwiseInt8x16s1part, depthwiseInt8x16s2part},
		},
	}
}
