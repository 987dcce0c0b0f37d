package lint

import "qpipe/lang/diag"

func dataUnused() Rule {
	return Rule{
		About: diag.About{
			Name: "data-unused", Code: "QP266", Severity: diag.Warning,
			Summary: "a data set is given that the stage does not read",
			Doc:     "train_data is for a trainer or a calibrator. A stage without either only converts and validates.",
		},
		Check: each(func(_ *Pipeline, s *Stage, report diag.Reporter) {
			if !s.Written.TrainData || s.trains() {
				return
			}
			report(found(place{address: s.Origin.Address, subject: s.Origin.Names["train_data"]},
				"The stage only converts and validates. Remove train_data, or add a trainer or a calibrator.", "stage %q does not read train_data", s.Name))
		}),
	}
}
