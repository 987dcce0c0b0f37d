package lower

import (
	"fmt"

	"qpipe/interp/graph"
	"qpipe/lang/program"
	"qpipe/ops/nn"
)

// configs returns how each node of a network is quantized.
func (q *configured) configs(g *nn.Graph) []graph.NodeQConfig {
	var list []graph.NodeQConfig
	for _, m := range g.Modules() {
		c := q.byNode[m.Name]
		n := graph.NodeQConfig{Node: m.Name}
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

// attributes lists those attributes that have an effect.
func (s *setting) attributes(weight bool) []graph.Attribute {
	var list []graph.Attribute
	add := func(name string, value any) {
		list = append(list, graph.Attribute{Name: name, Value: fmt.Sprint(value), Origin: s.by[name]})
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
