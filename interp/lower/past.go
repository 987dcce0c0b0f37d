package lower

import (
	"qpipe/interp/checkpoint"
	"qpipe/interp/graph"
	"qpipe/interp/part"
	"qpipe/lang/program"
)

// remember records which training the stage continues: that of the stage whose checkpoint it
// loads last.
func (w *walk) remember(from program.Checkpoint, o part.LoadOptions) {
	w.s.Past = nil
	if from.Stage == "" {
		return
	}
	up := w.plan.Stage(from.Stage)
	if up == nil || up.Trainer == nil || up.Model == nil || from.Which == program.Int8 {
		return
	}
	w.s.Past = w.plan.PastOf(graph.Load{Call: w.call, From: from, Options: o, Up: up})
}

// rememberFile does the same for a checkpoint that is a file.
func (w *walk) rememberFile(from program.Checkpoint, snap *checkpoint.Snapshot, o part.LoadOptions) {
	load := graph.Load{Call: w.call, From: from, Options: o, Inputs: snap.Inputs}
	w.s.Past = graph.PastOfFile(load, snap)
	w.s.Loads = append(w.s.Loads, load)
}
