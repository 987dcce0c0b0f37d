package lint

import "qpipe/lang/diag"

func twoSolvers() Rule {
	return Rule{
		About: diag.About{
			Name: "two-solvers", Code: "QP230",
			Summary: "a stage has both a trainer and a calibrator",
			Doc:     "A stage changes its model in one way: it trains, or it observes ranges. Two stages, one after the other, do both.",
		},
		Check: each(func(_ *Pipeline, s *Stage, report diag.Reporter) {
			if s.Trainer == nil || s.Calibrator == nil {
				return
			}
			report(related(found(at(s.Calibrator.Origin, ""), "Make two stages of it; the second loads the first one's checkpoint.",
				"stage %q has both a trainer and a calibrator", s.Name), "the trainer is here", s.Trainer.Origin.Header))
		}),
	}
}
