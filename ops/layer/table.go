package layer

// Kinds are the ops of this package, a row each; a curve's row is in the table of curves.
func Kinds() []*Kind {
	kinds := []*Kind{
		inputKind,
		addKind,
		mulKind,
		concatKind,
		maxPoolKind,
		avgPoolKind,
		globalAvgPoolKind,
		flattenKind,
		actKind,
	}
	return append(kinds, curveKinds...)
}
