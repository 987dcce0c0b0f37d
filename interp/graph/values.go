package graph

import (
	"fmt"
	"slices"

	"qpipe/interp/checkpoint"
	"qpipe/interp/part"
	"qpipe/lang/diag"
	"qpipe/lang/program"
)

// works is the data set that a stage's network works on: what it learns from, or is
// validated on where it learns nothing.
func (l *lowerer) works(s *Stage) *feed {
	if s.Trainer != nil || s.Calibrator != nil {
		return l.feed(s.Train)
	}
	return l.feed(s.Val)
}

// otherValues warns of a stage whose images reach the network with other values than
// in the stage that has made its checkpoint.
func (w *walk) otherValues(up *Stage) {
	mine, theirs := w.works(w.s), w.works(up)
	if mine == nil || theirs == nil {
		return
	}
	w.differ(mine, theirs.spec.Preprocessing(), fmt.Sprintf("stage %q", up.Name),
		diag.Related{Message: "the images of that stage", Range: theirs.set.Origin.Header})
}

// valuesOfFile is otherValues for a checkpoint's file, where that says it.
func (w *walk) valuesOfFile(path string, snap *checkpoint.Snapshot) {
	if mine := w.works(w.s); mine != nil && snap.Input.Height > 0 {
		w.differ(mine, snap.Input, path)
	}
}

func (w *walk) differ(mine *feed, theirs part.Preprocessing, whence string, related ...diag.Related) {
	own := mine.spec.Preprocessing()
	if slices.Equal(own.Mean, theirs.Mean) && slices.Equal(own.Std, theirs.Std) {
		return
	}
	pair := []string{own.Normalization(), theirs.Normalization()}
	slices.Sort(pair) // the way back to the first values is no mistake of its own
	w.once(fmt.Sprint("values ", pair), diag.Diagnostic{
		Code: diag.OtherValues, Severity: diag.Warning, Subject: mine.set.Origin.Header, Address: w.s.Origin.Address,
		Summary: fmt.Sprintf("stage %q sees other values than %s, whose checkpoint it loads", w.s.Name, whence),
		Detail: fmt.Sprintf("Its images are normalized with %s, and those of the other with %s: what the network has learned does not fit them. Give both data sets the same Normalize.",
			own.Normalization(), theirs.Normalization()),
		Related: append(related, diag.Related{Message: "the checkpoint is loaded here", Range: w.call.Origin.At("checkpoint_path")}),
	})
}

// rawBest warns where the weights that are loaded are not those that were found best.
func (w *walk) rawBest(up *Stage, from program.Checkpoint, o part.LoadOptions) {
	if from.Which != "best" || o.LoadEMAModel || !averages(up.Stage) || w.s.Trainer != nil && w.s.Trainer.ResumeOptimizer {
		return
	}
	w.fail(diag.Diagnostic{
		Code: diag.AveragedBest, Severity: diag.Warning, Subject: w.call.Origin.At("checkpoint_path"), Address: w.call.Origin.Address,
		Summary: fmt.Sprintf("the best checkpoint of stage %q was chosen by its averaged weights, and the trained ones are loaded", up.Name),
		Detail:  "Its metrics are those of the averaged weights. Add: load_ema_model = true.",
		Related: []diag.Related{{Message: "the weights are averaged here", Range: averager(up.Stage).Origin.Header}},
	})
}

func averager(s *program.Stage) *program.Callback {
	i := slices.IndexFunc(s.Callbacks, func(c program.Callback) bool {
		_, ok := c.Args.(program.WeightAverager)
		return ok
	})
	if i < 0 {
		return nil
	}
	return &s.Callbacks[i]
}
