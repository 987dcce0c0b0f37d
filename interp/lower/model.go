package lower

import (
	"errors"
	"fmt"

	"qpipe/interp/graph"
	"qpipe/interp/part"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/ops/nn"
	"qpipe/ops/tensor"
)

// modelKey is what a network depends on.
type modelKey struct {
	model   *program.Model
	in      tensor.Shape
	classes int
}

// model builds a model for the data, once for each shape; nil after a mistake.
func (l *lowerer) model(m *program.Model, f *graph.Feed) *nn.Graph {
	if m == nil {
		return nil
	}
	key := modelKey{m, f.Spec.Shape.WithN(0), f.Spec.Classes}
	g, known := l.models[key]
	if known {
		return g
	}
	l.models[key] = nil
	if _, known := l.plan.Catalog.Signature(m.Kind, m.Type); !known || m.Args == nil {
		return nil
	}
	part, err := part.New[part.Model](l.plan.Catalog, m.Call)
	if err == nil {
		g, err = part.Build(key.in)
	}
	if err != nil {
		l.misfit(m, f, err)
		return nil
	}
	l.classes(m, f, g)
	l.models[key] = g
	return g
}

// misfit reports that a model cannot be built for the data.
func (l *lowerer) misfit(m *program.Model, f *graph.Feed, err error) {
	at, err := place(m.Origin, err)
	d := diag.Diagnostic{
		Code: diag.ModelMisfit, Subject: at, Address: m.Origin.Address,
		Summary: fmt.Sprintf("%s: %v", m.Type, err),
		Detail:  fmt.Sprintf("The model is built for images of %v.", f.Spec.Shape.WithN(0)),
		Related: []diag.Related{{Message: "where the images come from", Range: f.Set.Origin.Header}},
	}
	var shape *nn.ShapeError
	if errors.As(err, &shape) {
		d.Module = shape.Node
	}
	l.fail(d)
}

// classes holds the network's output against the data set's classes. A mistake
// does not keep the rest from being checked.
func (l *lowerer) classes(m *program.Model, f *graph.Feed, g *nn.Graph) {
	got, want := g.Output().WithN(1).Len(), f.Spec.Classes
	if want <= 0 || got == want {
		return
	}
	d := diag.Diagnostic{
		Code: diag.ClassCount, Subject: m.Origin.At("num_classes"), Address: m.Origin.Address,
		Summary: fmt.Sprintf("%s gives %s, but the data has %s", m.Type, diag.Count(got, "value"), diag.Count(want, "class")),
		Detail:  fmt.Sprintf("Set num_classes = %d.", want),
		Related: []diag.Related{{Message: "where the classes come from", Range: f.Set.Origin.Header}},
	}
	if got > want {
		d.Severity = diag.Warning
		d.Detail = fmt.Sprintf("The last %d can never be right. %s", got-want, d.Detail)
	}
	l.fail(d)
}
