package graph

import (
	"errors"
	"fmt"

	"qpipe/interp/part"
	"qpipe/lang/diag"
	"qpipe/lang/program"
)

func doesNotFit() Rule {
	return Rule{
		About: diag.About{
			Name: "does-not-fit", Code: "QP311",
			Summary: "a loss or a metric cannot use the network's outputs or the data's targets",
			Doc:     "A loss for classes needs an output with a value for each class. A loss for masks needs an output of the mask's size. A loss for numbers needs targets that are numbers.",
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

// fits reports a loss or a metric that does not fit. A part that cannot be made has been reported before.
func fits[P any](p *Plan, s *Stage, c program.Call, f *Feed, report diag.Reporter) {
	judge, err := part.New[P](p.Catalog, c)
	if err != nil || c.Faulty {
		return
	}
	err = part.Fits(judge, s.Model.Outputs(), f.Spec.Targets)
	if err == nil {
		return
	}
	d := &diag.Diagnostic{
		Subject: c.Origin.Header, Address: c.Origin.Address,
		Summary: fmt.Sprintf("%s does not fit: %v", c.Type, err),
		Detail:  fmt.Sprintf("The targets of the data: %s.", f.Spec.TargetText()),
		Related: []diag.Related{{Message: "the data", Range: f.Set.Origin.Header}, {Message: "the network", Range: s.Stage.Model.Origin.Header}},
	}
	var crash *part.Panic
	if errors.As(err, &crash) {
		d.Summary, d.Detail, d.Stack = fmt.Sprintf("%s: %v", c.Type, err), crash.Detail(), string(crash.Stack)
	}
	report(d)
}
