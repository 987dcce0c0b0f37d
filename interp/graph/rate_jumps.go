package graph

import (
	"math"

	"qpipe/interp/stage"
	"qpipe/lang/diag"
)

func rateJumps() Rule {
	return Rule{
		About: diag.About{
			Name: "rate-jumps", Code: diag.RateJumps, Severity: diag.Warning,
			Summary: "the learning rate does not continue from its value in the checkpoint",
			Doc:     "A full recovery continues as if training had never been interrupted. For this, both stages need the same learning rate at the same step.",
		},
		Check: func(p *Plan, report diag.Reporter) {
			for _, s := range p.Stages {
				w, ok := p.rateJumps(s)
				if !ok {
					continue
				}
				o := s.Trainer.Optimizer.Origin
				at := o.At("lr")
				if u := s.Trainer.LRUpdater; u != nil {
					o, at = u.Origin, u.Origin.Header
				}
				report(s.warning(w, o, at))
			}
		},
	}
}

// rateJumps returns the warning that the run would give for a learning rate that does not continue the checkpoint's.
func (p *Plan) rateJumps(s *Stage) (stage.Warning, bool) {
	past := s.Past
	if past == nil || past.Step >= s.Length.Steps || past.Step < 1 || !p.counts(s) {
		return stage.Warning{}, false
	}
	had, now := s.rateAt(past.Step-1, p.Catalog), s.rateAt(past.Step, p.Catalog)
	if math.IsNaN(had) || math.IsNaN(now) || math.IsNaN(past.Rate) || stage.SameRate(had, past.Rate) {
		return stage.Warning{}, false
	}
	return stage.RateJumps(past.Whence, past.Rate, now), true
}
