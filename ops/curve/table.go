// Package curve has the ops that compute a function of each element by itself: curves, which are rows of a table, and PReLU, whose
// slopes are trained. On codes a curve is a table of 256 bytes.
package curve

import "qpipe/ops/layer"

// Kinds are the ops of this package: a curve's row is in the table of curves.
func Kinds() []*layer.Kind {
	kinds := []*layer.Kind{preluKind}
	for _, k := range curveKinds {
		kinds = append(kinds, k.Kind)
	}
	return kinds
}

// Functions are the names of the curves.
func Functions() []string {
	var names []string
	for _, k := range curveKinds {
		names = append(names, k.Name)
	}
	return names
}
