package graph

import (
	"fmt"
	"slices"
	"strings"

	"qpipe/interp/part"
	"qpipe/lang/diag"
	"qpipe/lang/program"
)

func unknownMetric() Rule {
	return Rule{
		About: diag.About{
			Name: "unknown-metric", Code: "QP315",
			Summary: "a stage does not measure this metric",
			Doc:     "The metrics in a stage's validation decide which names there are. For a stage without validation, see the rule no-metrics.",
		},
		Check: func(p *Plan, report diag.Reporter) {
			said := map[diag.Range]bool{}
			for s, metrics := range p.measuring {
				for _, r := range p.watched(s) {
					d := s.unmeasured(p, metrics, r)
					if d != nil && !said[d.Subject] {
						said[d.Subject] = true
						report(d)
					}
				}
			}
		},
	}
}

// measuring yields each stage with the metrics of its validation; there are none if it has no
// validation. It leaves out stages with a metric that cannot be made.
func (p *Plan) measuring(yield func(*Stage, []part.Metric) bool) {
	for _, s := range p.Stages {
		if metrics, ok := p.metrics(s.Stage); ok && !yield(s, metrics) {
			return
		}
	}
}

// watched lists the metrics of a stage that its callbacks monitor or that references name.
func (p *Plan) watched(s *Stage) []metricRef {
	var out []metricRef
	for _, c := range s.Callbacks {
		if m, ok := c.Args.(program.Monitor); ok && m.Monitors() != "" && !c.Faulty && s.Val != nil {
			out = append(out, metricRef{m.Monitors(), c.Origin.At("monitor"), c.Origin.Address})
		}
	}
	for _, r := range p.metricRefs(s.Name) {
		if s.Val != nil || slices.Contains(s.lossNames(p), r.name) {
			out = append(out, r)
		}
	}
	return out
}

// metrics makes the metrics of a stage's validation; there are none if it has no validation.
// ok is false if one cannot be made.
func (p *Plan) metrics(s *program.Stage) (list []part.Metric, ok bool) {
	if s.Val == nil {
		return nil, true
	}
	for _, c := range s.Validation.Metrics {
		if c.Faulty {
			return nil, false
		}
		m, err := part.NewMetric(p.Catalog, c)
		if err != nil {
			return nil, false
		}
		list = append(list, m)
	}
	return list, true
}

// metricRef is a place where a metric is named, and the address of the block.
type metricRef struct {
	name    string
	at      diag.Range
	address string
}

// metricRefs lists the references to a stage's metrics, in the order of the text.
func (p *Plan) metricRefs(stage string) []metricRef {
	var out []metricRef
	add := func(refs []program.Ref, address string) {
		for _, r := range refs {
			if name, ok := strings.CutPrefix(r.What, "metrics."); ok && r.Stage == stage {
				out = append(out, metricRef{name, r.Range, address})
			}
		}
	}
	conditions := func(list []program.Condition) {
		for _, c := range list {
			add(c.Refs, c.Origin.Address)
		}
	}
	for _, s := range p.Program.Stages {
		conditions(s.Conditions)
	}
	for _, o := range p.Program.Outputs {
		add(o.Refs, o.Origin.Address)
		conditions(o.Conditions)
	}
	return out
}

// unmeasured reports a metric that the stage does not measure; it returns nil if it does.
func (s *Stage) unmeasured(p *Plan, metrics []part.Metric, r metricRef) *diag.Diagnostic {
	var names []string
	for _, m := range metrics {
		names = append(names, m.Names()...)
	}
	losses := s.lossNames(p)
	names = append(names, losses...)
	switch {
	case s.idle() && slices.Contains(losses, r.name):
		return &diag.Diagnostic{
			Subject: r.at, Address: r.address,
			Summary: fmt.Sprintf("stage %q measures no loss: no step is left to train there", s.Name),
			Detail:  fmt.Sprintf("It continues from %s, which has completed all of its steps. Make the stage longer, or refer to the loss of that one.", s.Past.Whence),
		}
	case slices.Contains(names, r.name):
		return nil
	}
	return &diag.Diagnostic{
		Subject: r.at, Address: r.address,
		Summary: fmt.Sprintf("stage %q does not measure %q", s.Name, r.name),
		Detail:  diag.DidYouMean(r.name, names, "metrics of that stage"),
		Related: []diag.Related{{Message: "what it measures is set here", Range: s.Validation.Origin.Header}},
	}
}

// lossNames are the names of the stage's losses among its metrics; none if it does not train.
func (s *Stage) lossNames(p *Plan) []string {
	if s.Trainer == nil {
		return nil
	}
	names := []string{"loss"}
	if l, _, err := part.NewLosses(p.Catalog, s.Trainer.Losses); err == nil && l.Len() > 1 {
		names = append(names, l.Names()...)
	}
	return names
}
