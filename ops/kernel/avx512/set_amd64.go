package avx512

import (
	"qpipe/ops/kernel"
	"qpipe/ops/kernel/portable"
)

// Set returns the kernels. What has no form of its own here is the portable set's.
func Set() *kernel.Set {
	s := portable.Set()
	s.Name = "avx512"
	passLoops().Install(s)
	gemm().Install(s)
	denseInt8().Install(s)
	depthwiseKernels().Install(s)
	return s
}
