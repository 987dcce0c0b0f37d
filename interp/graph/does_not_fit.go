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
					s.lossesFit(p, report)
				}
				if s.Data.Val == nil {
					continue
				}
				for _, j := range s.Validation.Metrics {
					if m, err := part.NewMetric(p.Catalog, j); err == nil && !j.Faulty {
						s.misfit(j, part.Fits(m, s.Model.Outputs(), s.Data.Val.Spec.Targets), s.Data.Val, report)
					}
				}
			}
		},
	}
}

// lossesFit reports losses that do not fit. Parts that cannot be made have been reported before.
func (s *Stage) lossesFit(p *Plan, report diag.Reporter) {
	all, _, err := part.NewLosses(p.Catalog, s.Trainer.Losses)
	if err != nil {
		return
	}
	for i, j := range s.Trainer.Losses {
		if !j.Faulty {
			s.misfit(j, part.FitsOne(all, i, s.Model.Outputs(), s.Data.Train.Spec.Targets), s.Data.Train, report)
		}
	}
}

// misfit reports why a loss or a metric does not fit; err is nil if it does.
func (s *Stage) misfit(c program.Judge, err error, f *Feed, report diag.Reporter) {
	if few := (*part.ClassError)(nil); err == nil || errors.As(err, &few) {
		return // classCount reports the latter
	}
	at := c.Origin.Header
	if arg := (*program.ArgError)(nil); errors.As(err, &arg) {
		at, err = c.Origin.At(arg.Attr), arg.Err
	}
	d := &diag.Diagnostic{
		Subject: at, Address: c.Origin.Address,
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
