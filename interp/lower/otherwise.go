package lower

import (
	"strings"

	"qpipe/interp/graph"
	"qpipe/lang/diag"
	"qpipe/ops/nn"
)

// trainedOtherwise compares the quantization of the model with that of the model that wrote
// the checkpoint. A difference is an error, or a warning if the stage trains or calibrates.
func (w *walk) trainedOtherwise(was *nn.Graph, from, of string) error {
	if was.Form() == nn.Float || w.c.Model.Form() == nn.Float {
		return nil
	}
	list := w.c.Model.QuantizedOtherwise(was)
	if len(list) == 0 {
		return nil
	}
	d := graph.Otherwise(w.s, from, of, list)
	if w.s.Trainer == nil && w.s.Calibrator == nil {
		w.fail(*d)
		return errReported
	}
	if list[0].Attr == "qat_mode" && strings.HasPrefix(from, "stage.") {
		if list = list[1:]; len(list) == 0 {
			return nil // lang/lint has warned of it
		}
		d = graph.Otherwise(w.s, from, of, list)
	}
	d.Severity = diag.Warning
	d.Detail = "Training continues with the quantization of this stage. The ranges and weights were learned for another one, so it begins with worse metrics than the checkpoint has."
	w.fail(*d)
	return nil
}
