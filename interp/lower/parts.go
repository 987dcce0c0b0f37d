package lower

import (
	"fmt"

	"qpipe/interp/graph"
	"qpipe/interp/part"
	"qpipe/lang/diag"
	"qpipe/lang/program"
)

// parts makes the parts of the stage's trainer, validation and callbacks once, and asks them what can be known before a run.
func (l *lowerer) parts(s *graph.Stage) {
	if t := s.Trainer; t != nil {
		try(l, t.Optimizer, part.CheckOptimizer)
		for _, c := range t.Losses {
			try(l, c.Call, func(part.Loss) error { return nil })
		}
		if t.LRUpdater != nil {
			try(l, *t.LRUpdater, func(part.LRUpdater) error { return nil })
		}
	}
	taken := map[string]string{}
	if t := s.Trainer; t != nil && len(t.Losses) > 1 {
		if all, _, err := part.NewLosses(l.plan.Catalog, t.Losses); err == nil {
			for i, name := range all.Names() {
				taken[name] = "the loss " + t.Losses[i].Type
			}
		}
	}
	for _, c := range s.Validation.Metrics {
		try(l, c.Call, func(part.Metric) error { return measures(l.plan.Catalog, c, taken) })
	}
	for _, c := range s.Callbacks {
		try(l, c.Call, part.CheckCallback)
	}
}

// try makes a part and checks it.
func try[P any](l *lowerer, c program.Call, check func(P) error) {
	if c.Args == nil || c.Faulty {
		return
	}
	p, err := part.New[P](l.plan.Catalog, c)
	if err == nil {
		err = check(p)
	}
	if err != nil {
		l.part(diag.BadPart, c, err)
	}
}

// measures returns an error if the metric's names cannot be used, or if one belongs to another metric of the stage. taken has
// the names so far, each with what measures it.
func measures(list part.Catalog, c program.Judge, taken map[string]string) error {
	m, err := part.NewMetric(list, c)
	if err != nil {
		return err
	}
	if err := part.CheckMetric(m); err != nil {
		return err
	}
	for _, name := range m.Names() {
		if by, ok := taken[name]; ok {
			return fmt.Errorf("it measures %q, which %s of this stage measures already", name, by)
		}
		taken[name] = "the metric " + c.Type
	}
	return nil
}
