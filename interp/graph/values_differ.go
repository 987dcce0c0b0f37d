package graph

import "qpipe/lang/diag"

func valuesDiffer() Rule {
	return Rule{
		About: diag.About{
			Name: "values-differ", Code: "QP312", Severity: diag.Warning,
			Summary: "the training and the validation images of a stage are normalized differently",
			Doc:     "A network works only on the kind of values that it was trained on.",
		},
		Check: func(p *Plan, report diag.Reporter) {
			for s := range p.pairs {
				if s.Data.Alike() && !s.Data.sameValues() {
					report(s.aboutData("the training and the validation images are normalized differently",
						"In validation the network gets other values than in training: give both data sets the same Normalize."))
				}
			}
		},
	}
}
