package lint

import (
	"qpipe/lang/diag"
	"qpipe/lang/program"
)

func averagedAbsorbed() Rule {
	return Rule{
		About: diag.About{
			Name: "averaged-absorbed", Code: "QP262", Severity: diag.Warning,
			Summary: "weight averaging together with absorption",
			Doc:     "Averaged weights lag behind the trained ones, so that absorbing their BatchNorms moves the model that is evaluated.",
		},
		Check: each(func(_ *Pipeline, s *Stage, report diag.Reporter) {
			absorber := s.absorber()
			if absorber == nil || s.form != program.QAT || s.Convert.QATMode == "fuse_bn" {
				return
			}
			for _, cb := range s.Callbacks {
				if _, averages := cb.Args.(program.WeightAverager); !averages {
					continue
				}
				d := found(at(cb.Origin, ""),
					"The average is absorbed with its own statistics, apart from the weights that are trained. Use one of the two in a stage.",
					"%s together with %s in stage %q", cb.Type, absorber.Type, s.Name)
				report(related(d, "the absorption is here", absorber.Origin.Header))
			}
		}),
	}
}
