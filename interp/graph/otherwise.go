package graph

import (
	"fmt"

	"qpipe/interp/checkpoint"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/ops/nn"
)

// Otherwise makes a diagnostic about a stage that evaluates or converts a checkpoint with
// another quantization than it was trained with. from names the checkpoint, of the qconfig
// that it was trained with.
func Otherwise(st *Stage, from, of string, list []nn.Difference) *diag.Diagnostic {
	head, rest := checkpoint.Otherwise(list)
	d := &diag.Diagnostic{
		Code: diag.TrainedOtherwise, Subject: st.Convert.Origin.At("qconfig"), Address: st.Convert.Origin.Address,
		Module:  list[0].Node,
		Summary: fmt.Sprintf("%s was trained with %s", from, head),
		Detail:  "The model that is measured and exported here would not be the one that was trained.",
	}
	if list[0].Attr == "qat_mode" {
		d.Subject = st.Convert.Origin.At("qat_mode")
	}
	if rest != "" {
		d.Summary += "; " + rest
	}
	if mine := QuantizedBy(st.Stage); of != mine {
		d.Detail += fmt.Sprintf(" The checkpoint was trained with %s, but this stage has %s: use the same.", of, mine)
	} else {
		d.Detail += " Give the stage the qconfig and the qat_mode of the checkpoint."
	}
	return d
}

// QuantizedBy names the qconfig of a stage.
func QuantizedBy(s *program.Stage) string {
	if s.Convert == nil || s.Convert.QConfig == nil {
		return "no qconfig"
	}
	return "qconfig." + s.Convert.QConfig.Name
}
