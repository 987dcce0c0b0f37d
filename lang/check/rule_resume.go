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

// resumable reports a stage whose checkpoint holds no optimizer, or that of a
// model in another form: its parameters are others.
func (c *checker) resumable(s *stage) {
	loads := s.loads()
	if len(loads) == 0 {
		return
	}
	l := loads[len(loads)-1]
	from := c.stageNamed(l.checkpoint.Stage)
	if from == nil || from == s || !from.trains() {
		return
	}
	var why string
	switch {
	case from.Trainer == nil:
		why = fmt.Sprintf("The checkpoint of stage %q is that of a calibration, which has none.", from.Name)
	case s.sound && from.sound && from.form != s.form:
		why = fmt.Sprintf("The optimizer of stage %q has trained %s model, and this stage trains %s model.", from.Name, article(from.form), article(s.form))
	default:
		return
	}
	d := c.errorf(diag.ResumeMismatch, place(s.Trainer.Origin, "resume_optimizer"), why+" Set resume_optimizer = false.",
		"stage %q has no optimizer to resume", s.Name)
	d.Related = note("the checkpoint is loaded here", place(l.call.Origin, l.attr).subject)
}
