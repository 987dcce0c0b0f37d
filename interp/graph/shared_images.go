package graph

import "qpipe/lang/diag"

func sharedImages() Rule {
	return Rule{
		About: diag.About{
			Name: "shared-images", Code: "QP317", Severity: diag.Warning,
			Summary: "a stage validates on images that it trains on",
			Doc:     "Validation should measure how well a model works on images that it has not seen.",
		},
		Check: func(p *Plan, report diag.Reporter) {
			for s := range p.pairs {
				if s.Data.Alike() && s.Data.sameValues() && s.Data.shares() {
					report(s.aboutData("the validation data has images that the stage trains on",
						`Metrics are too good on images that the model has seen, and "best" is chosen by them. Use another split, or give both data sets the same seed and val_samples.`))
				}
			}
		},
	}
}
