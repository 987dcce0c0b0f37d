// Package avx512 implements ops/kernel with AVX-512 (F, BW, VL, DQ and VNNI). The loops are assembly that
// ops/kernel/gen writes; ops/kernel/dense, depthwise and pass divide the work among them. It does not check whether the
// machine can run it: ops/kernel/sets does.
package avx512
