package graph

import (
	"fmt"

	"qpipe/lang/diag"
)

func noData() Rule {
	return Rule{
		About: diag.About{
			Name: "no-data", Code: diag.MissingData,
			Summary: "a stage has neither train_data nor val_data",
			Doc:     "A network is built for the images of a data set, so every stage needs one.",
		},
		Check: func(p *Plan, report diag.Reporter) {
			for _, s := range p.Stages {
				if s.Train != nil || s.Val != nil || p.Program.Faulty {
					continue
				}
				report(&diag.Diagnostic{
					Subject: s.Origin.Header, Address: s.Origin.Address,
					Summary: fmt.Sprintf("stage %q has no data", s.Name),
					Detail:  "Its network is built for the images of a data set, and validated on them. Add to the stage: val_data = dataset.NAME",
				})
			}
		},
	}
}
