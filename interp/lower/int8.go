package lower

import (
	"fmt"

	"qpipe/interp/artifact"
	"qpipe/interp/checkpoint"
	"qpipe/interp/graph"
	"qpipe/interp/netfile"
	"qpipe/interp/part"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/ops/nn"
)

// finished reports converters before a LoadCheckpoint of a file that is a finished int8 model,
// because that model replaces the result of the converters. lang/lint reports the same
// for the int8 model of another stage.
func (w *walk) finished() bool {
	for i, call := range w.s.Convert.Converters {
		path := fileOf(call)
		if path == "" || i == 0 || netfile.Is(path) {
			continue
		}
		snap, err := artifact.Peek(w.file(path))
		if err != nil || snap.Form != nn.Quantized {
			continue
		}
		o := w.s.Convert.Converters[0].Origin
		w.fail(diag.Diagnostic{
			Code: diag.BadConversion, Subject: o.Header, Address: o.Address,
			Summary: fmt.Sprintf("%s is a finished int8 model, which is loaded as it is", path),
			Detail:  "It replaces the stage's model: make LoadCheckpoint the only converter.",
			Related: []diag.Related{{Message: "the file is loaded here", Range: call.Origin.At("checkpoint_path")}},
		})
		return true
	}
	return false
}

// fileOf returns the file that a converter loads, "" if it loads none.
func fileOf(c program.Call) string {
	for _, p := range program.Checkpoints(c.Args) {
		return p.Path
	}
	return ""
}

// int8 replaces the stage's float model with a finished int8 model.
func (w *walk) int8(snap *checkpoint.Snapshot, from string, o part.LoadOptions) error {
	g, err := checkpoint.Int8Model(w.c.Model, snap, o)
	if err != nil {
		return err
	}
	if t := w.s.Trainer; t != nil {
		w.fail(diag.Diagnostic{
			Code: diag.BadConversion, Subject: t.Origin.Header, Address: t.Origin.Address,
			Summary: fmt.Sprintf("%s is an int8 model, which cannot be trained", from),
			Detail:  "Load a float or QAT checkpoint, or leave out the trainer to evaluate the int8 model.",
		})
		return errReported
	}
	if c := w.s.Calibrator; c != nil {
		w.fail(diag.Diagnostic{
			Code: diag.BadConversion, Subject: c.Origin.Header, Address: c.Origin.Address,
			Summary: fmt.Sprintf("%s is an int8 model, whose ranges are fixed", from),
			Detail:  "Leave out the calibrator to evaluate the int8 model.",
		})
		return errReported
	}
	if w.q != nil {
		list, err := checkpoint.ConfiguredOtherwise(w.c.Model, g, w.s.Target, w.q.of)
		if err != nil {
			return err
		}
		if len(list) > 0 {
			w.fail(*graph.Otherwise(w.s, from, "another one", list))
			return errReported
		}
	}
	w.c.Model, w.s.Mode = g, g.Mode()
	return nil
}
