package check

import (
	"fmt"

	"qpipe/lang/diag"
	"qpipe/lang/program"
)

// ruleSchedule: a point at or past the end of training never fires. Lengths that
// need the size of the data are left to the graph.
func (c *checker) ruleSchedule(s *stage) {
	length := program.Length{StepsPerEpoch: -1}
	var origin program.Origin
	switch {
	case s.Trainer != nil:
		length.Epochs, length.Steps, origin = s.Trainer.NumEpochs, s.Trainer.NumSteps, s.Trainer.Origin
	case s.Calibrator != nil:
		length.Steps, origin = s.Calibrator.NumSteps, s.Calibrator.Origin
	default:
		return
	}
	for _, cb := range s.Callbacks {
		if cb.When == nil {
			continue
		}
		last, late := cb.When.Late(length)
		if !late {
			continue
		}
		attr, n := "num_epochs", length.Epochs
		if cb.When.Unit == program.Step {
			attr, n = "num_steps", length.Steps
		}
		d := c.errorf(diag.NeverFires, place(cb.Origin, "when"),
			fmt.Sprintf("Points count from 0: the last one is %q. To act after the last step write when = \"end\".", last),
			"%s never acts: training ends after %s", cb.Type, diag.Count(n, cb.When.Unit.String()))
		d.Related = note("the length is set here", origin.At(attr))
	}
}
