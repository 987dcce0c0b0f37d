package graph

import (
	"fmt"

	"qpipe/lang/diag"
	"qpipe/lang/program"
)

func firesTooLate() Rule {
	return Rule{
		About: diag.About{
			Name: "fires-too-late", Code: "QP306",
			Summary: "the first point of a schedule lies at or after the end of training",
			Doc:     "This rule is for schedules in epochs where the length is given in steps, or the other way round. To compare these, the size of the data must be known.",
		},
		Check: func(p *Plan, report diag.Reporter) {
			for _, s := range p.Stages {
				for i := range s.Callbacks {
					if d := s.late(&s.Callbacks[i]); d != nil {
						report(d)
					}
				}
			}
		},
	}
}

// late reports a callback that never acts because training ends before.
func (s *Stage) late(c *program.Callback) *diag.Diagnostic {
	if c.When == nil || s.Trainer == nil || s.Model == nil || (c.When.Unit == program.Epoch) == (s.Trainer.NumEpochs > 0) {
		return nil // lang/lint checks schedules that have the same unit as the length
	}
	last, late := c.When.Late(s.Length)
	if !late {
		return nil
	}
	at := c.When.Range
	if at.Empty() {
		at = c.Origin.At("when")
	}
	return &diag.Diagnostic{
		Subject: at, Address: c.Origin.Address,
		Summary: fmt.Sprintf("%s at %q never acts: training ends before", c.Type, c.When.Text),
		Detail: fmt.Sprintf("The stage has %s of %s, %d for each epoch. The last possible point is %q.",
			diag.Count(s.Length.Steps, "step"), diag.Count(s.Trainer.BatchSize, "image"), s.Length.StepsPerEpoch, last),
	}
}
