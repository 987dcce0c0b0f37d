package lint

import (
	"qpipe/lang/diag"
	"qpipe/lang/program"
)

func noQConfig() Rule {
	return Rule{
		About: diag.About{
			Name: "no-qconfig", Code: "QP242",
			Summary: "a stage quantizes without a qconfig",
			Doc:     "A converter that leaves the float form needs to know the data types and observers.",
		},
		Check: each(func(p *Pipeline, s *Stage, report diag.Reporter) {
			if s.Convert == nil || s.Written.QConfig {
				return
			}
			for i, sig := range s.Converters {
				if sig.From == program.Float && sig.To != program.AnyForm {
					report(related(found(at(s.Convert.Origin, ""), "Add: qconfig = qconfig."+p.first("qconfig", "int8"),
						"stage %q quantizes without a qconfig", s.Name), "this converter needs it", s.Convert.Converters[i].Origin.Header))
					return
				}
			}
		}),
	}
}
