package convbn

// plain is a node without BN whose bias is not on a grid: y = act(acc·unit + b [+ z]).
// It is the float form after folding, and what composes when an operand is not on a grid.
func (e *Exec) plain() {
	copy(e.scale, e.unit)
	for o := range e.shift {
		e.shift[o] = e.node.shift(o, e.run.absorb)
	}
}
