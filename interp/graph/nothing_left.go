package graph

import (
	"fmt"

	"qpipe/interp/stage"
	"qpipe/lang/diag"
)

func nothingLeft() Rule {
	return Rule{
		About: diag.About{
			Name: "nothing-left", Code: diag.NothingLeft, Severity: diag.Warning,
			Summary: "a stage continues from a checkpoint that has already reached the stage's last step",
			Doc:     "A full recovery continues the checkpoint's count of steps, so the length of the stage includes the steps that are already done.",
		},
		Check: func(p *Plan, report diag.Reporter) {
			for _, s := range p.Stages {
				if w, ok := p.nothingLeft(s); ok {
					report(s.warning(w, s.Trainer.Origin, trainerAt(s, s.lengthAttr())))
				} else if p.mayEnd(s) {
					report(&diag.Diagnostic{
						Subject: trainerAt(s, s.lengthAttr()), Address: s.Trainer.Origin.Address,
						Summary: fmt.Sprintf("stage %q ends after %s, and the best checkpoint of %s may be from that step or a later one", s.Name, diag.Count(s.Length.Steps, "step"), s.Past.Whence),
						Detail:  "Full recovery continues the checkpoint's count of steps. At which step the best checkpoint is written is known only during the run. Make the stage longer, or set resume_epoch_or_step = false.",
						Related: s.Past.related(),
					})
				}
			}
		},
	}
}

// nothingLeft returns the warning that the run would give for a stage whose steps are all done.
func (p *Plan) nothingLeft(s *Stage) (stage.Warning, bool) {
	if s.Past == nil || s.Length.Steps <= 0 || s.Past.Step != s.Length.Steps || !s.Trainer.ResumeEpochOrStep || !p.recovers(s) || s.unfitPlace() != nil {
		return stage.Warning{}, false
	}
	return stage.NothingLeft(s.Past.Whence, s.Past.Step), true
}

// mayEnd reports whether the checkpoint may be from the stage's last step or a later one. It is a best
// checkpoint of another stage, whose step is known only during the run.
func (p *Plan) mayEnd(s *Stage) bool {
	return s.Past != nil && s.Past.Step < 0 && s.Past.Load.Up != nil && s.Length.Steps > 0 && s.Past.Load.Up.Length.Steps >= s.Length.Steps &&
		s.Trainer.ResumeEpochOrStep && p.recovers(s) && s.unfitPlace() == nil
}
