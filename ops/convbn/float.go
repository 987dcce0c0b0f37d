package convbn

// plain is a node without BN whose bias is not on a grid: y = act(acc·unit + b [+ z]).
// It is the float form after folding, and what composes when the input is not on a grid.
func (e *Exec) plain(ux float32) {
	for o := range e.a {
		e.a[o], e.b[o] = ux*e.c.Scale[o], e.n.bias(o)
	}
}
