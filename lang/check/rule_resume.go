package check

import "qpipe/lang/diag"

// ruleResume: the epoch and the step belong to the optimizer's state; resuming
// them alone would continue a schedule with a fresh optimizer.
func (c *checker) ruleResume(s *stage) {
	t := s.Trainer
	if t == nil || !t.ResumeEpochOrStep || t.ResumeOptimizer {
		return
	}
	c.errorf(diag.ResumeMismatch, place(t.Origin, "resume_epoch_or_step"),
		"Set resume_optimizer = true for full recovery, or leave resume_epoch_or_step out to start at epoch 0.",
		"resume_epoch_or_step needs resume_optimizer")
}
