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
			Summary: "the checkpoint that a stage continues from has all its steps behind it",
			Doc:     "A full recovery continues to count where the checkpoint was written, so the stage's length is that of both trainings together.",
		},
		Check: func(p *Plan, report diag.Reporter) {
			for _, s := range p.Stages {
				if w, ok := p.nothingLeft(s); ok {
					report(s.warning(w, s.Trainer.Origin, trainerAt(s, s.lengthAttr())))
				} else if p.mayEnd(s) {
					report(&diag.Diagnostic{
						Subject: trainerAt(s, s.lengthAttr()), Address: s.Trainer.Origin.Address,
						Summary: fmt.Sprintf("the best checkpoint of %s may lie at or past the end of stage %q, after %s", s.Past.Whence, s.Name, diag.Count(s.Length.Steps, "step")),
						Detail:  "Full recovery continues counting where the checkpoint was written, and at which step that is only the run will know. Make the stage longer, or set resume_epoch_or_step = false.",
						Related: s.Past.related(),
					})
				}
			}
		},
	}
}

// nothingLeft is what the run says of a stage whose steps are all done.
func (p *Plan) nothingLeft(s *Stage) (stage.Warning, bool) {
	if s.Past == nil || s.Length.Steps <= 0 || s.Past.Step != s.Length.Steps || !s.Trainer.ResumeEpochOrStep || !p.recovers(s) || s.unfitPlace() != nil {
		return stage.Warning{}, false
	}
	return stage.NothingLeft(s.Past.Whence, s.Past.Step), true
}

// mayEnd reports whether the checkpoint may have been written at a step that the stage does not reach.
func (p *Plan) mayEnd(s *Stage) bool {
	return s.Past != nil && s.Past.Step < 0 && s.Past.Load.Up != nil && s.Length.Steps > 0 && s.Past.Load.Up.Length.Steps >= s.Length.Steps &&
		s.Trainer.ResumeEpochOrStep && p.recovers(s) && s.unfitPlace() == nil
}
