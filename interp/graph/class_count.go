package graph

import (
	"errors"
	"fmt"

	"qpipe/interp/part"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/ops/nn"
)

func classCount() Rule {
	return Rule{
		About: diag.About{
			Name: "class-count", Code: diag.ClassCount,
			Summary: "an output has fewer values than the data has classes",
			Doc:     "A loss or a metric for labels needs a value for each class.",
		},
		Check: func(p *Plan, report diag.Reporter) {
			for c := range p.outputsCounted {
				if c.got < c.want {
					report(p.classes(c))
				}
			}
		},
	}
}

func spareClasses() Rule {
	return Rule{
		About: diag.About{
			Name: "spare-classes", Code: diag.ClassCount, Severity: diag.Warning,
			Summary: "an output has more values than the data has classes",
			Doc:     "The last ones belong to no class, and an answer with one of them is always wrong.",
		},
		Check: func(p *Plan, report diag.Reporter) {
			for c := range p.outputsCounted {
				if c.got > c.want {
					d := p.classes(c)
					d.Detail = fmt.Sprintf("The last %d of them belong to no class. %s", c.got-c.want, d.Detail)
					report(d)
				}
			}
		},
	}
}

// counted is an output beside the labels that a loss or a metric compares it with.
type counted struct {
	model     *program.Model
	out       nn.Port
	outputs   int // of the network
	feed      *Feed
	got, want int // values for a label, classes
}

// outputsCounted yields the outputs with another number of values than there are classes, each once.
func (p *Plan) outputsCounted(yield func(counted) bool) {
	said := map[string]bool{}
	for _, s := range p.Stages {
		if s.Model == nil {
			continue
		}
		outputs, more := s.Model.Outputs(), true
		count := func(f *Feed, seen []nn.Port, of []part.TargetSpec) {
			for _, m := range part.Matches(seen, of) {
				c := counted{s.Stage.Model, seen[m.Output], len(outputs), f, m.Gives, of[m.Target].Classes}
				if key := fmt.Sprint(c.model.Name, " ", c.out.Name, c.got, c.want); c.got != c.want && c.want >= 0 && !said[key] {
					said[key] = true
					more = more && yield(c)
				}
			}
		}
		if t, f := s.Trainer, s.Data.Train; t != nil && f != nil {
			all, _, err := part.NewLosses(p.Catalog, t.Losses)
			for i := range t.Losses {
				if err == nil && fitsOrFew(part.FitsOne(all, i, outputs, f.Spec.Targets)) {
					seen, of := all.SeenBy(i, outputs, f.Spec.Targets)
					count(f, seen, of)
				}
			}
		}
		for _, j := range s.Validation.Metrics {
			f := s.Data.Val
			if f == nil {
				break
			}
			if m, err := part.NewMetric(p.Catalog, j); err == nil && fitsOrFew(part.Fits(m, outputs, f.Spec.Targets)) {
				seen, of := part.Seen(m, outputs, f.Spec.Targets)
				count(f, seen, of)
			}
		}
		if !more {
			return
		}
	}
}

// fitsOrFew reports whether a judge fits, but for the number of values.
func fitsOrFew(err error) bool {
	var few *part.ClassError
	return err == nil || errors.As(err, &few)
}

// classes is a diagnostic about such an output.
func (p *Plan) classes(c counted) *diag.Diagnostic {
	m := c.model
	gives, set, at := m.Type, fmt.Sprintf("Give it %d.", c.want), m.Origin.At("num_classes")
	switch {
	case c.outputs > 1:
		gives = fmt.Sprintf("%s's output %q", m.Type, c.out.Label)
	case p.takes(m.Call, "num_classes"):
		set = fmt.Sprintf("Set num_classes = %d.", c.want)
	}
	if m.Network() != nil {
		set, at = fmt.Sprintf("Give its last layer %d outputs.", c.want), m.Origin.At(program.LayerPath(c.out.Name)+".out_features")
		if channels := program.LayerPath(c.out.Name) + ".out_channels"; m.Origin.Attrs[channels] != (diag.Range{}) {
			at = m.Origin.At(channels)
		}
	}
	return &diag.Diagnostic{
		Subject: at, Address: m.Origin.Address,
		Summary: fmt.Sprintf("%s gives %s, but the data has %s", gives, diag.Count(c.got, "value"), diag.Count(c.want, "class")),
		Detail:  set,
		Related: []diag.Related{{Message: "where the classes come from", Range: c.feed.Set.Origin.Header}},
	}
}

// takes reports whether a part has an argument of the name.
func (p *Plan) takes(c program.Call, name string) bool {
	sig, known := p.Catalog.Signature(c.Kind, c.Type)
	if !known {
		return false
	}
	for f := range program.Arguments(sig.Args()) {
		if f.Name == name {
			return true
		}
	}
	return false
}
