package lower

import (
	"cmp"
	"slices"

	"qpipe/interp/graph"
	"qpipe/interp/part"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/ops/nn"
	"qpipe/ops/tensor"
)

// Network is a model of a program as it is built for data: in the float form, without parameters.
type Network struct {
	Model  *program.Model
	Graph  *nn.Graph        // nil after a mistake
	Data   *program.Dataset // nil if the model itself says what its inputs are
	Inputs string           // what it is built for, in words
	// Others are data sets whose inputs have other shapes, one for each kind, on which stages use the model, too.
	Others []*program.Dataset
}

// Build builds a model of the plan's program, whether or not a stage uses it: for the given data set; without one, for that of the
// first stage that uses the model, or for the shapes that its inputs are written with. If none of these is there, the result is nil
// and the list is empty. A model with mistakes that lang/check has reported is not built. The list may repeat what the plan's has.
func Build(p *graph.Plan, m *program.Model, d *program.Dataset) (*Network, diag.List) {
	l := &lowerer{plan: p, data: map[*program.Dataset]*graph.Feed{}}
	if faulty(m) {
		return &Network{Model: m}, nil
	}
	feeds := used(p, m)
	if d != nil {
		if f := l.feed(d); f != nil {
			feeds = []*graph.Feed{f}
		} else {
			return &Network{Model: m, Data: d}, l.list
		}
	}
	if len(feeds) == 0 {
		f := written(m)
		if f == nil {
			return nil, nil
		}
		feeds = append(feeds, f)
	}
	n := &Network{Model: m, Data: feeds[0].Set, Inputs: feeds[0].Spec.InputText()}
	for _, f := range feeds[1:] {
		n.Others = append(n.Others, f.Set)
	}
	if built := l.build(m, feeds[0]); built != nil {
		n.Graph = built.Graph
	}
	return n, l.list
}

// faulty reports whether mistakes in the model itself have been reported: what could be built of it is not what is meant.
func faulty(m *program.Model) bool {
	n := m.Network()
	return m.Faulty || n != nil && slices.ContainsFunc(n.Layers, func(l program.Layer) bool { return l.Faulty })
}

// used lists the data on which stages use a model, the first of each kind.
func used(p *graph.Plan, m *program.Model) []*graph.Feed {
	var feeds []*graph.Feed
	for _, s := range p.Stages {
		f := cmp.Or(s.Data.Train, s.Data.Val)
		if s.Stage.Model == m && f != nil && !slices.ContainsFunc(feeds, func(o *graph.Feed) bool { return o.Spec.InputText() == f.Spec.InputText() }) {
			feeds = append(feeds, f)
		}
	}
	return feeds
}

// written is the data that the inputs of a network are written for, nil if they do not say it.
func written(m *program.Model) *graph.Feed {
	n := m.Network()
	if n == nil || len(n.Inputs) == 0 {
		return nil
	}
	var spec part.Spec
	for _, in := range n.Inputs {
		if len(in.Shape) != 3 {
			return nil
		}
		spec.Inputs = append(spec.Inputs, part.InputSpec{Name: in.Name, Shape: tensor.Shape{H: in.Shape[0], W: in.Shape[1], C: in.Shape[2]}})
	}
	return &graph.Feed{Spec: spec}
}
