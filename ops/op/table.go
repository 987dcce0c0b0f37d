// Package op has the ops of networks, a file each, with all their forms: float, calibration and QAT, forward and backward,
// and int8. Package layer says what an op is; convolutions and BN, which are trained quantized together, are
// package convbn's.
package op

import "qpipe/ops/layer"

// Kinds are the ops of this package, a row each; a curve's row is in the table of curves.
func Kinds() []*layer.Kind {
	kinds := []*layer.Kind{
		inputKind,
		addKind,
		mulKind,
		concatKind,
		maxPoolKind,
		avgPoolKind,
		globalAvgPoolKind,
		flattenKind,
		actKind,
		preluKind,
		sliceKind,
		padKind,
		reshapeKind,
		transposeKind,
		channelShuffleKind,
		pixelShuffleKind,
		pixelUnshuffleKind,
		resizeNearestKind,
		bilinearKind,
		globalMaxPoolKind,
		adaptiveAvgPoolKind,
		adaptiveMaxPoolKind,
	}
	for _, k := range curveKinds {
		kinds = append(kinds, k.Kind)
	}
	return append(kinds, reduceKinds...)
}
