package callbacks

import "qpipe/interp/stage"

// ValidationArgs are the arguments of Validation.
type ValidationArgs struct {
	Interval      int `arg:"interval,optional" doc:"Validate after every so many epochs; 0 leaves only interval_steps."`
	IntervalSteps int `arg:"interval_steps,optional" doc:"Validate also after every so many steps; 0 is never."`
}

// ValidationDefaults returns Validation's defaults.
func ValidationDefaults() ValidationArgs { return ValidationArgs{Interval: 1} }

// Validate implements the language's check after decoding.
func (a ValidationArgs) Validate() error { return intervals(a.Interval, a.IntervalSteps) }

// intervals checks the two arguments that count epochs and steps.
func intervals(epochs, steps int) error {
	switch {
	case epochs < 0 || epochs > stage.MostEpochs:
		return stage.Bad("interval", "%d epochs; it must be 0 to %d", epochs, stage.MostEpochs)
	case steps < 0 || steps > stage.MostSteps:
		return stage.Bad("interval_steps", "%d steps; it must be 0 to %d", steps, stage.MostSteps)
	}
	return nil
}

type validation struct{ ValidationArgs }

// NewValidation returns the callback that says when the stage validates. Without
// it that is after every epoch. After the last epoch a stage validates in any case.
func NewValidation(a ValidationArgs) (stage.Callback, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	return validation{a}, nil
}

// GovernsValidation implements stage.Validator.
func (validation) GovernsValidation() {}

// Priority implements stage.Prioritized: before checkpoints, which want metrics.
func (validation) Priority() int { return 10 }

// StepEnd implements stage.StepEnder.
func (v validation) StepEnd(s *stage.State) error {
	if v.IntervalSteps == 0 || s.Step%v.IntervalSteps != 0 {
		return nil
	}
	return s.Validate()
}

// EpochEnd implements stage.EpochEnder.
func (v validation) EpochEnd(s *stage.State) error {
	if v.Interval == 0 || s.Epoch%v.Interval != 0 || s.Validated() {
		return nil
	}
	return s.Validate()
}
