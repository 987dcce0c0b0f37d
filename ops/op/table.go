// Package op has the ops of networks, a file each, with all their forms: float, calibration and QAT, forward and backward,
// and int8. Package layer says what an op is; functions of one number are package curve's, what combines two values is package arith's, what moves values package move's, convolutions and BN, which are trained quantized together, are
// package convbn's.
package op

import (
	"qpipe/ops/layer"
)

// Kinds are the ops of this package, a row each.
func Kinds() []*layer.Kind {
	kinds := []*layer.Kind{
		inputKind,
		concatKind,
		maxPoolKind,
		avgPoolKind,
		globalAvgPoolKind,
		flattenKind,
		actKind,
		globalMaxPoolKind,
		adaptiveAvgPoolKind,
		adaptiveMaxPoolKind,
		softmaxKind,
		logSoftmaxKind,
		dropoutKind,
		quantStubKind,
		deQuantStubKind,
	}
	return append(kinds, reduceKinds...)
}
