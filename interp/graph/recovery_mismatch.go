package graph

import (
	"fmt"
	"slices"

	"qpipe/lang/diag"
)

func recoveryMismatch() Rule {
	return Rule{
		About: diag.About{
			Name: "recovery-mismatch", Code: "QP330",
			Summary: "a stage cannot continue from a checkpoint, because they do not fit together",
			Doc: "To resume an optimizer, a stage needs the same tensors in the same form. A full recovery also continues " +
				"the count of epochs and steps and restores the states of callbacks, so these must mean the same in both trainings.",
		},
		Check: func(p *Plan, report diag.Reporter) {
			for _, s := range p.Stages {
				if s.Past == nil {
					continue
				}
				d := p.unfitOptimizer(s)
				if d != nil {
					report(d)
				}
				if d != nil || !s.Trainer.ResumeEpochOrStep || p.Optimizer(s.Trainer) == nil {
					continue
				}
				for _, d := range []*diag.Diagnostic{s.unfitPlace(), p.unfitStates(s)} {
					if d != nil {
						report(d)
					}
				}
			}
		},
	}
}

// recovers reports whether the stage continues a training whose optimizer fits.
func (p *Plan) recovers(s *Stage) bool {
	return s.Past != nil && p.unfitOptimizer(s) == nil && p.Optimizer(s.Trainer) != nil
}

// counts reports whether a full recovery is possible: the stage also continues the count of steps, and everything fits.
func (p *Plan) counts(s *Stage) bool {
	return p.recovers(s) && s.Trainer.ResumeEpochOrStep && s.unfitPlace() == nil && p.unfitStates(s) == nil
}

// mismatch is an error about an attribute of the stage's trainer.
func (s *Stage) mismatch(attr, summary, detail string) *diag.Diagnostic {
	return &diag.Diagnostic{Subject: trainerAt(s, attr), Address: s.Trainer.Origin.Address, Summary: summary, Detail: detail, Related: s.Past.related()}
}

// unfitOptimizer reports why the stage's optimizer cannot be resumed: the model has another form,
// its tensors are renamed, or the checkpoint does not have the optimizer's slots.
func (p *Plan) unfitOptimizer(s *Stage) *diag.Diagnostic {
	past := s.Past
	if past.Form != s.Model.Form() {
		return s.mismatch("resume_optimizer", fmt.Sprintf("the optimizer of %s was training a %s model, but stage %q trains a %s model", past.Whence, past.Form, s.Name, s.Model.Form()),
			"Set resume_optimizer = false.")
	}
	if call := past.Load.Call; len(past.Load.Options.Rename) > 0 {
		return &diag.Diagnostic{
			Subject: call.Origin.At("rename"), Address: call.Origin.Address,
			Summary: "the optimizer of a checkpoint whose tensors are renamed cannot be resumed",
			Detail:  "The optimizer's state has the names of the checkpoint. Set resume_optimizer = false in the trainer, or load without rename.",
			Related: []diag.Related{{Message: "the recovery is asked for here", Range: trainerAt(s, "resume_optimizer")}},
		}
	}
	opt := p.Optimizer(s.Trainer)
	if opt == nil || past.Slots == nil {
		return nil
	}
	for _, slot := range opt.Slots() {
		if !slices.Contains(past.Slots, slot) {
			return s.mismatch("resume_optimizer", fmt.Sprintf("the optimizer of %s has no %s, which %s needs", past.Whence, slot, s.Trainer.Optimizer.Type),
				"Use the same optimizer as before, or set resume_optimizer = false.")
		}
	}
	return nil
}

// unfitPlace reports why the count of steps cannot be continued: epochs have another length, or
// the stage is shorter than the training so far.
func (s *Stage) unfitPlace() *diag.Diagnostic {
	mine, past := s.Length, s.Past
	switch {
	case mine.StepsPerEpoch > 0 && past.PerEpoch > 0 && mine.StepsPerEpoch != past.PerEpoch:
		return s.mismatch("batch_size", fmt.Sprintf("an epoch has %s in stage %q, but %d in %s", diag.Count(mine.StepsPerEpoch, "step"), s.Name, past.PerEpoch, past.Whence),
			"Full recovery continues the checkpoint's count of epochs and steps. The length of an epoch depends on the training data, batch_size and drop_last: make these the same, or set resume_epoch_or_step = false.")
	case mine.Steps > 0 && past.Step > mine.Steps:
		return s.mismatch(s.lengthAttr(), fmt.Sprintf("%s has completed %s, but stage %q ends after %d", past.Whence, diag.Count(past.Step, "step"), s.Name, mine.Steps),
			"Full recovery continues the checkpoint's count of steps, so the length of this stage includes the steps that are already done. Make it longer, or set resume_epoch_or_step = false.")
	}
	return nil
}

// lengthAttr returns the attribute that says how long the stage trains.
func (s *Stage) lengthAttr() string {
	if s.Trainer.NumSteps > 0 {
		return "num_steps"
	}
	return "num_epochs"
}

// unfitStates reports a callback's state in the checkpoint for which this stage has no callback.
func (p *Plan) unfitStates(s *Stage) *diag.Diagnostic {
	mine := map[string]bool{}
	for i, name := range callbackNames(s.Stage) {
		mine[name] = s.Callbacks[i].Args == nil || p.stateful(s.Callbacks[i])
	}
	for _, name := range s.Past.States {
		if !mine[name] {
			return s.mismatch("resume_epoch_or_step", fmt.Sprintf("%s has the state of a callback %s, and stage %q has no such callback", s.Past.Whence, name, s.Name),
				"Full recovery restores the states of all callbacks; FuseBN[1] stands for the second callback of type FuseBN. Add the callback, or set resume_epoch_or_step = false.")
		}
	}
	return nil
}
