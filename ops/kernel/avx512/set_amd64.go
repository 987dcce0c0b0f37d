package avx512

import (
	"golang.org/x/sys/cpu"

	"qpipe/ops/kernel"
	"qpipe/ops/kernel/portable"
)

// Set returns the kernels. Kernels without an implementation here are those of the portable set.
func Set() *kernel.Set {
	s := portable.Set()
	s.Name = "avx512"
	loops := passLoops()
	if cpu.X86.HasAVX512VBMI {
		loops.Lookup = lookupPermute
	}
	loops.Install(s)
	gemm().Install(s)
	denseInt8().Install(s)
	depthwiseKernels().Install(s)
	return s
}
