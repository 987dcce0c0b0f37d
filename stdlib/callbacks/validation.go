package callbacks

import "qpipe/interp/part"

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
	case epochs < 0 || epochs > part.MostEpochs:
		return part.Bad("interval", "%d epochs; it must be 0 to %d", epochs, part.MostEpochs)
	case steps < 0 || steps > part.MostSteps:
		return part.Bad("interval_steps", "%d steps; it must be 0 to %d", steps, part.MostSteps)
	}
	return nil
}

type validation struct{ ValidationArgs }

// NewValidation returns the callback that decides when the stage validates. Without it that is after every epoch. A
// stage always validates after the last epoch.
func NewValidation(a ValidationArgs) (part.Callback, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	return validation{a}, nil
}

// GovernsValidation implements part.Validator.
func (validation) GovernsValidation() {}

// Priority implements part.Prioritized: before checkpoints, which need metrics.
func (validation) Priority() int { return 10 }

// StepEnd implements part.StepEnder.
func (v validation) StepEnd(s *part.State) error {
	if v.IntervalSteps == 0 || s.Step%v.IntervalSteps != 0 {
		return nil
	}
	return s.Validate()
}

// EpochEnd implements part.EpochEnder.
func (v validation) EpochEnd(s *part.State) error {
	if v.Interval == 0 || s.Epoch%v.Interval != 0 || s.Validated() {
		return nil
	}
	return s.Validate()
}
