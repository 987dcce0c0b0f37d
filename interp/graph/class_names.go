package graph

import (
	"fmt"
	"slices"

	"qpipe/interp/part"
	"qpipe/lang/diag"
)

func classNames() Rule {
	return Rule{
		About: diag.About{
			Name: "class-names", Code: "QP312", Severity: diag.Warning,
			Summary: "the classes of the training and the validation data of a stage have different names",
			Doc:     "Labels are compared by their numbers. If a number stands for another class in the validation data, right answers count as wrong ones.",
		},
		Check: func(p *Plan, report diag.Reporter) {
			for s := range p.pairs {
				if !s.Data.Alike() {
					continue
				}
				for k, t := range s.Data.Train.Spec.Targets {
					v := s.Data.Val.Spec.Targets[k]
					for i := range min(len(t.Names), len(v.Names)) {
						if t.Names[i] != v.Names[i] {
							report(s.aboutData(fmt.Sprintf("label %d is %q in the training data, and %q in the validation data", i, t.Names[i], v.Names[i]), apart(t, v)))
							break
						}
					}
				}
			}
		},
	}
}

// apart says which classes only one of two targets has, "" for none.
func apart(train, val part.TargetSpec) (text string) {
	only := func(what string, a, b []string) {
		rest := slices.DeleteFunc(slices.Clone(a), func(name string) bool { return slices.Contains(b, name) })
		if len(rest) > 0 && len(b) > 0 {
			text += fmt.Sprintf("Only in the %s data: %s. ", what, diag.Enumerate(rest))
		}
	}
	only("training", train.Names, val.Names)
	only("validation", val.Names, train.Names)
	if text != "" {
		text += "class_names gives both data sets the same names."
	}
	return text
}
