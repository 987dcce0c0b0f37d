package graph

import "qpipe/lang/diag"

func sharedImages() Rule {
	return Rule{
		About: diag.About{
			Name: "shared-images", Code: "QP317", Severity: diag.Warning,
			Summary: "a stage validates on images that it trains on",
			Doc:     "A validation tells how a model does on images that it has not seen.",
		},
		Check: func(p *Plan, report diag.Reporter) {
			for s := range p.pairs {
				if s.Data.Alike() && s.Data.sameValues() && s.Data.shares() {
					report(s.aboutData("the validation data has images that the stage trains on",
						`What is chosen by them, like "best", is chosen by what was learnt. Take another split, or give both data sets the same seed and val_samples.`))
				}
			}
		},
	}
}
