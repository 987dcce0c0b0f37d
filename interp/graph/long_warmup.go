package graph

import (
	"fmt"

	"qpipe/interp/part"
	"qpipe/lang/diag"
)

func longWarmup() Rule {
	return Rule{
		About: diag.About{
			Name: "long-warmup", Code: "QP316", Severity: diag.Warning,
			Summary: "the learning rate's warm-up is as long as the training",
			Doc:     "Training ends before the learning rate has reached the lr of the optimizer.",
		},
		Check: func(p *Plan, report diag.Reporter) {
			for _, s := range p.Stages {
				t, n := s.Trainer, s.Length
				if t == nil || t.LRUpdater == nil || t.LRUpdater.Faulty || n.Steps <= 0 || n.StepsPerEpoch <= 0 {
					continue
				}
				u, err := part.New[part.LRUpdater](p.Catalog, *t.LRUpdater)
				w, ok := u.(part.Warmer)
				if err != nil || !ok {
					continue
				}
				steps := w.WarmupSteps(part.Progress{StepsPerEpoch: n.StepsPerEpoch, Epochs: n.Epochs, Steps: n.Steps})
				if steps < n.Steps {
					continue
				}
				o := t.LRUpdater.Origin
				report(&diag.Diagnostic{
					Subject: o.At("warmup_len"), Address: o.Address,
					Summary: fmt.Sprintf("the warm-up lasts %s, and training ends after %d", diag.Count(steps, "step"), n.Steps),
					Detail:  "The learning rate never reaches the lr of the optimizer. Make warmup_len smaller, or check warmup_by: it says in which unit warmup_len is.",
				})
			}
		},
	}
}
