package eval

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"qpipe/onnx/model"
	"qpipe/onnx/op"
	"qpipe/onnx/value"
)

// Options are how a model is computed.
type Options struct {
	Limits
	Threads int                               // how many goroutines compute a node; 0 is one for each core
	Observe func(name string, v *value.Value) // gets every value as soon as it is computed; it must not change it
	Context context.Context                   // ends the computation between two nodes; nil is never
}

// Limits bound what a model may take. 0 is the usual limit: 4 GiB of values, and operations for about an hour.
type Limits struct {
	Elements int   // of all values that are needed at the same time, weights not included; each takes 8 bytes
	Work     int64 // multiplications, additions and moves
}

const (
	usualElements = 1 << 29
	usualWork     = 1 << 42
)

// ErrMemory is the error of a model that needs more memory than is allowed.
var ErrMemory = errors.New("its outputs take more memory than is allowed")

// Run computes the outputs of the model from its inputs.
func (p *Program) Run(inputs map[string]*value.Value, o Options) (map[string]*value.Value, error) {
	values, err := p.given(inputs)
	if err != nil {
		return nil, err
	}
	r := start(o)
	for name, v := range values {
		if o.Observe != nil && p.consts[name] != v {
			o.Observe(name, v)
		}
	}
	for i, s := range p.steps {
		if o.Context != nil && o.Context.Err() != nil {
			return nil, o.Context.Err()
		}
		in := gather(s.node, values)
		out, err := r.compute(s, in)
		if err != nil {
			return nil, &NodeError{s.node, err}
		}
		for k, name := range s.node.Outputs {
			if name == "" {
				continue
			}
			values[name] = out[k]
			if o.Observe != nil {
				o.Observe(name, out[k])
			}
		}
		p.drop(r, values, inputs, i)
	}
	result := map[string]*value.Value{}
	for _, out := range p.Model.Graph.Outputs {
		result[out.Name] = values[out.Name]
	}
	return result, nil
}

// start makes a runner with full budgets.
func start(o Options) *runner {
	r := &runner{Options: o, budget: &op.Budget{}, left: cmp.Or(o.Elements, usualElements)}
	r.budget.Work.Store(cmp.Or(o.Work, usualWork))
	return r
}

// drop forgets values that no later step reads.
func (p *Program) drop(r *runner, values, inputs map[string]*value.Value, i int) {
	n := p.steps[i].node
	for _, name := range slices.Concat(n.Inputs, n.Outputs) {
		if v := values[name]; v != nil && p.consts[name] == nil && inputs[name] == nil && p.last[name] <= i {
			r.left += v.Len()
			delete(values, name)
		}
	}
}

// given are the values that are there before the first node: inputs and initializers. Inputs must have the declared
// types and shapes.
func (p *Program) given(inputs map[string]*value.Value) (map[string]*value.Value, error) {
	values := map[string]*value.Value{}
	for name, v := range p.consts {
		values[name] = v
	}
	for _, in := range p.Model.Graph.Inputs {
		v := inputs[in.Name]
		if v == nil {
			if p.consts[in.Name] == nil {
				return nil, fmt.Errorf("the input %q of the model is missing", in.Name)
			}
			continue
		}
		if err := fits(in, v); err != nil {
			return nil, err
		}
		values[in.Name] = v
	}
	for name := range inputs {
		if !slices.ContainsFunc(p.Model.Graph.Inputs, func(v *model.Value) bool { return v.Name == name }) {
			return nil, fmt.Errorf("the model has no input %q", name)
		}
	}
	return values, nil
}

func fits(in *model.Value, v *value.Value) error {
	if in.Type != 0 && in.Type != v.Type {
		return fmt.Errorf("the input %q of the model is %s, not %s", in.Name, in.Type, v.Type)
	}
	if !in.Known {
		return nil
	}
	ok := len(in.Shape) == len(v.Dims)
	for i := 0; ok && i < len(v.Dims); i++ {
		ok = in.Shape[i].Size < 0 || in.Shape[i].Size == v.Dims[i]
	}
	if !ok {
		return fmt.Errorf("the input %q of the model has the shape %v, not %v", in.Name, in.Shape, v.Dims)
	}
	return nil
}

// gather are the inputs of a node, nil for those left out.
func gather(n *model.Node, values map[string]*value.Value) []*value.Value {
	in := make([]*value.Value, len(n.Inputs))
	for k, name := range n.Inputs {
		if name != "" {
			in[k] = values[name]
		}
	}
	return in
}

// runner computes nodes within limits.
type runner struct {
	Options
	budget *op.Budget
	left   int // elements that may still be made
}

func (r *runner) call(s step, in []*value.Value) *op.Call {
	for len(in) > 0 && in[len(in)-1] == nil {
		in = in[:len(in)-1]
	}
	return &op.Call{Row: s.row, Node: s.node, Since: s.since, In: in, Threads: r.Threads, Budget: r.budget}
}

// compute computes one node.
func (r *runner) compute(s step, in []*value.Value) (out []*value.Value, err error) {
	defer caught(&err)
	c := r.call(s, in)
	types, err := shapes(c)
	if err != nil {
		return nil, err
	}
	err = r.fill(c, types)
	return c.Out, err
}

// fill allocates the outputs and computes them. Where there is no element nothing is computed.
func (r *runner) fill(c *op.Call, types []op.Type) error {
	all := 0
	for _, t := range types {
		n := value.Count(t.Dims)
		if n > r.left {
			return ErrMemory
		}
		r.left -= n
		all += n
	}
	for _, t := range types {
		c.Out = append(c.Out, value.New(t.Elem, t.Dims))
	}
	if all == 0 {
		return nil
	}
	c.Row.Eval(c)
	for _, v := range c.Out {
		v.Round()
	}
	return nil
}

// shapes are the types of all outputs.
func shapes(c *op.Call) ([]op.Type, error) {
	types := c.Row.Shape(c)
	if len(types) < len(c.Node.Outputs) {
		return nil, fmt.Errorf("it has %d outputs, and computes %d", len(c.Node.Outputs), len(types))
	}
	for i, t := range types {
		if len(t.Dims) > 64 {
			return nil, fmt.Errorf("output %d has %d dimensions", i, len(t.Dims))
		}
		if _, err := model.Elements(t.Dims); err != nil {
			return nil, fmt.Errorf("output %d: %w", i, err)
		}
	}
	return types, nil
}

// caught turns the panic of a call into its error.
func caught(err *error) {
	switch f := recover().(type) {
	case nil:
	case op.Fault:
		*err = f.Err
	default:
		panic(f)
	}
}
