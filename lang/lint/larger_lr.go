package lint

import (
	"fmt"

	"qpipe/lang/diag"
	"qpipe/lang/program"
)

func largerLR() Rule {
	return Rule{
		About: diag.About{
			Name: "larger-lr", Code: "QP264", Severity: diag.Warning,
			Summary: "the learning rate is larger in QAT than in float",
			Doc:     "QAT is fine-tuning: a hundredth to a tenth of the rate of the float training before it is usual.",
		},
		Check: each(func(p *Pipeline, s *Stage, report diag.Reporter) {
			if !s.sound || s.form != program.QAT || s.Trainer == nil {
				return
			}
			float, _ := p.floatAncestor(s)
			if float == nil {
				return
			}
			mine, ok := learningRate(s.Trainer.Optimizer.Args)
			theirs, also := learningRate(float.Trainer.Optimizer.Args)
			if !ok || !also || mine <= theirs {
				return
			}
			d := found(at(s.Trainer.Optimizer.Origin, "lr"),
				fmt.Sprintf("QAT fine-tunes: a hundredth to a tenth of the float stage's rate is usual, here %g to %g.", theirs/100, theirs/10),
				"the learning rate of stage %q is larger than that of the float stage %q (%g against %g)", s.Name, float.Name, mine, theirs)
			report(related(d, "the float stage's is here", float.Trainer.Optimizer.Origin.At("lr")))
		}),
	}
}
