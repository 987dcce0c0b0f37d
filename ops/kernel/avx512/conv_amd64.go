package avx512

import "qpipe/ops/kernel/tile"

// gemm are the micro-kernels of float convolutions.
func gemm() *tile.F32 {
	return &tile.F32{MR: 12, NR: 32, Rows: gemmRows, Finish: gemmFinish, Outer: gemmOuter, Gather: gemmGather, Transpose: gemmTranspose, Values: gemmValues}
}
