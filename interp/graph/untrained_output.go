package graph

import (
	"fmt"

	"qpipe/interp/part"
	"qpipe/lang/diag"
)

func untrainedOutput() Rule {
	return Rule{
		About: diag.About{
			Name: "untrained-output", Code: "QP338", Severity: diag.Warning,
			Summary: "no loss sees an output of the network",
			Doc:     "Layers that only this output reads are not trained. A loss names the output that it sees; one that names none sees all.",
		},
		Check: func(p *Plan, report diag.Reporter) {
			for _, s := range p.Stages {
				if s.Trainer == nil || s.Model == nil || s.Data.Train == nil {
					continue
				}
				all, _, err := part.NewLosses(p.Catalog, s.Trainer.Losses)
				if err != nil || part.Fits(all, s.Model.Outputs(), s.Data.Train.Spec.Targets) != nil {
					continue // reported
				}
				if unseen := all.Unseen(s.Model.Outputs()); len(unseen) > 0 {
					report(&diag.Diagnostic{
						Subject: s.Trainer.Origin.Header, Address: s.Trainer.Origin.Address,
						Summary: fmt.Sprintf("no loss of stage %q sees the output %s", s.Name, Some(unseen)),
						Detail:  fmt.Sprintf("The layers that only this output reads stay as they are. Add: loss \"CrossEntropyLoss\" { output = %q }", unseen[0]),
					})
				}
			}
		},
	}
}
