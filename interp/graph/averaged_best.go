package graph

import (
	"fmt"

	"qpipe/lang/diag"
)

func averagedBest() Rule {
	return Rule{
		About: diag.About{
			Name: "averaged-best", Code: "QP336", Severity: diag.Warning,
			Summary: "the best checkpoint was chosen by its averaged weights, but its trained weights are loaded",
			Doc:     "A stage that averages weights writes both into its checkpoints. The metrics are measured with the averaged weights.",
		},
		Check: func(p *Plan, report diag.Reporter) {
			for _, s := range p.Stages {
				for _, l := range s.Loads {
					if l.Up == nil || l.From.Which != "best" || l.Options.LoadEMAModel || !l.Up.Averages() || s.Trainer != nil && s.Trainer.ResumeOptimizer {
						continue
					}
					report(&diag.Diagnostic{
						Subject: l.Call.Origin.At("checkpoint_path"), Address: l.Call.Origin.Address,
						Summary: fmt.Sprintf("the best checkpoint of stage %q was chosen by its averaged weights, but its trained weights are loaded", l.Up.Name),
						Detail:  "Its metrics were measured with the averaged weights. To load these, add: load_ema_model = true.",
						Related: []diag.Related{{Message: "the weights are averaged here", Range: averager(l.Up.Stage).Origin.Header}},
					})
				}
			}
		},
	}
}
