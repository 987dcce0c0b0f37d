package lint

import (
	"qpipe/lang/diag"
	"qpipe/lang/program"
)

func nothingToAbsorb() Rule {
	return Rule{
		About: diag.About{
			Name: "nothing-to-absorb", Code: "QP232",
			Summary: "a callback absorbs BatchNorms where there are none to absorb",
			Doc:     "Absorbing needs a QAT model that still has its BatchNorms. fuse_bn folds them all before training.",
		},
		Check: each(func(_ *Pipeline, s *Stage, report diag.Reporter) {
			for _, cb := range s.Callbacks {
				_, absorbs := cb.Args.(program.BNAbsorber)
				switch {
				case !absorbs || !s.sound:
				case s.form != program.QAT:
					report(found(at(cb.Origin, ""),
						`Absorption belongs in QAT: put it in a stage whose converters end in "Float2QAT", with qat_mode = "with_bn_reverse_fold".`,
						"%s in stage %q, whose model is %s", cb.Type, s.Name, s.form))
				case s.Convert.QATMode == "fuse_bn":
					d := found(at(cb.Origin, ""),
						`Remove it, or set qat_mode = "with_bn_reverse_fold" to train with the BatchNorms and absorb them step by step.`,
						"%s finds nothing to absorb: under fuse_bn every BatchNorm is folded before training", cb.Type)
					report(related(d, "the mode is set here", s.Convert.Origin.At("qat_mode")))
				}
			}
		}),
	}
}
