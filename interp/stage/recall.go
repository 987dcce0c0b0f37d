package stage

import (
	"maps"
	"slices"

	"qpipe/interp/checkpoint"
	"qpipe/interp/event"
	"qpipe/interp/part"
	"qpipe/ops/nn"
)

// full reports whether a resumed run goes on as if it had never been
// interrupted; otherwise it takes weights, optimizer and learning rate, and
// begins at step 0.
func (r *run) full() bool {
	t := r.Trainer
	return t == nil || t.ResumeEpochOrStep || !t.ResumeOptimizer
}

// recall restores the model and the place from the snapshot to resume from.
func (r *run) recall() error {
	s := r.Resume
	if s == nil || !r.steps() {
		return nil
	}
	if r.Trainer != nil && s.Form == nn.Calibration {
		return part.Bad("resume_optimizer", "the checkpoint is of a calibration, which has no optimizer: set resume_optimizer = false")
	}
	if r.Trainer != nil && r.Trainer.ResumeOptimizer && s.Form != r.Model.Form() {
		return part.Bad("resume_optimizer", "the checkpoint's optimizer has trained a %s model, and this stage trains a %s model: set resume_optimizer = false", s.Form, r.Model.Form())
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

// recallPlace restores the moment, if it is one of this stage's.
func (r *run) recallPlace(s *checkpoint.Snapshot) error {
	l := r.state.Length
	if s.Step > l.Steps {
		return part.Bad("resume_epoch_or_step", "the checkpoint has %s behind it, the stage ends after %d: make it longer, or set resume_epoch_or_step = false", part.Count(s.Step, "step"), l.Steps)
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

// bestLost reports whether the checkpoint remembers a best that is not there.
func (r *run) bestLost() bool { return r.Resume.Best != nil && r.Best == nil }

// begins makes the place one where the stage begins: the step that the checkpoint
// has reached. The sums of an epoch that is under way go on; nothing of what another
// stage, or an earlier attempt, has measured is this stage's.
func (r *run) begins() {
	s := r.state
	r.pos.Begins, r.pos.Hooks, r.pos.Validated = true, 0, 0
	if r.last() || s.Step%s.Length.StepsPerEpoch == 0 {
		r.pos.LossSum, r.pos.Images = 0, 0
	}
}

// recallStates hands the callbacks' states on by name. What a callback that governs
// checkpoints remembers goes with the best of them: where that is not there, the best
// begins anew.
func (r *run) recallStates(s *checkpoint.Snapshot) error {
	anew := r.bestLost()
	if !anew {
		r.best = maps.Clone(s.Best)
	}
	mine, order := named[part.Stateful](r.Callbacks), names(r.Callbacks)
	for i, c := range s.Callbacks {
		if len(c.State) == 0 {
			continue
		}
		if !c.Typed() && r.Interrupted && len(s.Callbacks) == len(order) {
			c.Name = order[i] // nobody has edited the stage since
		}
		f, ok := mine[c.Name]
		if !ok {
			return r.unmatched(s, c)
		}
		if _, keeps := f.(part.Checkpointer); !keeps || !anew {
			f.SetState(maps.Clone(c.State))
		}
	}
	return nil
}

// unmatched is the error that a callback's state finds no callback to go on with.
func (r *run) unmatched(s *checkpoint.Snapshot, c checkpoint.CallbackState) error {
	const way = "set resume_epoch_or_step = false to begin at step 0 without it"
	if !c.Typed() {
		return part.Bad("resume_epoch_or_step", "an earlier version of qpipe has written the checkpoint, which does not say to which type of callback the state %s in it belongs: %s", c.Name, way)
	}
	return part.Bad("resume_epoch_or_step", "the checkpoint of stage %q holds the state of callback %s, and stage %q has no such callback: add it, or %s", s.Stage, c.Name, r.Name, way)
}

// refreeze freezes the BNs of the list that are still there.
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

// recallCompanions restores what goes beside the model, once callbacks have started.
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
			return part.Bad("resume_epoch_or_step", "the checkpoint holds averaged weights, and no callback of the stage keeps any: set resume_epoch_or_step = false")
		}
		if err := checkpoint.LoadTensors(g, s, part.LoadOptions{LoadEMAModel: true}); err != nil {
			return err
		}
	}
	return r.inheritBest()
}

// inheritBest writes the best checkpoint of a stage that begins where another one has
// ended: until it does better, that one's is its own.
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
