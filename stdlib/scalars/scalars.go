package scalars

import "qpipe/interp/part"

// Every is the argument that both callbacks have.
type Every struct {
	IntervalSteps int `arg:"interval_steps,optional" doc:"Record the loss of the batch and the learning rate after every so many steps, too; 0 records only epochs and validations."`
}

// Validate implements the language's check after decoding.
func (e Every) Validate() error {
	if e.IntervalSteps < 0 || e.IntervalSteps > part.MostSteps {
		return part.Bad("interval_steps", "%d steps; it must be 0 to %d", e.IntervalSteps, part.MostSteps)
	}
	return nil
}

// RecordsMetrics implements the language's question to callbacks that write down what is measured.
func (Every) RecordsMetrics() {}

// takes reports whether the step is one of those to record.
func (e Every) takes(step int) bool { return e.IntervalSteps > 0 && step%e.IntervalSteps == 0 }

// Priority implements part.Prioritized: a step is measured before anything else happens after it.
func (Every) Priority() int { return 0 }

// StepEnd implements part.StepEnder.
func (e Every) StepEnd(s *part.State) error {
	if !e.takes(s.Step) {
		return nil
	}
	return s.Note()
}

// points returns those that are to be recorded. The steps of other callbacks are not among them.
func (e Every) points(all []part.Point) (list []part.Point) {
	for _, p := range all {
		if p.Kind != step || e.takes(p.Step) {
			list = append(list, p)
		}
	}
	return list
}

// The kinds of points: see part.Point.
const (
	step       = "step"
	validation = "validation"
)
