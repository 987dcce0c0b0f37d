package nn

// Bytes is what the graph's own tensors take once it has them, gradients included; of
// a graph without parameters too.
func (g *Graph) Bytes() int64 {
	total := int64(0)
	for _, n := range g.nodes {
		for _, s := range n.Slots() {
			size := int64(4)
			switch {
			case s.I8 != nil:
				size = 1
			case s.Param != nil:
				size = 8 // and its gradient
			}
			total += size * int64(s.Len())
		}
	}
	return total
}

// FileBytes is what the graph's tensors take in a file, and trainable of them the
// parameters that an optimizer keeps state for.
func (g *Graph) FileBytes() (all, trainable int64) {
	for _, n := range g.nodes {
		for _, s := range n.Slots() {
			size := 4 * int64(s.Len())
			if s.I8 != nil {
				size /= 4
			}
			all += size
			if s.Trainable() {
				trainable += size
			}
		}
	}
	return all, trainable
}
