package avx512

import "qpipe/ops/kernel/dense"

// denseInt8 is the integer convolution by VPDPBUSD: activations are unsigned, so that four products per lane are summed
// exactly.
func denseInt8() *dense.Int8 {
	return &dense.Int8{Block: 32, Gemm: gemm8x32, Half: gemm8x16, PadBias: padBias8, AnyCols: true}
}
