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
			Summary: "a schedule's first point lies at or past the end of training",
			Doc:     "The schedule counts in epochs and the length is given in steps, or the other way round, so that it takes the size of the data to compare them.",
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

func (s *Stage) late(c *program.Callback) *diag.Diagnostic {
	if c.When == nil || s.Trainer == nil || s.Model == nil || (c.When.Unit == program.Epoch) == (s.Trainer.NumEpochs > 0) {
		return nil // in the unit of the length lang/lint has said it
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
		Summary: fmt.Sprintf("%s at %q never fires: training ends before", c.Type, c.When.Text),
		Detail: fmt.Sprintf("The stage has %s of %s, %d an epoch. The last point that fires is %q.",
			diag.Count(s.Length.Steps, "step"), diag.Count(s.Trainer.BatchSize, "image"), s.Length.StepsPerEpoch, last),
	}
}
