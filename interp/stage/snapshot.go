package stage

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"qpipe/interp/checkpoint"
	"qpipe/interp/event"
	"qpipe/interp/part"
	"qpipe/ops/tensor"
)

// snapshot returns everything that a later run needs to continue from here. The tensors
// are shared with the model, not copied.
func (r *run) snapshot() *checkpoint.Snapshot {
	s := &checkpoint.Snapshot{
		Stage: r.Name, Form: r.Model.Form(), Mode: r.Mode, Structure: r.Model.Structure(),
		Seed: r.seed, Epoch: r.state.Epoch, Step: r.state.Step, LR: r.state.LR,
		Absorbed: slices.Clone(r.absorbed), FrozenBN: slices.Clone(r.frozen), Position: r.pos,
		Metrics: maps.Clone(r.state.Metrics), Best: maps.Clone(r.best),
		Callbacks: states(r.Callbacks),
		Model:     r.Model.Tensors(),
		Optimizer: r.worker.slots().tensors(r.Model),
	}
	if f := cmp.Or(r.Train, r.Val); f != nil {
		s.Inputs, s.Classes = f.Spec.Preprocessing(), f.Spec.ClassNames()
	}
	if r.Val != nil { // images that are not augmented get their size without anything random
		s.Inputs = part.SizedAs(s.Inputs, r.Val.Spec.Preprocessing())
	}
	if r.Kernels != nil {
		s.Kernels = r.Kernels.Name
	}
	if g := r.shadow(); g != nil {
		s.Shadow = g.Tensors()
	}
	return s
}

// save writes a checkpoint of the name. It refuses to write values that are not finite.
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
	r.emit(event.Checkpoint{Name: name})
	return nil
}

// sound returns an error if a value of the snapshot is not finite. The range of a quant
// node that has seen no data is an exception: it is (+Inf, -Inf).
func (r *run) sound(s *checkpoint.Snapshot) error {
	for _, t := range slices.Concat(s.Model, s.Shadow) {
		data, ok := t.Data.([]float32)
		if ok && !tensor.Finite(data) && !checkpoint.Unobserved(t.Name, data) {
			return &Failure{Module: nodeOf(r.Model, t.Name), Err: fmt.Errorf("%s is not finite, no checkpoint is written", t.Name)}
		}
	}
	if err := r.worker.slots().sound(); err != nil {
		return &Failure{Err: fmt.Errorf("%w, no checkpoint is written", err)}
	}
	return nil
}
