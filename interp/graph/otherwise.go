package graph

import (
	"fmt"
	"strings"

	"qpipe/interp/checkpoint"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/ops/nn"
)

// Otherwise says that a stage is to evaluate or convert a checkpoint as another
// model than was trained: from names the checkpoint, of is what quantized it.
func Otherwise(st *Stage, from, of string, list []nn.Difference) *diag.Diagnostic {
	head, rest := checkpoint.Otherwise(list)
	d := &diag.Diagnostic{
		Code: diag.TrainedOtherwise, Subject: st.Convert.Origin.At("qconfig"), Address: st.Convert.Origin.Address,
		Module:  list[0].Node,
		Summary: fmt.Sprintf("%s was trained with %s", from, head),
		Detail:  "What is measured and shipped here would not be what was trained.",
	}
	if list[0].Attr == "qat_mode" {
		d.Subject = st.Convert.Origin.At("qat_mode")
	}
	if rest != "" {
		d.Summary += "; " + rest
	}
	if mine := quantizedBy(st.Stage); of != mine {
		d.Detail += fmt.Sprintf(" The checkpoint comes of %s, this stage has %s: give it the same.", of, mine)
	} else {
		d.Detail += " Give the stage the qconfig and the qat_mode of the checkpoint."
	}
	return d
}

// quantizedBy names the qconfig of a stage.
func quantizedBy(s *program.Stage) string {
	if s.Convert == nil || s.Convert.QConfig == nil {
		return "no qconfig"
	}
	return "qconfig." + s.Convert.QConfig.Name
}

// trainedOtherwise compares the model with the one that wrote the checkpoint: where
// the stage does not train it, a difference is an error; where it does, a warning.
func (w *walk) trainedOtherwise(was *nn.Graph, from, of string) error {
	if was.Form() == nn.Float || w.c.Model.Form() == nn.Float {
		return nil
	}
	list := w.c.Model.QuantizedOtherwise(was)
	if len(list) == 0 {
		return nil
	}
	d := Otherwise(w.s, from, of, list)
	if w.s.Trainer == nil && w.s.Calibrator == nil {
		w.fail(*d)
		return errReported
	}
	if list[0].Attr == "qat_mode" && strings.HasPrefix(from, "stage.") {
		if list = list[1:]; len(list) == 0 {
			return nil // lang/check has warned
		}
		d = Otherwise(w.s, from, of, list)
	}
	d.Severity = diag.Warning
	d.Detail = "The ranges and weights were learned for other codes: training goes on with those of this stage, and begins worse than it ended there."
	w.fail(*d)
	return nil
}
