package lint

import (
	"fmt"
	"strings"

	"qpipe/lang/diag"
	"qpipe/lang/program"
)

func qatModeMismatch() Rule {
	return Rule{
		About: diag.About{
			Name: "qat-mode-mismatch", Code: "QP234",
			Summary: "two stages' qat_mode give their checkpoints different tensors",
			Doc:     "Under fuse_bn a calibration or QAT model has no BatchNorm tensors, under the other modes it has.",
		},
		Check: each(func(p *Pipeline, s *Stage, report diag.Reporter) {
			for _, from := range p.otherModes(s) {
				mine, theirs := s.Convert.QATMode, from.Convert.QATMode
				if keepsBN(mine) && keepsBN(theirs) || mine == "fuse_bn" && from.absorber() != nil {
					continue // what has been absorbed has the tensors of fuse_bn; the graph knows whether all has
				}
				d := found(at(s.Convert.Origin, "qat_mode"),
					fmt.Sprintf(`With fuse_bn the model has no BatchNorm tensors, with the other modes it has. Write qat_mode = %q here, or change the other stage.`, theirs),
					"stage %q loads a checkpoint of qat_mode %q into a model of %q", s.Name, theirs, mine)
				report(related(d, "the checkpoint's mode is set here", from.Convert.Origin.At("qat_mode")))
			}
		}),
	}
}

func keepsBN(mode string) bool { return strings.HasPrefix(mode, "with_bn") }

// otherModes lists the stages whose quantized checkpoints a stage loads, and whose qat_mode is
// another.
func (p *Pipeline) otherModes(s *Stage) []*Stage {
	var out []*Stage
	for _, l := range s.loads {
		from := p.stage(l.checkpoint.Stage)
		if from == nil || from.Convert == nil || !from.sound || from.form == program.Float || !from.trains() {
			continue
		}
		if mine, theirs := s.Convert.QATMode, from.Convert.QATMode; mine != theirs && mine != "" && theirs != "" {
			out = append(out, from)
		}
	}
	return out
}
