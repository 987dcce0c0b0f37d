package stage

import (
	"cmp"
	"errors"
	"slices"

	"qpipe/interp/part"
	"qpipe/lang/program"
)

// A moment is the time between two steps: everything that is not a step happens there.
//
// A stage has one list of hooks. At every moment the run goes through the whole list in
// order, and each hook decides whether it is due. The order never changes during a run.
// A hook may write a checkpoint, and the run may be interrupted between two hooks. For
// that reason a checkpoint records how many hooks of the list are done
// (checkpoint.Position.Hooks): a resumed run continues with the next hook, and no hook
// acts twice or is left out.

// hook is one action at a moment: a method of a callback, or something that the stage does itself.
type hook struct {
	due     func() bool  // whether it acts at this moment
	act     func() error // what it does
	address string       // of the callback, "" for the stage itself
	rank    int          // the priority among the hooks at the end of an epoch: smaller acts first
	always  bool         // acts even if the user has asked the run to stop
}

// listHooks returns the stage's hooks in the order in which they act:
//
//  1. before the first step: callbacks with when = "start"
//  2. after a step: every StepEnd
//  3. at the end of an epoch: the epoch's mean loss
//  4. after the last step: callbacks with when = "end"
//  5. at the end of an epoch, by priority: every EpochEnd, validation, the epoch's event, the checkpoint "last"
//  6. after the last epoch: every End, and the final checkpoint "last"
//  7. before the next step: callbacks whose `when` names this epoch or step
func (r *run) listHooks() []hook {
	hooks := r.fires(r.first, func(c BoundCallback) bool { return c.When.Start })
	steps := each(r, r.stepped, "StepEnd", part.StepEnder.StepEnd)
	slices.SortStableFunc(steps, byRank)
	for _, h := range steps {
		h.always = true
		hooks = append(hooks, h)
	}
	hooks = append(hooks, hook{due: r.epochEnded, act: r.closeEpoch, always: true})
	hooks = append(hooks, r.fires(r.last, func(c BoundCallback) bool { return c.When.End })...)
	hooks = append(hooks, r.epochEnds()...)
	hooks = append(hooks, each(r, r.last, "End", part.Ender.End)...)
	if r.steps() {
		hooks = append(hooks, hook{due: r.last, act: func() error { return r.save("last") }, always: true})
	}
	return append(hooks, r.fires(r.continues, func(c BoundCallback) bool {
		s := r.state
		return c.When.Due(s.Epoch, s.Step, s.Step%s.Length.StepsPerEpoch == 0)
	})...)
}

// epochEnds returns the hooks at the end of an epoch, by priority and then in written order.
func (r *run) epochEnds() []hook {
	hooks := each(r, r.epochEnded, "EpochEnd", part.EpochEnder.EpochEnd)
	if r.Val != nil {
		governed := governs[part.Validator](r.Callbacks)
		hooks = append(hooks, hook{
			due: func() bool { return r.epochEnded() && !r.validated() && (!governed || r.last()) },
			act: r.validate, rank: 10,
		})
	}
	if r.steps() {
		hooks = append(hooks, hook{due: func() bool { return r.epochEnded() && r.stepped() }, act: r.emitEpoch, rank: 80})
	}
	if r.steps() && !governs[part.Checkpointer](r.Callbacks) {
		hooks = append(hooks, hook{
			due: func() bool { return r.epochEnded() && !r.last() },
			act: func() error { return r.save("last") }, rank: 90,
		})
	}
	slices.SortStableFunc(hooks, byRank)
	return hooks
}

func byRank(a, b hook) int { return cmp.Compare(a.rank, b.rank) }

// The conditions that hooks depend on. At a moment several of them can hold: after the
// last step of an epoch, stepped, epochEnded and continues are all true.
//
// A stage that continues from another stage's checkpoint begins at the step that the
// checkpoint has reached. At its first moment first holds and stepped does not: the
// hooks that follow a step have already acted in the other stage.

// first reports whether this stage has not done a step yet.
func (r *run) first() bool { return r.pos.Begins }

// stepped reports whether this stage has just done a step.
func (r *run) stepped() bool { return !r.pos.Begins }

// last reports whether no step is left to do.
func (r *run) last() bool { return r.state.Step >= r.state.Length.Steps }

// continues reports whether another step follows.
func (r *run) continues() bool { return !r.last() }

// epochEnded reports whether an epoch has just ended; the last one may be shorter than the others.
func (r *run) epochEnded() bool {
	s := r.state
	return r.last() || (r.stepped() && s.Step%s.Length.StepsPerEpoch == 0)
}

// steps reports whether the job trains or calibrates; otherwise it has no steps and only validates.
func (r *run) steps() bool { return r.Trainer != nil || r.Calibrator != nil }

// fires returns a hook for each callback that acts at its `when` ([part.Firer]). The hook
// is due if due holds and hit accepts the callback's schedule.
func (r *run) fires(due func() bool, hit func(BoundCallback) bool) []hook {
	var hooks []hook
	for _, c := range r.Callbacks {
		f, ok := c.Callback.(part.Firer)
		if !ok {
			continue
		}
		if c.When == nil {
			c.When = &program.Schedule{Start: true}
		}
		hooks = append(hooks, hook{
			due:     func() bool { return due() && hit(c) },
			act:     func() error { return c.call("Fire", func() error { return f.Fire(r.state, c.Modules) }) },
			address: c.Address,
		})
	}
	return hooks
}

// each returns a hook for each callback that implements H; the hook calls the method, which has the given name.
func each[H any](r *run, due func() bool, name string, method func(H, *part.State) error) []hook {
	var hooks []hook
	for _, c := range r.Callbacks {
		h, ok := c.Callback.(H)
		if !ok {
			continue
		}
		rank := 50
		if p, ok := c.Callback.(part.Prioritized); ok {
			rank = p.Priority()
		}
		hooks = append(hooks, hook{
			due:     due,
			act:     func() error { return c.call(name, func() error { return method(h, r.state) }) },
			address: c.Address,
			rank:    rank,
		})
	}
	return hooks
}

// call calls a method of the callback. A panic becomes its error.
func (c *BoundCallback) call(method string, f func() error) error {
	return guarded(program.Call{Type: c.Type}, method, f)
}

// guarded calls a method of a part. A panic becomes an error of the part, which call names.
func guarded(call program.Call, method string, f func() error) error {
	err := part.Try(method, f)
	var p *part.Panic
	var known *part.Fault
	if errors.As(err, &p) && !errors.As(err, &known) {
		return &Failure{Err: &part.Fault{Call: call, Err: p}}
	}
	return err
}

// governs reports whether one of the callbacks implements H.
func governs[H any](callbacks []BoundCallback) bool {
	return slices.ContainsFunc(callbacks, func(c BoundCallback) bool { _, ok := c.Callback.(H); return ok })
}

// moment runs the hooks that are due now. It begins with the first hook that is not yet
// done: in a resumed run these may be fewer than all.
//
// While a hook acts it already counts as done, so that a checkpoint that it writes says
// so. If the hook returns an error, an interrupt among them, it no longer counts: a
// resumed run repeats it.
func (r *run) moment() error {
	for i := r.pos.Hooks; i < len(r.hooks); i++ {
		h := &r.hooks[i]
		if !h.due() {
			continue
		}
		if err := r.pause(h, i); err != nil {
			return err
		}
		r.pos.Hooks = i + 1
		if err := h.act(); err != nil {
			r.pos.Hooks = i
			return r.blame(h.address, err)
		}
	}
	if r.last() {
		return nil
	}
	return r.pause(&hook{}, len(r.hooks))
}

// pause returns ErrInterrupted if the user has asked the run to stop, and records that
// hook i is the next to act. A hook that always acts is not held up; only the
// cancellation of the context stops it.
func (r *run) pause(h *hook, i int) error {
	if h.always {
		return r.ctx.Err()
	}
	err := r.halted()
	if errors.Is(err, ErrInterrupted) {
		r.pos.Hooks = i
	}
	return err
}

// starters calls Start of every callback that has it.
func (r *run) starters() error {
	for _, h := range each(r, r.continues, "Start", part.Starter.Start) {
		if err := h.act(); err != nil {
			return r.blame(h.address, err)
		}
	}
	return nil
}

// blame turns the error of a callback into a Failure with the callback's address. An
// interrupt is not the callback's fault and stays as it is.
func (r *run) blame(address string, err error) error {
	if err == nil || address == "" || errors.Is(err, ErrInterrupted) || r.ctx.Err() != nil {
		return err
	}
	var f *Failure
	if errors.As(err, &f) {
		if f.Address == "" {
			f.Address = address
		}
		return err
	}
	f = &Failure{Address: address, Err: err}
	var arg *part.ArgError
	if errors.As(err, &arg) {
		f.Attr, f.Err = arg.Attr, arg.Err
	}
	return f
}
