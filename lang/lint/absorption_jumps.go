package lint

import (
	"qpipe/lang/diag"
	"qpipe/lang/program"
)

func absorptionJumps() Rule {
	return Rule{
		About: diag.About{
			Name: "absorption-jumps", Code: "QP261", Severity: diag.Warning,
			Summary: "absorbing during training changes the output",
			Doc: "Absorbing a BatchNorm is lossless only where the scale of the weight fits the product of the two. " +
				"Under with_bn it fits if the scale is computed again, channel by channel.",
		},
		Check: each(func(_ *Pipeline, s *Stage, report diag.Reporter) {
			if !s.sound || s.form != program.QAT || s.Convert.QATMode != "with_bn" || s.Trainer == nil {
				return
			}
			for _, cb := range s.Callbacks {
				a, absorbs := cb.Args.(program.BNAbsorber)
				switch {
				case !absorbs:
				case a.KeepsScale():
					report(found(at(cb.Origin, ""),
						`The weight keeps a scale that has not seen the BatchNorm. qat_mode = "with_bn_reverse_fold" absorbs without loss, and so does weight_scale = "recompute".`,
						"absorbing under with_bn changes the output of stage %q", s.Name))
				case s.Convert.QConfig != nil && !s.Convert.QConfig.Weight.PerChannel:
					d := found(at(cb.Origin, ""),
						`A weight with one scale for all channels cannot fit the absorbed ones. qat_mode = "with_bn_reverse_fold" absorbs without loss, and so does per_channel = true.`,
						"absorbing under with_bn changes the output of stage %q", s.Name)
					report(related(d, "the weight's scale is said here", s.Convert.QConfig.Weight.Origin.Header))
				}
			}
		}),
	}
}
