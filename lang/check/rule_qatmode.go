package check

import (
	"fmt"
	"strings"

	"qpipe/lang/diag"
	"qpipe/lang/program"
)

// ruleQATMode: a checkpoint of a calibration or QAT model has the tensors of its
// qat_mode. fuse_bn has folded BN away; the two BN modes keep the same tensors,
// but the weight scales that were learned with one do not fit the other.
func (c *checker) ruleQATMode(s *stage) {
	for _, l := range s.loads() {
		from := c.stageNamed(l.checkpoint.Stage)
		if from == nil || from.Convert == nil || !from.sound || from.form == program.Float || !from.trains() {
			continue
		}
		mine, theirs := s.Convert.QATMode, from.Convert.QATMode
		if mine == theirs || mine == "" || theirs == "" {
			continue
		}
		if strings.HasPrefix(mine, "with_bn") && strings.HasPrefix(theirs, "with_bn") {
			d := c.warnf(diag.QATModeDiffers, place(s.Convert.Origin, "qat_mode"),
				fmt.Sprintf(`The tensors are the same, but the weight scales differ, so the model starts worse than it was. Write qat_mode = %q.`, theirs),
				"stage %q loads a checkpoint of qat_mode %q into %q", s.Name, theirs, mine)
			d.Related = note("the checkpoint's mode is set here", from.Convert.Origin.At("qat_mode"))
			continue
		}
		if mine == "fuse_bn" && from.absorber() != nil {
			continue // what has been absorbed has the tensors of fuse_bn; the graph knows whether all has
		}
		d := c.errorf(diag.QATModeMismatch, place(s.Convert.Origin, "qat_mode"),
			fmt.Sprintf(`With fuse_bn the model has no BatchNorm tensors, with the other modes it has. Write qat_mode = %q here, or change the other stage.`, theirs),
			"stage %q loads a checkpoint of qat_mode %q into a model of %q", s.Name, theirs, mine)
		d.Related = note("the checkpoint's mode is set here", from.Convert.Origin.At("qat_mode"))
	}
}

// absorber returns the stage's first callback that absorbs BatchNorms.
func (s *stage) absorber() *program.Callback {
	for i := range s.Callbacks {
		if _, ok := s.Callbacks[i].Args.(program.BNAbsorber); ok {
			return &s.Callbacks[i]
		}
	}
	return nil
}
