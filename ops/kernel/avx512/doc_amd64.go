// Package avx512 turns the signatures of ops/kernel into AVX-512 (F, BW, VL, DQ
// and VNNI). The loops are assembly that ops/kernel/gen writes; what divides a
// convolution into them are ops/kernel/dense, depthwise and pass. It refuses to ask whether the machine
// can run it: ops/kernel/sets does.
package avx512
