package eval

import (
	"errors"

	"qpipe/onnx/model"
	"qpipe/onnx/op"
	"qpipe/onnx/value"
)

// Infer computes the type and shape of every value of the model from the types and shapes of its inputs, and the
// elements of those that follow from initializers and shapes alone. Inputs may have elements too. A value whose shape
// depends on elements that are not known is missing in the result.
//
// Of nodes that opaque names only types and shapes are computed; it may be nil.
func (p *Program) Infer(inputs map[string]*value.Value, opaque func(n *model.Node) bool, o Options) (map[string]*value.Value, error) {
	values, err := p.given(inputs)
	if err != nil {
		return nil, err
	}
	r := start(o)
	for _, s := range p.steps {
		out, err := r.infer(s, gather(s.node, values), opaque == nil || !opaque(s.node))
		var unknown op.Unknown
		switch {
		case errors.As(err, &unknown):
			continue
		case err != nil:
			return nil, &NodeError{s.node, err}
		}
		for k, name := range s.node.Outputs {
			if name != "" && k < len(out) {
				values[name] = out[k]
			}
		}
	}
	return values, nil
}

// infer computes the types of one node, and with elements what can be computed if all that it reads is known.
func (r *runner) infer(s step, in []*value.Value, elements bool) (out []*value.Value, err error) {
	defer caught(&err)
	known := true
	for k, v := range in {
		if v == nil && s.node.Inputs[k] != "" {
			return nil, op.Unknown{Input: k}
		}
		known = known && (v == nil || v.Known())
	}
	c := r.call(s, in)
	types, err := shapes(c)
	if err != nil {
		return nil, err
	}
	if !elements || !known && !s.row.ShapeOnly {
		for _, t := range types {
			out = append(out, &value.Value{Type: t.Elem, Dims: t.Dims})
		}
		return out, nil
	}
	err = r.fill(c, types)
	return c.Out, err
}
