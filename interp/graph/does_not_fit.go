package graph

import (
	"fmt"

	"qpipe/interp/part"
	"qpipe/lang/diag"
	"qpipe/lang/program"
)

func doesNotFit() Rule {
	return Rule{
		About: diag.About{
			Name: "does-not-fit", Code: "QP311",
			Summary: "a loss or a metric does not take what the network answers, or what the data asks for",
			Doc:     "A loss for classes needs values for each class, one for masks an output of their size, one for numbers numbers.",
		},
		Check: func(p *Plan, report diag.Reporter) {
			for _, s := range p.Stages {
				if s.Model == nil {
					continue
				}
				if t := s.Trainer; t != nil && s.Data.Train != nil {
					fits[part.Loss](p, s, t.Loss, s.Data.Train, report)
				}
				if s.Data.Val == nil {
					continue
				}
				for _, m := range s.Validation.Metrics {
					fits[part.Metric](p, s, m, s.Data.Val, report)
				}
			}
		},
	}
}

// fits reports a part that does not take what there is. One that cannot be made has been reported.
func fits[P any](p *Plan, s *Stage, c program.Call, f *Feed, report diag.Reporter) {
	judge, err := part.New[P](p.Catalog, c)
	if err != nil || c.Faulty {
		return
	}
	if err := part.Fits(judge, s.Model.Outputs(), f.Spec.Targets); err != nil {
		report(&diag.Diagnostic{
			Subject: c.Origin.Header, Address: c.Origin.Address,
			Summary: fmt.Sprintf("%s does not fit: %v", c.Type, err),
			Detail:  fmt.Sprintf("The data asks for %s.", f.Spec.TargetText()),
			Related: []diag.Related{{Message: "the data", Range: f.Set.Origin.Header}, {Message: "the network", Range: s.Stage.Model.Origin.Header}},
		})
	}
}
