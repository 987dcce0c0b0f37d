package graph

import (
	"fmt"
	"strings"

	"qpipe/interp/stage"
	"qpipe/lang/diag"
	"qpipe/lang/program"
)

// measured reports the metrics that are watched or referred to, and that the
// stage does not measure. Of stages without validation lang/check has spoken.
func (l *lowerer) measured() {
	for _, s := range l.plan.Stages {
		names := l.metrics(s.Stage)
		if names == nil {
			continue
		}
		for _, c := range s.Callbacks {
			if m, ok := c.Args.(program.Monitor); ok && m.Monitors() != "" {
				l.measures(s.Stage, names, m.Monitors(), c.Origin.At("monitor"), c.Origin.Address)
			}
		}
		for _, r := range l.metricRefs(s.Name) {
			l.measures(s.Stage, names, strings.TrimPrefix(r.What, "metrics."), r.Range, r.address)
		}
	}
}

// metrics names what a stage with validation measures; nil where it has none, or
// a part is not known.
func (l *lowerer) metrics(s *program.Stage) []string {
	if s.Val == nil {
		return nil
	}
	var names []string
	for _, c := range s.Validation.Metrics {
		if c.Faulty {
			return nil
		}
		m, err := stage.New[stage.Metric](l.plan.Catalog, c)
		if err != nil {
			return nil
		}
		names = append(names, m.Names()...)
	}
	if s.Trainer != nil {
		names = append(names, "loss")
	}
	return names
}

// metricRef is a reference to a metric, with the block that makes it.
type metricRef struct {
	program.Ref
	address string
}

// metricRefs lists the references to a stage's metrics, in the order of the text.
func (l *lowerer) metricRefs(name string) []metricRef {
	var out []metricRef
	add := func(refs []program.Ref, address string) {
		for _, r := range refs {
			if r.Stage == name && strings.HasPrefix(r.What, "metrics.") {
				out = append(out, metricRef{r, address})
			}
		}
	}
	conditions := func(list []program.Condition) {
		for _, c := range list {
			add(c.Refs, c.Origin.Address)
		}
	}
	for _, s := range l.plan.Program.Stages {
		conditions(s.Conditions)
	}
	for _, o := range l.plan.Program.Outputs {
		add(o.Refs, o.Origin.Address)
		conditions(o.Conditions)
	}
	return out
}

func (l *lowerer) measures(s *program.Stage, names []string, metric string, at diag.Range, address string) {
	for _, n := range names {
		if n == metric {
			return
		}
	}
	l.once(fmt.Sprint("metric ", at), diag.Diagnostic{
		Code: diag.UnknownMetric, Subject: at, Address: address,
		Summary: fmt.Sprintf("stage %q does not measure %q", s.Name, metric),
		Detail:  diag.DidYouMean(metric, names, "metrics of that stage"),
		Related: []diag.Related{{Message: "what it measures is set here", Range: s.Validation.Origin.Header}},
	})
}
