package graph

import (
	"fmt"

	"qpipe/lang/diag"
)

func dataDiffer() Rule {
	return Rule{
		About: diag.About{
			Name: "data-differ", Code: "QP312",
			Summary: "the training and the validation data of a stage differ in shape or classes",
			Doc:     "The same network has to take both.",
		},
		Check: func(p *Plan, report diag.Reporter) {
			for s := range p.pairs {
				a, b := s.Data.Train.Spec, s.Data.Val.Spec
				switch {
				case !s.Data.sameInputs():
					report(s.aboutData(fmt.Sprintf("the training images are %s, the validation images %s", a.InputText(), b.InputText()),
						"The same network has to take both: give both data sets the same transforms that change the size."))
				case !s.Data.Alike():
					report(s.aboutData(fmt.Sprintf("the training data has %s, the validation data %s", a.TargetText(), b.TargetText()), s.Data.apart()))
				}
			}
		},
	}
}

// apart says which classes only the training or the validation data has, "" for none.
func (d Data) apart() (text string) {
	for k := range min(len(d.Train.Spec.Targets), len(d.Val.Spec.Targets)) {
		text += apart(d.Train.Spec.Targets[k], d.Val.Spec.Targets[k])
	}
	return text
}

// aboutData makes a diagnostic about the training and the validation data of a stage.
func (s *Stage) aboutData(summary, detail string) *diag.Diagnostic {
	return &diag.Diagnostic{
		Subject: s.Origin.At("val_data"), Address: s.Origin.Address, Summary: summary, Detail: detail,
		Related: []diag.Related{
			{Message: "the training data", Range: s.Data.Train.Set.Origin.Header},
			{Message: "the validation data", Range: s.Data.Val.Set.Origin.Header},
		},
	}
}
