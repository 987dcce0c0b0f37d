package graph

import (
	"fmt"
	"slices"
	"strings"

	"qpipe/interp/part"
	"qpipe/lang/diag"
	"qpipe/lang/program"
)

// measured reports the metrics that are watched or referred to, and that the
// stage does not measure, and the callbacks that take the worst for the best. Of
// what a stage without validation lacks lang/check has spoken.
func (l *lowerer) measured() {
	for _, s := range l.plan.Stages {
		metrics, ok := l.metrics(s.Stage)
		if !ok {
			continue
		}
		for _, c := range s.Callbacks {
			m, ok := c.Args.(program.Monitor)
			if !ok || m.Monitors() == "" || c.Faulty {
				continue
			}
			if s.Val != nil {
				l.measures(s, metrics, m.Monitors(), c.Origin.At("monitor"), c.Origin.Address)
			}
			l.direction(c, metrics)
		}
		for _, r := range l.metricRefs(s.Name) {
			if name := strings.TrimPrefix(r.What, "metrics."); s.Val != nil || name == "loss" {
				l.measures(s, metrics, name, r.Range, r.address)
			}
		}
	}
}

// metrics makes what a stage validates with, nothing for one without validation;
// false where a part is not known.
func (l *lowerer) metrics(s *program.Stage) (list []part.Metric, ok bool) {
	if s.Val == nil {
		return nil, true
	}
	for _, c := range s.Validation.Metrics {
		if c.Faulty {
			return nil, false
		}
		m, err := part.New[part.Metric](l.plan.Catalog, c)
		if err != nil {
			return nil, false
		}
		list = append(list, m)
	}
	return list, true
}

// direction warns of a callback for which the worst checkpoint is the best.
func (l *lowerer) direction(c program.Callback, metrics []part.Metric) {
	d, ok := c.Args.(program.Director)
	if !ok || d.Direction() == "" {
		return
	}
	right, word := "max", "larger"
	if part.SmallerIsBetter(metrics, d.Monitors()) {
		right, word = "min", "smaller"
	}
	if d.Direction() == right {
		return
	}
	l.fail(diag.Diagnostic{
		Code: diag.WrongDirection, Severity: diag.Warning, Subject: c.Origin.At("mode"), Address: c.Origin.Address,
		Summary: fmt.Sprintf("mode = %q takes the worst %s for the best", d.Direction(), d.Monitors()),
		Detail:  fmt.Sprintf("Of %s a %s value is better. Write mode = %q, or leave it out.", d.Monitors(), word, right),
		Related: []diag.Related{{Message: "what is monitored", Range: c.Origin.At("monitor")}},
	})
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

func (l *lowerer) measures(s *Stage, metrics []part.Metric, metric string, at diag.Range, address string) {
	var names []string
	for _, m := range metrics {
		names = append(names, m.Names()...)
	}
	if s.Trainer != nil {
		names = append(names, "loss")
	}
	if s.idle() && metric == "loss" {
		l.fail(diag.Diagnostic{
			Code: diag.UnknownMetric, Subject: at, Address: address,
			Summary: fmt.Sprintf("stage %q measures no loss: no step is left to train there", s.Name),
			Detail:  fmt.Sprintf("Its recovery begins where %s has ended. Make the stage longer, or refer to that one's loss.", s.past.whence),
		})
		return
	}
	if slices.Contains(names, metric) {
		return
	}
	l.once(fmt.Sprint("metric ", at), diag.Diagnostic{
		Code: diag.UnknownMetric, Subject: at, Address: address,
		Summary: fmt.Sprintf("stage %q does not measure %q", s.Name, metric),
		Detail:  diag.DidYouMean(metric, names, "metrics of that stage"),
		Related: []diag.Related{{Message: "what it measures is set here", Range: s.Validation.Origin.Header}},
	})
}
