package graph

import (
	"fmt"
	"math"
	"slices"

	"qpipe/interp/checkpoint"
	"qpipe/interp/part"
	"qpipe/interp/stage"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/ops/nn"
)

// past is what is known of the training that a stage with resume_optimizer continues.
type past struct {
	call      *program.Call // the LoadCheckpoint
	options   part.LoadOptions
	up        *Stage // the stage that writes the checkpoint, nil for a file
	form      nn.Form
	whence    string // `stage "float"`, or the file
	step      int    // completed; -1 where only the run will know
	perEpoch  int    // steps; -1 where nobody knows
	rate      float64
	seed      int64    // that orders the images
	slots     []string // nil where nobody knows
	callbacks []string // their names
	states    []string // of those that have a state in the checkpoint
	frozen    []string // nodes whose BN it may have frozen
}

// remember notes that the stage loads a checkpoint; the last one is what it recovers from.
func (w *walk) remember(from program.Checkpoint, o part.LoadOptions) {
	w.s.past = nil
	if from.Stage == "" {
		return
	}
	up := w.plan.Stage(from.Stage)
	if up == nil || up.Trainer == nil || up.Model == nil || from.Which == program.Int8 {
		return
	}
	p := &past{
		call: w.call, options: o, up: up, form: up.Model.Form(), whence: fmt.Sprintf("stage %q", up.Name), step: -1, perEpoch: up.Length.StepsPerEpoch, seed: w.plan.Program.Settings.Seed,
		rate: up.rateAt(up.Length.Steps-1, w.plan.Catalog), callbacks: callbackNames(up.Stage), states: w.states(up),
		frozen: up.frozen(),
	}
	if opt := w.optimizer(up.Trainer); opt != nil {
		p.slots = opt.Slots()
	}
	switch {
	case from.Which == "last" && up.Length.Steps > 0 && up.Length.StepsPerEpoch > 0:
		p.step = up.Length.Steps
	case up.Trainer.LRUpdater != nil:
		p.rate = math.NaN()
	}
	w.s.past = p
}

// rememberFile is remember for a file that is there.
func (w *walk) rememberFile(path string, snap *checkpoint.Snapshot, o part.LoadOptions) {
	p := &past{
		call: w.call, options: o, form: snap.Form, whence: path, step: snap.Step, perEpoch: snap.Position.StepsPerEpoch, rate: snap.LR, seed: snap.Seed, slots: []string{},
		frozen: snap.FrozenBN,
	}
	for slot := range snap.Optimizer {
		p.slots = append(p.slots, slot)
	}
	for _, c := range snap.Callbacks {
		p.callbacks = append(p.callbacks, c.Name)
		if len(c.State) > 0 {
			p.states = append(p.states, c.Name)
		}
	}
	w.s.past = p
}

func callbackNames(s *program.Stage) []string {
	types := make([]string, len(s.Callbacks))
	for i, c := range s.Callbacks {
		types[i] = c.Type
	}
	return stage.CallbackNames(types)
}

// states names the callbacks of a stage that have a state at its end.
func (l *lowerer) states(s *Stage) []string {
	var out []string
	for i, name := range callbackNames(s.Stage) {
		c := s.Callbacks[i]
		if k, ok := c.Args.(program.BestKeeper); ok && (!k.KeepsBest() || !slices.Contains(s.Writes, "best")) {
			continue
		}
		if l.stateful(c) {
			out = append(out, name)
		}
	}
	return out
}

func (l *lowerer) stateful(c program.Callback) bool {
	p, err := part.New[part.Callback](l.plan.Catalog, c.Call)
	_, ok := p.(part.Stateful)
	return err == nil && ok
}

func (l *lowerer) optimizer(t *program.Trainer) part.Optimizer {
	opt, err := part.New[part.Optimizer](l.plan.Catalog, t.Optimizer)
	if err != nil {
		return nil
	}
	return opt
}

// rateAt is the learning rate of a step of the stage; NaN where nobody knows.
func (s *Stage) rateAt(step int, c part.Catalog) float64 {
	t := s.Trainer
	opt, err := part.New[part.Optimizer](c, t.Optimizer)
	if err != nil {
		return math.NaN()
	}
	base := opt.LR()
	if t.ResumeOptimizer && !t.ResumeEpochOrStep {
		if base = math.NaN(); s.past != nil {
			base = s.past.rate
		}
	}
	if t.LRUpdater == nil || math.IsNaN(base) {
		return base
	}
	u, err := part.New[part.LRUpdater](c, *t.LRUpdater)
	if err != nil || step < 0 || s.Length.Steps <= 0 || s.Length.StepsPerEpoch <= 0 {
		return math.NaN()
	}
	return stage.RateAt(base, u, step, s.Length)
}

// recovers reports what of a training a stage cannot continue, or does otherwise
// than its text may make one think.
func (l *lowerer) recovers(s *Stage) {
	t, p := s.Trainer, s.past
	if t == nil || !t.ResumeOptimizer || p == nil || s.Model == nil {
		s.past = nil
		return
	}
	if !l.recoversForm(s, p) || !l.recoversWeights(s, p) || !l.recoversSlots(s, p) {
		return
	}
	if !t.ResumeEpochOrStep {
		l.writtenRate(s, p)
		return
	}
	l.otherSeed(s, p)
	place := l.recoversPlace(s, p)
	switch states := l.recoversStates(s, p); {
	case !place || !states:
	case p.step >= 0:
		l.passed(s, p, p.step, true)
		l.jumps(s, p)
	case p.up != nil:
		l.passed(s, p, p.up.Length.Steps, false)
	}
}

// mismatch is an error about an attribute of the stage's trainer.
func (l *lowerer) mismatch(s *Stage, p *past, attr, summary, detail string) bool {
	l.fail(diag.Diagnostic{
		Code: diag.RecoveryMismatch, Subject: trainerAt(s, attr), Address: s.Trainer.Origin.Address,
		Summary: summary, Detail: detail, Related: p.related(),
	})
	return false
}

// trainerAt is the place of an attribute of the trainer, or of what asks for the recovery.
func trainerAt(s *Stage, attrs ...string) diag.Range {
	for _, a := range append(attrs, "resume_epoch_or_step", "resume_optimizer") {
		if r, ok := s.Trainer.Origin.Attrs[a]; ok {
			return r
		}
	}
	return s.Trainer.Origin.Header
}

func (p *past) related() []diag.Related {
	if p.up == nil {
		return nil
	}
	return []diag.Related{{Message: "it continues from this training", Range: p.up.Trainer.Origin.Header}}
}

// recoversForm: an optimizer goes on with a model in its form. Of another stage's
// lang/check has spoken.
func (l *lowerer) recoversForm(s *Stage, p *past) bool {
	if p.form == s.Model.Form() {
		return true
	}
	if p.up == nil {
		return l.mismatch(s, p, "resume_optimizer", fmt.Sprintf("the optimizer of %s has trained a %s model, and stage %q trains a %s model", p.whence, p.form, s.Name, s.Model.Form()),
			"Set resume_optimizer = false.")
	}
	s.past = nil
	return false
}

// recoversWeights: recovery loads the very tensors that were trained.
func (l *lowerer) recoversWeights(s *Stage, p *past) bool {
	if len(p.options.Rename) > 0 {
		l.fail(diag.Diagnostic{
			Code: diag.RecoveryMismatch, Subject: p.call.Origin.At("rename"), Address: p.call.Origin.Address,
			Summary: "the optimizer of a checkpoint whose tensors are renamed cannot be resumed",
			Detail:  "Its state goes by the names in the checkpoint. Set resume_optimizer = false in the trainer, or load without rename.",
			Related: []diag.Related{{Message: "the recovery is asked for here", Range: trainerAt(s, "resume_optimizer")}},
		})
		return false
	}
	if p.options.LoadEMAModel {
		l.fail(diag.Diagnostic{
			Code: diag.NoEffect, Severity: diag.Warning, Subject: p.call.Origin.At("load_ema_model"), Address: p.call.Origin.Address,
			Summary: "load_ema_model has no effect: the weights that were trained count",
			Detail:  "resume_optimizer goes on with them. Set load_ema_model = false, or resume_optimizer = false to begin with the averaged ones.",
			Related: []diag.Related{{Message: "the recovery is asked for here", Range: trainerAt(s, "resume_optimizer")}},
		})
	}
	return true
}

// recoversSlots: an optimizer goes on with the state tensors that it knows.
func (l *lowerer) recoversSlots(s *Stage, p *past) bool {
	opt := l.optimizer(s.Trainer)
	if opt == nil || p.slots == nil {
		return opt != nil
	}
	for _, slot := range opt.Slots() {
		if !slices.Contains(p.slots, slot) {
			return l.mismatch(s, p, "resume_optimizer", fmt.Sprintf("the optimizer of %s has no %s, which %s goes on with", p.whence, slot, s.Trainer.Optimizer.Type),
				"Write the same optimizer, or set resume_optimizer = false.")
		}
	}
	return true
}

// recoversPlace: a step means the same in both trainings, and lies in this one.
func (l *lowerer) recoversPlace(s *Stage, p *past) bool {
	mine := s.Length
	if mine.StepsPerEpoch > 0 && p.perEpoch > 0 && mine.StepsPerEpoch != p.perEpoch {
		return l.mismatch(s, p, "batch_size", fmt.Sprintf("an epoch has %s in stage %q, and %d in %s", count(mine.StepsPerEpoch, "step"), s.Name, p.perEpoch, p.whence),
			"Full recovery goes on counting epochs and steps: they follow from the training data, batch_size and drop_last. Make these the same, or set resume_epoch_or_step = false.")
	}
	end := p.step
	if end < 0 && p.up != nil {
		end = p.up.Length.Steps
	}
	if mine.Steps <= 0 || end < mine.Steps {
		return true
	}
	length := "num_epochs"
	if s.Trainer.NumSteps > 0 {
		length = "num_steps"
	}
	switch {
	case p.step > mine.Steps:
		return l.mismatch(s, p, length, fmt.Sprintf("%s has %s behind it, and stage %q ends after %d", p.whence, diag.Count(p.step, "step"), s.Name, mine.Steps),
			"Full recovery goes on counting: the length is that of both together. Make it longer, or set resume_epoch_or_step = false.")
	case p.step == mine.Steps:
		l.tell(s, s.Trainer.Origin, trainerAt(s, length), stage.NothingLeft(p.whence, p.step), p)
	default:
		l.fail(diag.Diagnostic{
			Code: diag.NothingLeft, Severity: diag.Warning, Subject: trainerAt(s, length), Address: s.Trainer.Origin.Address,
			Summary: fmt.Sprintf("the best checkpoint of %s may lie at or past the end of stage %q, after %s", p.whence, s.Name, diag.Count(mine.Steps, "step")),
			Detail:  "Full recovery goes on counting where the checkpoint was written, and at which step that is only the run will know. Make the stage longer, or set resume_epoch_or_step = false.",
			Related: p.related(),
		})
	}
	return true
}

// recoversStates: every state finds its callback, by type and place among its type.
func (l *lowerer) recoversStates(s *Stage, p *past) bool {
	mine := map[string]bool{}
	for i, name := range callbackNames(s.Stage) {
		mine[name] = s.Callbacks[i].Args == nil || l.stateful(s.Callbacks[i])
	}
	for _, name := range p.states {
		if !mine[name] {
			return l.mismatch(s, p, "resume_epoch_or_step", fmt.Sprintf("%s has a callback %s, whose state no callback of stage %q takes over", p.whence, name, s.Name),
				"Full recovery goes on with all that a checkpoint holds. A state belongs to a callback by its type, and its place among those of the type. Add the callback, or set resume_epoch_or_step = false.")
		}
	}
	return true
}

// otherSeed warns of a seed that a full recovery overrules.
func (l *lowerer) otherSeed(s *Stage, p *past) {
	set := l.plan.Program.Settings
	at, written := set.Origin.Attrs["seed"]
	if !written || set.Seed == p.seed {
		return
	}
	l.fail(diag.Diagnostic{
		Code: diag.NoEffect, Severity: diag.Warning, Subject: at, Address: set.Origin.Address,
		Summary: fmt.Sprintf("seed = %d does not order the images of stage %q: the seed %d counts, with which %s was trained", set.Seed, s.Name, p.seed, p.whence),
		Detail:  fmt.Sprintf("Full recovery goes on in the order that training began with. Write seed = %d, or set resume_epoch_or_step = false.", p.seed),
		Related: []diag.Related{{Message: "the recovery is asked for here", Range: trainerAt(s, "resume_optimizer")}},
	})
}

// writtenRate warns of a rate that resuming the optimizer overrules.
func (l *lowerer) writtenRate(s *Stage, p *past) {
	opt := l.optimizer(s.Trainer)
	o := s.Trainer.Optimizer.Origin
	switch {
	case math.IsNaN(p.rate):
		l.fail(diag.Diagnostic{
			Code: diag.NoEffect, Severity: diag.Warning, Subject: o.At("lr"), Address: o.Address,
			Summary: fmt.Sprintf("lr = %g is not used: the learning rate counts that %s has where the checkpoint is written", opt.LR(), p.whence),
			Detail:  "resume_optimizer takes the rate of the checkpoint, and an lr_updater begins from it. The run says which it is. Set resume_optimizer = false to train with the rate that is written.",
			Related: p.related(),
		})
	case !stage.SameRate(p.rate, opt.LR()):
		l.tell(s, o, o.At("lr"), stage.RateUnused(p.whence, opt.LR(), p.rate), p)
	}
}

// jumps warns of a full recovery whose rate is not that of a training never interrupted.
func (l *lowerer) jumps(s *Stage, p *past) {
	if p.step >= s.Length.Steps || p.step < 1 {
		return
	}
	had, now := s.rateAt(p.step-1, l.plan.Catalog), s.rateAt(p.step, l.plan.Catalog)
	if math.IsNaN(had) || math.IsNaN(now) || math.IsNaN(p.rate) || stage.SameRate(had, p.rate) {
		return
	}
	o := s.Trainer.Optimizer.Origin
	at := o.At("lr")
	if u := s.Trainer.LRUpdater; u != nil {
		o, at = u.Origin, u.Origin.Header
	}
	l.tell(s, o, at, stage.RateJumps(p.whence, p.rate, now), p)
}

// passed reports the callbacks with points before the step that the stage begins at.
// Of one that stands in the other stage too those have been acted upon there. Where
// the step is not known it is at most that given.
func (l *lowerer) passed(s *Stage, p *past, step int, known bool) {
	for i := range s.Callbacks {
		c := &s.Callbacks[i]
		if c.When == nil || p.acted(s, c, i) {
			continue
		}
		passed, left := c.When.Passed(step, s.Length)
		if !passed {
			continue
		}
		w := stage.SchedulePassed(c.Type, c.When, step, left)
		switch {
		case !known:
			l.fail(diag.Diagnostic{
				Code: w.Code, Severity: diag.Warning, Subject: c.Origin.At("when"), Address: c.Origin.Address, Related: p.related(), Detail: w.Detail,
				Summary: fmt.Sprintf("%s may not act at %q: at which step %s writes its best checkpoint, where the stage continues, only the run will know", c.Type, c.When.Text, p.whence),
			})
		case left:
			l.tell(s, c.Origin, c.Origin.At("when"), w, p)
		default:
			l.fail(diag.Diagnostic{
				Code: w.Code, Subject: c.Origin.At("when"), Address: c.Origin.Address, Related: p.related(), Summary: w.Summary, Detail: w.Detail,
			})
		}
	}
}

// acted reports whether the other stage has a callback of the same type that acts
// on the same modules at the same points: what lies before this stage is done.
func (p *past) acted(s *Stage, c *program.Callback, i int) bool {
	if p.up == nil {
		return slices.Contains(p.callbacks, callbackNames(s.Stage)[i])
	}
	return slices.ContainsFunc(p.up.Callbacks, func(b program.Callback) bool {
		return b.Type == c.Type && b.When != nil && c.When != nil && b.When.Text == c.When.Text && slices.EqualFunc(b.Modules, c.Modules,
			func(x, y program.Selector) bool { return x.Text == y.Text })
	})
}

// bestOf is the stage whose best checkpoint this one's may be: the first of those
// whose training it continues. Later absorptions are not surely in it.
func (s *Stage) bestOf() *Stage {
	for s.past != nil && s.past.up != nil && s.Trainer.ResumeEpochOrStep && slices.Contains(s.past.up.Writes, "best") {
		s = s.past.up
	}
	return s
}

// idle reports whether it is known that the stage has no step to do.
func (s *Stage) idle() bool {
	return s.past != nil && s.Trainer.ResumeEpochOrStep && s.past.step >= 0 && s.past.step == s.Length.Steps
}

// tell says what the run of the stage would say.
func (l *lowerer) tell(s *Stage, o program.Origin, at diag.Range, w stage.Warning, p *past) {
	s.Told[w.Code] = true
	l.fail(diag.Diagnostic{
		Code: w.Code, Severity: diag.Warning, Subject: at, Address: o.Address, Summary: w.Summary, Detail: w.Detail, Related: p.related(),
	})
}
