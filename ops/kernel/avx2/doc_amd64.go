// Package avx2 turns the signatures of ops/kernel into AVX2 with FMA. Integer
// products are widened to 16 bits, so that no sum saturates. The loops are
// assembly that ops/kernel/gen writes; what divides a convolution into them is
// ops/kernel/dense, depthwise and pass. It refuses to ask whether the machine can run it: ops/kernel/sets does.
package avx2
