package graph

import "qpipe/lang/diag"

func valuesDiffer() Rule {
	return Rule{
		About: diag.About{
			Name: "values-differ", Code: "QP312", Severity: diag.Warning,
			Summary: "the training and the validation images of a stage are normalized differently",
			Doc:     "What the network has learned of one kind of values says little about the other.",
		},
		Check: func(p *Plan, report diag.Reporter) {
			for s := range p.pairs {
				if s.Data.Alike() && !s.Data.sameValues() {
					report(s.aboutData("the training and the validation images are normalized differently",
						"The network then sees other values than it was trained on: give both data sets the same Normalize."))
				}
			}
		},
	}
}
