package avx512

import "qpipe/ops/kernel/tile"

// denseInt8 is the integer convolution by VPDPBUSD: activations are unsigned, so
// that four products a lane are summed exactly.
func denseInt8() *tile.Int8 {
	return &tile.Int8{Block: 32, Gemm: gemm8x32, Half: gemm8x16, PadBias: padBias8, AnyCols: true}
}
