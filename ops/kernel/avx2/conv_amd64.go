package avx2

import "qpipe/ops/kernel/dense"

// gemm are the micro-kernels of float convolutions.
func gemm() *dense.F32 {
	return &dense.F32{MR: 6, NR: 16, Rows: gemmRows, Finish: gemmFinish, Outer: gemmOuter, Gather: gemmGather, Transpose: gemmTranspose, Values: gemmValues}
}
