package avx2

import (
	"qpipe/ops/kernel"
	"qpipe/ops/kernel/portable"
)

// Set returns the kernels. Kernels without an implementation here are those of the portable set.
func Set() *kernel.Set {
	s := portable.Set()
	s.Name = "avx2"
	passLoops().Install(s)
	gemm().Install(s)
	denseInt8().Install(s)
	depthwiseKernels().Install(s)
	return s
}
