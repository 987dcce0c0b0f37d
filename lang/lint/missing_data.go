package lint

import "qpipe/lang/diag"

func missingData() Rule {
	return Rule{
		About: diag.About{
			Name: "missing-data", Code: diag.MissingData,
			Summary: "a stage has no data to work on",
			Doc:     "A trainer and a calibrator read the images of train_data.",
		},
		Check: each(func(p *Pipeline, s *Stage, report diag.Reporter) {
			way := "Add to the stage: train_data = dataset." + p.first("dataset", "name")
			switch {
			case s.Written.TrainData:
			case s.Trainer != nil:
				report(found(at(s.Trainer.Origin, ""), way, "stage %q trains without train_data", s.Name))
			case s.Calibrator != nil:
				report(found(at(s.Calibrator.Origin, ""), way, "stage %q calibrates without train_data", s.Name))
			}
		}),
	}
}
