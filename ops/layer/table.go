package layer

// Kinds are the ops of this package, a row each.
func Kinds() []*Kind {
	return []*Kind{
		inputKind,
		addKind,
		concatKind,
		maxPoolKind,
		avgPoolKind,
		globalAvgPoolKind,
		flattenKind,
		actKind,
	}
}
