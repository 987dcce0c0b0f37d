package nn

import (
	"fmt"

	"qpipe/ops/quant"
)

// Convertible lists what keeps the graph from being converted to int8, each with the node's name and the way out.
func (g *Graph) Convertible() []NodeError {
	if g.form != QAT && g.form != Calibration {
		return []NodeError{{g.nodes[0].Name, fmt.Errorf("a %s model is not converted to int8", g.form), "convert after Float2QAT"}}
	}
	return g.unconvertible()
}

func (g *Graph) unconvertible() (errs []NodeError) {
	const way = `set its activation to dtype = "int8"`
	integers := false
	for _, n := range g.nodes {
		if n.Quant.Spec.DType == quant.Int16 {
			errs = append(errs, NodeError{n.Name, fmt.Errorf("an int16 activation has no int8 form"), way})
		}
		integers = integers || g.integers(n)
	}
	if first := g.nodes[0]; len(errs) == 0 && !integers {
		errs = append(errs, NodeError{first.Name, fmt.Errorf("no node computes with integers: all have float32 operands or weights"), way + ", and that of the nodes behind it"})
	}
	return errs
}
