// Package arith has the ops that combine values element by element: sums, differences, products, and the larger or smaller of
// two. An operand with an extent of 1 (height, width or channels) is repeated along it. Of one operand: a trained factor for each channel.
package arith

import "qpipe/ops/layer"

// Kinds are the ops of this package, a row each.
func Kinds() []*layer.Kind {
	return []*layer.Kind{
		addKind,
		subKind,
		mulKind,
		maxKind,
		minKind,
		scaleKind,
	}
}
