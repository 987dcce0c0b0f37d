package stage

import (
	"cmp"
	"errors"
	"slices"

	"qpipe/interp/part"
	"qpipe/lang/program"
)

// hook is something that happens between two steps. The hooks of a stage stand
// in one list, in the order in which they act; a snapshot holds how many of
// them had acted when it was made, so that a resumed run repeats and skips none.
type hook struct {
	due     func() bool
	act     func() error
	address string // of the callback, "" for the stage's own
	rank    int    // orders the hooks of an epoch's end
	always  bool   // acts also after a stop was asked for
}

// schedule makes the list of hooks:
//
//	callbacks due at "start"; every StepEnd;
//	at the end of an epoch: its loss; callbacks due at "end" (after the last
//	step); every EpochEnd, validation, the epoch's event and "last" by priority;
//	after the last epoch: every End and the final "last";
//	callbacks due before the next step.
func (r *run) schedule() []hook {
	hooks := r.fires(r.first, func(c BoundCallback) bool { return c.When.Start })
	steps := each(r, r.stepped, part.StepEnder.StepEnd)
	slices.SortStableFunc(steps, byRank)
	for _, h := range steps {
		h.always = true
		hooks = append(hooks, h)
	}
	hooks = append(hooks, hook{due: r.closes, act: r.closeEpoch, always: true})
	hooks = append(hooks, r.fires(r.last, func(c BoundCallback) bool { return c.When.End })...)
	hooks = append(hooks, r.epochEnds()...)
	hooks = append(hooks, each(r, r.last, part.Ender.End)...)
	if r.steps() {
		hooks = append(hooks, hook{due: r.last, act: func() error { return r.save("last") }, always: true})
	}
	return append(hooks, r.fires(r.goes, func(c BoundCallback) bool {
		s := r.state
		return c.When.Due(s.Epoch, s.Step, s.Step%s.Length.StepsPerEpoch == 0)
	})...)
}

// epochEnds are the hooks at the end of an epoch, by priority and then as written.
func (r *run) epochEnds() []hook {
	hooks := each(r, r.closes, part.EpochEnder.EpochEnd)
	if r.Val != nil {
		governed := governs[part.Validator](r.Callbacks)
		hooks = append(hooks, hook{
			due: func() bool { return r.closes() && !r.validated() && (!governed || r.last()) },
			act: r.validate, rank: 10,
		})
	}
	if r.steps() {
		hooks = append(hooks, hook{due: func() bool { return r.closes() && r.stepped() }, act: r.emitEpoch, rank: 80})
	}
	if r.steps() && !governs[part.Checkpointer](r.Callbacks) {
		hooks = append(hooks, hook{
			due: func() bool { return r.closes() && !r.last() },
			act: func() error { return r.save("last") }, rank: 90,
		})
	}
	slices.SortStableFunc(hooks, byRank)
	return hooks
}

func byRank(a, b hook) int { return cmp.Compare(a.rank, b.rank) }

// The moments: before the stage's first step, after a step, at the end of an epoch,
// after the last step, before a step. A stage that continues where another one has
// ended begins at that one's last step, and its first moment is that before a step.
func (r *run) first() bool   { return r.pos.Begins }
func (r *run) stepped() bool { return !r.pos.Begins }
func (r *run) last() bool    { return r.state.Step >= r.state.Length.Steps }
func (r *run) goes() bool    { return !r.last() }
func (r *run) closes() bool {
	s := r.state
	return r.last() || (r.stepped() && s.Step%s.Length.StepsPerEpoch == 0)
}

// steps reports whether the job has steps at all.
func (r *run) steps() bool { return r.Trainer != nil || r.Calibrator != nil }

// fires makes the hooks of the callbacks with a schedule.
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
			act:     func() error { return f.Fire(r.state, c.Modules) },
			address: c.Address,
		})
	}
	return hooks
}

// each makes the hooks of the callbacks that have the method.
func each[H any](r *run, due func() bool, method func(H, *part.State) error) []hook {
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
			act:     func() error { return method(h, r.state) },
			address: c.Address,
			rank:    rank,
		})
	}
	return hooks
}

func governs[H any](callbacks []BoundCallback) bool {
	return slices.ContainsFunc(callbacks, func(c BoundCallback) bool { _, ok := c.Callback.(H); return ok })
}

// moment runs the hooks between two steps, from the one where a snapshot left off.
// A snapshot made by a hook counts that hook as done; one that an interrupt makes
// does not count the hook that was cut short.
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

// pause stops before hook i where a stop was asked for.
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

// starters runs every Start.
func (r *run) starters() error {
	for _, h := range each(r, r.goes, part.Starter.Start) {
		if err := h.act(); err != nil {
			return r.blame(h.address, err)
		}
	}
	return nil
}

// blame makes a callback's error a failure at its address.
func (r *run) blame(address string, err error) error {
	if address == "" || errors.Is(err, ErrInterrupted) || r.ctx.Err() != nil {
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
