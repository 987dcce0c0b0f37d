package lint

import (
	"qpipe/lang/diag"
	"qpipe/lang/program"
)

func noFloatCheckpoint() Rule {
	return Rule{
		About: diag.About{
			Name: "no-float-checkpoint", Code: "QP260", Severity: diag.Warning,
			Summary: "fuse_bn trains without a converged float checkpoint",
			Doc:     "fuse_bn trains without BatchNorms, which converges only from weights that have converged with them.",
		},
		Check: each(func(p *Pipeline, s *Stage, report diag.Reporter) {
			if !s.sound || s.form != program.QAT || s.Trainer == nil || s.Convert.QATMode != "fuse_bn" {
				return
			}
			if float, file := p.floatAncestor(s); float != nil || file {
				return
			}
			if s.Model != nil {
				if _, has := s.Model.Args.(program.Weighted); has {
					return
				}
			}
			report(found(at(s.Convert.Origin, "qat_mode"),
				`Load the checkpoint of a converged float stage before the conversion, or set qat_mode = "with_bn_reverse_fold" to start with QAT.`,
				"stage %q trains under fuse_bn without a float checkpoint and may not converge", s.Name))
		}),
	}
}
