package avx2

import "qpipe/ops/kernel/dense"

// denseInt8 is the integer convolution by VPMADDWD: 8-bit products summed in
// pairs would saturate at 16 bits, so activations and weights are widened first.
func denseInt8() *dense.Int8 {
	return &dense.Int8{Block: 16, Gemm: gemm8x16, Half: gemm8x8, PadBias: padBias8, Widen: widen8}
}
