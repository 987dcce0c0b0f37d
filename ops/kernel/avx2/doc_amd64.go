// Package avx2 implements ops/kernel with AVX2 and FMA. Integer products are widened to 16 bits, so that no sum
// saturates. The loops are assembly that ops/kernel/gen writes; ops/kernel/dense, depthwise and pass divide the work
// among them. It does not check whether the machine can run it: ops/kernel/sets does.
package avx2
