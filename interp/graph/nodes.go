package graph

import (
	"fmt"

	"qpipe/lang/program"
	"qpipe/ops/nn"
)

// NodeQConfig says how a node is quantized, and who said it.
type NodeQConfig struct {
	Node       string
	Activation []Attribute // of the output; nil where the node passes on what it gets
	Weight     []Attribute // nil without one
}

// Attribute is a value with the block that has written it: Origin is empty for a default.
type Attribute struct {
	Name, Value string
	Origin      program.Origin
}

// configs lists the configurations of a network's nodes.
func (q *qconfig) configs(g *nn.Graph) []NodeQConfig {
	var list []NodeQConfig
	for _, m := range g.Modules() {
		c := q.settled[m.Name]
		n := NodeQConfig{Node: m.Name}
		if m.HasQuant {
			n.Activation = c.activation.attributes(false)
		}
		if m.HasWeight {
			n.Weight = c.weight.attributes(true)
		}
		if n.Activation != nil || n.Weight != nil {
			list = append(list, n)
		}
	}
	return list
}

// attributes lists the values that have an effect.
func (s *setting) attributes(weight bool) []Attribute {
	var list []Attribute
	add := func(name string, value any) {
		list = append(list, Attribute{name, fmt.Sprint(value), s.by[name]})
	}
	add("dtype", s.DType)
	if s.DType == "float32" {
		return list
	}
	add("scheme", s.Scheme)
	if s.Scheme == "symmetric" {
		add("scale_rule", s.ScaleRule)
	}
	add("rounding", s.Rounding)
	if weight {
		add("per_channel", s.PerChannel)
		return list
	}
	add("observer", s.Observer.Type)
	for f, v := range program.Arguments(s.Observer.Args) {
		add(f.Name, v.Interface())
	}
	return list
}
