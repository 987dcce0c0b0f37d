package check

import (
	"fmt"

	"qpipe/lang/diag"
)

// ruleResume: the epoch and the step belong to the optimizer's state; resuming
// them alone would continue a schedule with a fresh optimizer. And there must be
// an optimizer to resume: a calibration has none.
func (c *checker) ruleResume(s *stage) {
	t := s.Trainer
	switch {
	case t == nil:
	case t.ResumeOptimizer:
		c.resumable(s)
	case t.ResumeEpochOrStep:
		c.errorf(diag.ResumeMismatch, place(t.Origin, "resume_epoch_or_step"),
			"Set resume_optimizer = true for full recovery, or leave resume_epoch_or_step out to start at epoch 0.",
			"resume_epoch_or_step needs resume_optimizer")
	}
}

// resumable reports a stage that would resume the optimizer of a calibration.
func (c *checker) resumable(s *stage) {
	loads := s.loads()
	if len(loads) == 0 {
		return
	}
	l := loads[len(loads)-1]
	from := c.stageNamed(l.checkpoint.Stage)
	if from == nil || from.Calibrator == nil || from.Trainer != nil {
		return
	}
	d := c.errorf(diag.ResumeMismatch, place(s.Trainer.Origin, "resume_optimizer"),
		fmt.Sprintf("The checkpoint of stage %q is that of a calibration. Set resume_optimizer = false.", from.Name),
		"stage %q has no optimizer to resume", s.Name)
	d.Related = note("the checkpoint is loaded here", place(l.call.Origin, l.attr).subject)
}
