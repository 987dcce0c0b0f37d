package stage

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"qpipe/ops/nn"
)

// snapshot takes down all that a later run needs to go on from here.
func (r *run) snapshot() *Snapshot {
	s := &Snapshot{
		Stage: r.Name, Form: r.Model.Form(), Mode: r.Mode, Structure: r.Model.Structure(),
		Seed: r.seed, Epoch: r.state.Epoch, Step: r.state.Step, LR: r.state.LR,
		Absorbed: slices.Clone(r.absorbed), FrozenBN: slices.Clone(r.frozen), Position: r.pos,
		Metrics: maps.Clone(r.state.Metrics), Best: maps.Clone(r.best),
		Callbacks: make([]map[string]float64, len(r.Callbacks)),
		Model:     r.Model.Tensors(),
		Optimizer: r.worker.slots().tensors(r.Model),
	}
	if f := cmp.Or(r.Train, r.Val); f != nil {
		s.Input, s.Classes = f.Spec.Preprocessing(), f.Spec.Names
	}
	if r.Kernels != nil {
		s.Kernels = r.Kernels.Name
	}
	for i, c := range r.Callbacks {
		if f, ok := c.Callback.(Stateful); ok {
			s.Callbacks[i] = maps.Clone(f.State())
		}
	}
	if g := r.shadow(); g != nil {
		s.Shadow = g.Tensors()
	}
	return s
}

// save writes a checkpoint, but never one with a value that is not finite.
func (r *run) save(name string) error {
	if r.worker == nil {
		return errors.New("a stage that only validates has no checkpoint")
	}
	if name == "best" {
		r.best = maps.Clone(r.state.Metrics)
	}
	s := r.snapshot()
	if err := r.sound(s); err != nil {
		return err
	}
	if r.Keeper != nil {
		if err := r.Keeper.Save(name, s); err != nil {
			return err
		}
	}
	r.kept = name
	r.emit(EventCheckpoint, map[string]any{"name": name})
	return nil
}

// sound refuses a snapshot with a value that is not finite.
func (r *run) sound(s *Snapshot) error {
	for _, t := range slices.Concat(s.Model, s.Shadow) {
		data, ok := t.Data.([]float32)
		if ok && !finite(data) && !unobserved(t.Name, data) {
			return &Failure{Module: nodeOf(r.Model, t.Name), Err: fmt.Errorf("%s is not finite, no checkpoint is written", t.Name)}
		}
	}
	if err := r.worker.slots().sound(); err != nil {
		return &Failure{Err: fmt.Errorf("%w, no checkpoint is written", err)}
	}
	return nil
}

// unobserved reports whether the tensor is a quant node's range before it has
// seen data, which is (+Inf, -Inf).
func unobserved(name string, data []float32) bool {
	return strings.HasSuffix(name, ".min_max") && len(data) == 2 && data[0] > data[1]
}

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
		return Bad("resume_optimizer", "the checkpoint is of a calibration, which has no optimizer: set resume_optimizer = false")
	}
	if r.Trainer != nil && r.Trainer.ResumeOptimizer && s.Form != r.Model.Form() {
		return Bad("resume_optimizer", "the checkpoint's optimizer has trained a %s model, and this stage trains a %s model: set resume_optimizer = false", s.Form, r.Model.Form())
	}
	if err := LoadTensors(r.Model, s, LoadOptions{}); err != nil {
		return err
	}
	r.absorbed = slices.Clone(s.Absorbed)
	if !r.full() {
		return nil
	}
	if err := r.recallPlace(s); err != nil {
		return err
	}
	r.recallValues(s)
	return r.refreeze(s.FrozenBN)
}

// recallPlace restores the moment, if it is one of this stage's.
func (r *run) recallPlace(s *Snapshot) error {
	l := r.state.Length
	if s.Step > l.Steps {
		return Bad("resume_epoch_or_step", "the checkpoint has %d steps behind it, the stage ends after %d: make it longer, or set resume_epoch_or_step = false", s.Step, l.Steps)
	}
	if s.Position.StepsPerEpoch != r.pos.StepsPerEpoch {
		return Bad("batch_size", "the checkpoint was written with %d steps an epoch, now there are %d: batch_size, drop_last or the data have changed; set resume_epoch_or_step = false", s.Position.StepsPerEpoch, r.pos.StepsPerEpoch)
	}
	if len(s.Callbacks) != len(r.Callbacks) {
		return Bad("resume_epoch_or_step", "the checkpoint was written with %d callbacks, the stage has %d: set resume_epoch_or_step = false", len(s.Callbacks), len(r.Callbacks))
	}
	r.state.Step, r.state.Epoch, r.seed = s.Step, r.epochAt(s.Step), s.Seed
	r.pos = s.Position
	return nil
}

// recallValues restores what the loop and the callbacks remember.
func (r *run) recallValues(s *Snapshot) {
	r.state.LR = s.LR
	r.best = maps.Clone(s.Best)
	maps.Copy(r.state.Metrics, s.Metrics)
	for i, c := range r.Callbacks {
		if f, ok := c.Callback.(Stateful); ok && s.Callbacks[i] != nil {
			f.SetState(maps.Clone(s.Callbacks[i]))
		}
	}
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
	if !r.full() || s.Shadow == nil {
		return nil
	}
	g := r.shadow()
	if g == nil {
		return Bad("resume_epoch_or_step", "the checkpoint holds averaged weights, and no callback of the stage keeps any: set resume_epoch_or_step = false")
	}
	return LoadTensors(g, s, LoadOptions{LoadEMAModel: true})
}
