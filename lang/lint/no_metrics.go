package lint

import (
	"fmt"
	"strings"

	"qpipe/lang/diag"
)

func noMetrics() Rule {
	return Rule{
		About: diag.About{
			Name: "no-metrics", Code: "QP241",
			Summary: "the stage referred to measures no such metric",
			Doc: "Metrics come from the validation on val_data, the loss also from training. Which metrics a validation measures is known " +
				"to the graph; this rule knows whether there is a validation.",
		},
		Check: func(p *Pipeline, report diag.Reporter) {
			for _, s := range p.Stages {
				for i := range s.Callbacks {
					cb := &s.Callbacks[i]
					if metric, written := watched(cb); !s.Broken && written && !cb.Faulty && !s.measures(metric) {
						report(found(at(cb.Origin, "monitor"), "Add to the stage: val_data = dataset."+p.first("dataset", "name")+".",
							"stage %q does not measure %q: it has no val_data", s.Name, metric))
					}
				}
			}
			for r := range p.references() {
				s := p.stage(r.Stage)
				metric, ok := strings.CutPrefix(r.What, "metrics.")
				if s == nil || !ok || s.measures(metric) {
					continue
				}
				detail := "Add to that stage: val_data = dataset." + p.first("dataset", "name")
				if s.Trainer != nil {
					detail += fmt.Sprintf(". Without validation there is only stage.%s.metrics.loss", s.Name)
				}
				report(related(found(place{address: r.Address, subject: r.Range}, detail+".",
					"stage %q does not measure %q: it has no val_data", s.Name, metric), "the stage is here", s.Origin.Header))
			}
		},
	}
}
