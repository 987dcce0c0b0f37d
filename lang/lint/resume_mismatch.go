package lint

import (
	"fmt"

	"qpipe/lang/diag"
)

func resumeMismatch() Rule {
	return Rule{
		About: diag.About{
			Name: "resume-mismatch", Code: "QP236",
			Summary: "epoch or step cannot be resumed without the optimizer",
			Doc: "The epoch and the step belong to the optimizer's state: alone they would continue a schedule with a fresh optimizer. " +
				"And the checkpoint must hold an optimizer that has trained a model of this form.",
		},
		Check: each(func(p *Pipeline, s *Stage, report diag.Reporter) {
			t := s.Trainer
			switch {
			case t == nil:
			case t.ResumeOptimizer:
				if d := p.nothingToResume(s); d != nil {
					report(d)
				}
			case t.ResumeEpochOrStep:
				report(found(at(t.Origin, "resume_epoch_or_step"),
					"Set resume_optimizer = true for full recovery, or leave resume_epoch_or_step out to start at epoch 0.",
					"resume_epoch_or_step needs resume_optimizer"))
			}
		}),
	}
}

// nothingToResume reports a stage whose checkpoint holds no optimizer, or that of a model in another
// form: its parameters are others.
func (p *Pipeline) nothingToResume(s *Stage) *diag.Diagnostic {
	if len(s.loads) == 0 {
		return nil
	}
	l := s.loads[len(s.loads)-1]
	from := p.stage(l.checkpoint.Stage)
	if from == nil || from == s || !from.trains() {
		return nil
	}
	var why string
	switch {
	case from.Trainer == nil:
		why = fmt.Sprintf("The checkpoint of stage %q is that of a calibration, which has none.", from.Name)
	case s.sound && from.sound && from.form != s.form:
		why = fmt.Sprintf("The optimizer of stage %q has trained %s model, and this stage trains %s model.", from.Name, diag.Article(from.form), diag.Article(s.form))
	default:
		return nil
	}
	d := found(at(s.Trainer.Origin, "resume_optimizer"), why+" Set resume_optimizer = false.", "stage %q has no optimizer to resume", s.Name)
	return related(d, "the checkpoint is loaded here", at(l.call.Origin, l.attr).subject)
}
