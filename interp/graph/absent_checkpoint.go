package graph

import (
	"fmt"

	"qpipe/lang/diag"
)

func absentCheckpoint() Rule {
	return Rule{
		About: diag.About{
			Name: "absent-checkpoint", Code: "QP314", Severity: diag.Warning,
			Summary: "the file of a checkpoint does not exist (yet)",
			Doc:     "Another run may still write it. Without the file, the stage fails.",
		},
		Check: func(p *Plan, report diag.Reporter) {
			for _, s := range p.Stages {
				for _, l := range s.Loads {
					if l.Missing == "" {
						continue
					}
					report(&diag.Diagnostic{
						Subject: l.Call.Origin.At("checkpoint_path"), Address: l.Call.Origin.Address,
						Summary: fmt.Sprintf("the checkpoint %s does not exist", l.From.Path),
						Detail:  fmt.Sprintf("The path is relative to the pipeline's folder: %s. Without the file, stage %q will fail.", l.Missing, s.Name),
					})
				}
			}
		},
	}
}
