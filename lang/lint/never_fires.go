package lint

import (
	"fmt"

	"qpipe/lang/diag"
	"qpipe/lang/program"
)

func neverFires() Rule {
	return Rule{
		About: diag.About{
			Name: "never-fires", Code: "QP238",
			Summary: "the schedule lies at or past the end of training",
			Doc:     "Points count from 0, so the last epoch of ten is epoch 9. A length that needs the size of the data is left to the graph.",
		},
		Check: each(func(_ *Pipeline, s *Stage, report diag.Reporter) {
			length, origin, ok := s.length()
			for _, cb := range s.Callbacks {
				if !ok || cb.When == nil {
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
				d := found(at(cb.Origin, "when"),
					fmt.Sprintf("Points count from 0: the last one is %q. To act after the last step write when = \"end\".", last),
					"%s never acts: training ends after %s", cb.Type, diag.Count(n, cb.When.Unit.String()))
				report(related(d, "the length is set here", origin.At(attr)))
			}
		}),
	}
}

// length is how long the stage trains or calibrates, as far as its text says it.
func (s *Stage) length() (program.Length, program.Origin, bool) {
	length := program.Length{StepsPerEpoch: -1}
	switch {
	case s.Trainer != nil:
		length.Epochs, length.Steps = s.Trainer.NumEpochs, s.Trainer.NumSteps
		return length, s.Trainer.Origin, true
	case s.Calibrator != nil:
		length.Steps = s.Calibrator.NumSteps
		return length, s.Calibrator.Origin, true
	}
	return length, program.Origin{}, false
}
