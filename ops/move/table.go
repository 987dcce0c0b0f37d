// Package move has the ops that move values, or resize maps: slices, borders, other orders and shapes. What only moves passes codes
// on as they are; one body serves all of it.
package move

import "qpipe/ops/layer"

// Kinds are the ops of this package, a row each.
func Kinds() []*layer.Kind {
	return []*layer.Kind{
		sliceKind,
		padKind,
		reshapeKind,
		transposeKind,
		channelShuffleKind,
		pixelShuffleKind,
		pixelUnshuffleKind,
		resizeNearestKind,
		bilinearKind,
	}
}
