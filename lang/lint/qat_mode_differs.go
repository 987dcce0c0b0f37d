package lint

import (
	"fmt"

	"qpipe/lang/diag"
)

func qatModeDiffers() Rule {
	return Rule{
		About: diag.About{
			Name: "qat-mode-differs", Code: "QP235", Severity: diag.Warning,
			Summary: "two stages' qat_mode differ, with the same tensors",
			Doc:     "Both modes keep the BatchNorms, but the scale of a weight that was learned under one does not fit the other.",
		},
		Check: each(func(p *Pipeline, s *Stage, report diag.Reporter) {
			for _, from := range p.otherModes(s) {
				mine, theirs := s.Convert.QATMode, from.Convert.QATMode
				if !keepsBN(mine) || !keepsBN(theirs) {
					continue
				}
				d := found(at(s.Convert.Origin, "qat_mode"),
					fmt.Sprintf(`The tensors are the same, but the weight scales differ, so the model starts worse than it was. Write qat_mode = %q.`, theirs),
					"stage %q loads a checkpoint of qat_mode %q into %q", s.Name, theirs, mine)
				report(related(d, "the checkpoint's mode is set here", from.Convert.Origin.At("qat_mode")))
			}
		}),
	}
}
