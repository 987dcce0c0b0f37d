package lower

import (
	"strings"

	"qpipe/interp/graph"
	"qpipe/lang/diag"
	"qpipe/ops/nn"
)

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
	d.Detail = "The ranges and weights were learned for other codes: training continues with those of this stage, and begins worse than it ended there."
	w.fail(*d)
	return nil
}
