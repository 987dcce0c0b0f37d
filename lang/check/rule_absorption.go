package check

import (
	"qpipe/lang/diag"
	"qpipe/lang/program"
)

// ruleAbsorption: absorbing needs a QAT model that still has BatchNorms, and is
// lossless only where the weight's scale has seen them.
func (c *checker) ruleAbsorption(s *stage) {
	if !s.sound {
		return
	}
	for _, cb := range s.Callbacks {
		a, ok := cb.Args.(program.BNAbsorber)
		if !ok {
			continue
		}
		switch {
		case s.form != program.QAT:
			c.errorf(diag.NothingToAbsorb, place(cb.Origin, ""),
				`Absorption belongs in QAT: put it in a stage whose converters end in "Float2QAT", with qat_mode = "with_bn_reverse_fold".`,
				"%s in stage %q, whose model is %s", cb.Type, s.Name, s.form)
		case s.Convert.QATMode == "fuse_bn":
			d := c.errorf(diag.NothingToAbsorb, place(cb.Origin, ""),
				`Remove it, or set qat_mode = "with_bn_reverse_fold" to train with the BatchNorms and absorb them step by step.`,
				"%s finds nothing to absorb: under fuse_bn every BatchNorm is folded before training", cb.Type)
			d.Related = note("the mode is set here", s.Convert.Origin.At("qat_mode"))
		case s.Convert.QATMode == "with_bn" && a.KeepsScale() && s.Trainer != nil:
			c.warnf(diag.AbsorptionJumps, place(cb.Origin, ""),
				`The weight keeps a scale that has not seen the BatchNorm. qat_mode = "with_bn_reverse_fold" absorbs without loss, and so does weight_scale = "recompute".`,
				"absorbing under with_bn changes the output of stage %q", s.Name)
		case s.Convert.QATMode == "with_bn" && s.Convert.QConfig != nil && !s.Convert.QConfig.Weight.PerChannel && s.Trainer != nil:
			d := c.warnf(diag.AbsorptionJumps, place(cb.Origin, ""),
				`A weight with one scale for all channels cannot fit the absorbed ones. qat_mode = "with_bn_reverse_fold" absorbs without loss, and so does per_channel = true.`,
				"absorbing under with_bn changes the output of stage %q", s.Name)
			d.Related = note("the weight's scale is said here", s.Convert.QConfig.Weight.Origin.Header)
		}
	}
}

// ruleAveraging: averaged weights lag behind, so absorbing them moves the model
// that is evaluated.
func (c *checker) ruleAveraging(s *stage) {
	absorber := s.absorber()
	if absorber == nil || s.form != program.QAT || s.Convert.QATMode == "fuse_bn" {
		return
	}
	for _, cb := range s.Callbacks {
		if _, ok := cb.Args.(program.WeightAverager); !ok {
			continue
		}
		d := c.warnf(diag.AveragedAbsorbed, place(cb.Origin, ""),
			"The average is absorbed with its own statistics, apart from the weights that are trained. Use one of the two in a stage.",
			"%s together with %s in stage %q", cb.Type, absorber.Type, s.Name)
		d.Related = note("the absorption is here", absorber.Origin.Header)
	}
}
