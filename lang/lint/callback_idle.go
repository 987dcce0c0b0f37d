package lint

import (
	"qpipe/lang/diag"
	"qpipe/lang/program"
)

func callbackIdle() Rule {
	return Rule{
		About: diag.About{
			Name: "callback-idle", Code: "QP267", Severity: diag.Warning,
			Summary: "the callback never acts",
			Doc:     "Callbacks act while a stage trains or calibrates. A stage without either only converts and validates.",
		},
		Check: each(func(_ *Pipeline, s *Stage, report diag.Reporter) {
			for _, cb := range s.Callbacks {
				_, records := cb.Args.(program.MetricRecorder)
				if s.trains() || cb.Args == nil || records && s.Val != nil {
					continue
				}
				report(found(at(cb.Origin, ""), "The stage only converts and validates. Remove the callback, or add a trainer.",
					"callback %q never acts: stage %q neither trains nor calibrates", cb.Type, s.Name))
			}
		}),
	}
}
