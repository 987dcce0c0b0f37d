package graph

import (
	"fmt"

	"qpipe/interp/part"
	"qpipe/lang/diag"
	"qpipe/lang/program"
)

func wrongDirection() Rule {
	return Rule{
		About: diag.About{
			Name: "wrong-direction", Code: "QP337", Severity: diag.Warning,
			Summary: "with this `mode`, the worst checkpoint is chosen as the best",
			Doc:     "Every metric knows whether larger or smaller values are better, so mode can be left out.",
		},
		Check: func(p *Plan, report diag.Reporter) {
			for s, metrics := range p.measuring {
				for _, c := range s.Callbacks {
					if d := direction(c, metrics); d != nil {
						report(d)
					}
				}
			}
		},
	}
}

// direction warns of a callback that would choose the worst checkpoint as the best.
func direction(c program.Callback, metrics []part.Metric) *diag.Diagnostic {
	d, ok := c.Args.(program.Director)
	if !ok || c.Faulty || d.Monitors() == "" || d.Direction() == "" {
		return nil
	}
	right, word := "max", "larger"
	if part.SmallerIsBetter(metrics, d.Monitors()) {
		right, word = "min", "smaller"
	}
	if d.Direction() == right {
		return nil
	}
	return &diag.Diagnostic{
		Subject: c.Origin.At("mode"), Address: c.Origin.Address,
		Summary: fmt.Sprintf("mode = %q chooses the checkpoint with the worst %s as the best", d.Direction(), d.Monitors()),
		Detail:  fmt.Sprintf("For %s, a %s value is better. Write mode = %q, or leave it out.", d.Monitors(), word, right),
		Related: []diag.Related{{Message: "what is monitored", Range: c.Origin.At("monitor")}},
	}
}
