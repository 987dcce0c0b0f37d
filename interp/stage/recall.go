package stage

import (
	"maps"
	"slices"

	"qpipe/interp/checkpoint"
	"qpipe/interp/event"
	"qpipe/interp/part"
	"qpipe/ops/nn"
)

// A stage can continue from a checkpoint (Job.Resume) in three ways:
//
//   - Its own interrupted attempt: the run continues exactly where it stopped, between the same two hooks.
//   - Full recovery from another checkpoint: weights, optimizer, averaged weights, callbacks' states and the counts of
//     steps and epochs are restored. The stage begins at the checkpoint's step.
//   - Optimizer only: the weights, the optimizer's state and the learning rate are restored. The stage begins at step 0.
//
// recall restores what the nets and the optimizer are built from. recallCompanions restores the rest, which
// exists only after that.

// full reports whether a resumed run recovers fully: true for the first two ways, false for the last.
func (r *run) full() bool {
	t := r.Trainer
	return t == nil || t.ResumeEpochOrStep || !t.ResumeOptimizer
}

// recall restores the model, the position in the training and the callbacks' states from
// the checkpoint to resume from.
func (r *run) recall() error {
	s := r.Resume
	if s == nil || !r.steps() {
		return nil
	}
	if r.Trainer != nil && s.Form == nn.Calibration {
		return part.Bad("resume_optimizer", "the checkpoint is of a calibration, which has no optimizer: set resume_optimizer = false")
	}
	if r.Trainer != nil && r.Trainer.ResumeOptimizer && s.Form != r.Model.Form() {
		return part.Bad("resume_optimizer", "the checkpoint's optimizer was training a %s model, and this stage trains a %s model: set resume_optimizer = false", s.Form, r.Model.Form())
	}
	if err := checkpoint.LoadTensors(r.Model, s, part.LoadOptions{}); err != nil {
		return err
	}
	r.absorbed = slices.Clone(s.Absorbed)
	if !r.full() {
		return nil
	}
	if err := r.recallPlace(s); err != nil {
		return err
	}
	if err := r.recallStates(s); err != nil {
		return err
	}
	return r.refreeze(s.FrozenBN)
}

// recallPlace restores the step, the epoch, the seed and the position. It refuses a
// checkpoint that was counted differently: past the end of this stage, or with epochs of
// another length.
func (r *run) recallPlace(s *checkpoint.Snapshot) error {
	l := r.state.Length
	if s.Step > l.Steps {
		return part.Bad("resume_epoch_or_step", "the checkpoint was written after %s, but the stage ends after %d: make the stage longer, or set resume_epoch_or_step = false", part.Count(s.Step, "step"), l.Steps)
	}
	if s.Position.StepsPerEpoch != r.pos.StepsPerEpoch {
		return part.Bad("batch_size", "the checkpoint was written with %s an epoch, now there are %d: batch_size, drop_last or the data have changed; set resume_epoch_or_step = false", part.Count(s.Position.StepsPerEpoch, "step"), r.pos.StepsPerEpoch)
	}
	r.state.Step, r.state.Epoch, r.seed = s.Step, r.epochAt(s.Step), s.Seed
	r.state.LR = s.LR
	r.pos = s.Position
	r.pos.Begins = s.Position.Begins || s.Step == 0
	if r.Interrupted && !r.bestLost() && sameCallbacks(s.Callbacks, r.Callbacks) {
		maps.Copy(r.state.Metrics, s.Metrics)
		return nil
	}
	r.begins()
	return nil
}

// bestLost reports whether the checkpoint records metrics of a best checkpoint whose file is missing.
func (r *run) bestLost() bool { return r.Resume.Best != nil && r.Best == nil }

// begins makes the present position the beginning of this stage, at the step that the
// checkpoint has reached. If the checkpoint was written in the middle of an epoch, the
// epoch's loss continues to be summed up. Metrics that another stage, or an earlier
// attempt, has measured are not taken over.
func (r *run) begins() {
	s := r.state
	r.pos.Begins, r.pos.Hooks, r.pos.Validated = true, 0, 0
	if r.last() || s.Step%s.Length.StepsPerEpoch == 0 {
		r.pos.LossSum, r.pos.LossSums, r.pos.Images = 0, nil, 0
	}
}

// recallStates gives each callback its state from the checkpoint, by the callback's name.
// A callback that governs checkpoints remembers which checkpoint was best. If the file of
// that checkpoint is missing, the callback does not get its old state: it starts over
// and looks for a new best.
func (r *run) recallStates(s *checkpoint.Snapshot) error {
	lost := r.bestLost()
	if !lost {
		r.best = maps.Clone(s.Best)
	}
	mine, order := named[part.Stateful](r.Callbacks), names(r.Callbacks)
	for i, c := range s.Callbacks {
		if len(c.State) == 0 {
			continue
		}
		if !c.Typed() && r.Interrupted && len(s.Callbacks) == len(order) {
			c.Name = order[i] // format version 1: the place is enough, because the stage is unchanged
		}
		f, ok := mine[c.Name]
		if !ok {
			return r.unmatched(s, c)
		}
		if _, keeps := f.(part.Checkpointer); !keeps || !lost {
			if err := r.setState(f, c.Name, maps.Clone(c.State)); err != nil {
				return err
			}
		}
	}
	return nil
}

// setState gives a callback its state; name is that of the callback.
func (r *run) setState(f part.Stateful, name string, state map[string]float64) error {
	c := r.Callbacks[slices.Index(names(r.Callbacks), name)]
	return r.blame(c.Address, c.call("SetState", func() error { f.SetState(state); return nil }))
}

// unmatched is the error for a callback's state in the checkpoint that belongs to no
// callback of the stage.
func (r *run) unmatched(s *checkpoint.Snapshot, c checkpoint.CallbackState) error {
	const way = "set resume_epoch_or_step = false to begin at step 0 without it"
	if !c.Typed() {
		return part.Bad("resume_epoch_or_step", "the checkpoint was written by an earlier version of qpipe and does not record the type of the callback that the state %s belongs to: %s", c.Name, way)
	}
	return part.Bad("resume_epoch_or_step", "the checkpoint of stage %q holds the state of callback %s, and stage %q has no such callback: add it, or %s", s.Stage, c.Name, r.Name, way)
}

// refreeze freezes the BNs of the list again, except for those that have been absorbed.
func (r *run) refreeze(frozen []string) error {
	r.frozen = slices.Clone(frozen)
	var names []string
	for _, m := range r.Model.Modules() {
		if m.BN != "" && slices.Contains(frozen, m.Name) {
			names = append(names, m.Name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return r.Model.FreezeBN(names)
}

// recallCompanions restores what exists only after the optimizer was made and the
// callbacks have started: the optimizer's state, the averaged weights and the best checkpoint.
func (r *run) recallCompanions() error {
	s := r.Resume
	if s == nil || !r.steps() {
		return nil
	}
	if w := r.worker.slots(); w != nil {
		if err := w.restore(r.Model, s.Optimizer); err != nil {
			return err
		}
	}
	if !r.full() {
		return nil
	}
	if s.Shadow != nil {
		g := r.shadow()
		if g == nil {
			return part.Bad("resume_epoch_or_step", "the checkpoint holds averaged weights, but no callback of the stage averages weights: set resume_epoch_or_step = false")
		}
		if err := checkpoint.LoadTensors(g, s, part.LoadOptions{LoadEMAModel: true}); err != nil {
			return err
		}
	}
	return r.inheritBest()
}

// inheritBest copies the other stage's best checkpoint into this stage, which keeps it as
// its own until it reaches better metrics. A stage's own interrupted attempt has written
// it already.
func (r *run) inheritBest() error {
	switch {
	case r.Interrupted || r.Best == nil || r.best == nil:
		return nil
	case r.Keeper != nil:
		if err := r.Keeper.Save("best", r.Best); err != nil {
			return err
		}
	}
	r.emit(event.Checkpoint{Name: "best", From: r.Best.Stage})
	return nil
}
