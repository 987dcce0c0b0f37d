package nn

import (
	"fmt"

	"qpipe/ops/quant"
)

// SetQConfig asks for every node's quantization configuration, before Prepare.
// Of a node without an output quant node (Module.HasQuant) the activation part
// is ignored, of one without weights the weight part. What becomes of nodes behind a
// DeQuantStub (Module.Dequantized) is for the configuration to say. It returns a mistake
// for every type that a node cannot have.
func (g *Graph) SetQConfig(of func(m Module) QConfig) []NodeError {
	var errs []NodeError
	for i, m := range g.Modules() {
		n, c := g.nodes[i], of(m)
		if !n.HasQuant() {
			c.Activation = Quant{}
		}
		if conv(n) == nil {
			c.Weight = Quant{}
		}
		errs = append(errs, checkActivation(n, c.Activation)...)
		errs = append(errs, checkWeight(n, c.Weight)...)
		n.qcfg = c
	}
	g.configured = true
	return errs
}

func checkActivation(n *node, q Quant) []NodeError {
	s := q.Spec
	switch {
	case !s.Quantized():
		return nil
	case s.PerChannel:
		return []NodeError{{n.Name, fmt.Errorf("an activation cannot be quantized per channel"), "leave per_channel to the weight"}}
	case s.DType == quant.Int16 && s.Scheme == quant.Affine:
		return []NodeError{{n.Name, fmt.Errorf("an int16 activation has no zero point"), `use scheme = "symmetric"`}}
	case q.Observer == nil:
		return []NodeError{{n.Name, fmt.Errorf("the activation is to be %v, but nothing observes it", s.DType), "give the activation an observer"}}
	}
	return nil
}

func checkWeight(n *node, q Quant) []NodeError {
	s := q.Spec
	switch {
	case !s.Quantized():
		return nil
	case s.Scheme == quant.Affine || s.DType == quant.UInt8:
		return []NodeError{{n.Name, fmt.Errorf("a weight cannot be %v with a zero point", s.DType), `use dtype = "int8" and scheme = "symmetric"`}}
	case s.DType == quant.Int16:
		return []NodeError{{n.Name, fmt.Errorf("a weight cannot be int16"), `use dtype = "int8", or "float32" to leave it unquantized`}}
	}
	return nil
}
