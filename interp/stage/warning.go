package stage

import (
	"fmt"
	"math"

	"qpipe/interp/checkpoint"
	"qpipe/interp/part"
	"qpipe/lang/diag"
	"qpipe/lang/program"
)

// Warning is something that the user should know of a stage: it runs all the same.
// What validation can know the graph says with the same words.
type Warning struct {
	Code    diag.Code
	Address string // of the callback's or part's block, "" for the trainer's
	Attr    string // the attribute concerned, "" for none
	Summary string
	Detail  string
}

func (r *run) warn(w Warning) {
	if r.Warn != nil {
		r.Warn(w)
	}
}

// warnOfRecovery says what a stage that recovers does otherwise than its text may
// make one think.
func (r *run) warnOfRecovery(t *trainer) {
	s := r.Resume
	if s == nil || r.Trainer == nil || r.Interrupted {
		return
	}
	whence := fmt.Sprintf("stage %q", s.Stage)
	if !r.full() {
		if lr := r.Trainer.Optimizer.LR(); !SameRate(lr, s.LR) {
			r.warn(RateUnused(whence, lr, s.LR))
		}
		return
	}
	if r.bestLost() {
		r.warn(bestLost(whence))
	}
	if r.last() {
		r.warn(NothingLeft(whence, s.Step))
		return
	}
	r.warnOfSchedules(s)
	if s.Step == 0 {
		return
	}
	had, err := t.rateAt(s.Step - 1)
	now, err2 := t.rateAt(s.Step)
	if err == nil && err2 == nil && !SameRate(had, s.LR) {
		r.warn(RateJumps(whence, s.LR, now))
	}
}

// warnOfSchedules names the callbacks whose points the stage has passed. One that
// finds its work done (its BNs absorbed, or frozen by a callback of the same name)
// has missed nothing.
func (r *run) warnOfSchedules(s *checkpoint.Snapshot) {
	for i, name := range names(r.Callbacks) {
		c := r.Callbacks[i]
		if _, fires := c.Callback.(part.Firer); !fires || c.When == nil {
			continue
		}
		passed, left := c.When.Passed(s.Step, r.state.Length)
		if passed && !r.done(c, s.Has(name)) {
			w := SchedulePassed(c.Type, c.When, s.Step, left)
			w.Address = c.Address
			r.warn(w)
		}
	}
}

// done reports whether there is nothing left to do on a callback's modules.
func (r *run) done(c BoundCallback, before bool) bool {
	for _, name := range c.Modules {
		m, err := moduleOf(r.Model, name)
		if err == nil && m.BN != "" && (!before || !r.isFrozen(m.Name)) {
			return false
		}
	}
	return len(c.Modules) > 0 || before
}

// SameRate reports whether two learning rates are the same but for rounding.
func SameRate(a, b float64) bool { return math.Abs(a-b) <= 1e-9*math.Max(math.Abs(a), math.Abs(b)) }

// RateUnused says that resuming the optimizer takes the checkpoint's learning rate.
func RateUnused(whence string, written, counts float64) Warning {
	return Warning{
		Code: diag.NoEffect, Attr: "lr",
		Summary: fmt.Sprintf("lr = %g is not used: the learning rate %.3g counts, in which %s has ended", written, counts, whence),
		Detail:  fmt.Sprintf("resume_optimizer takes the rate of the checkpoint, and an lr_updater begins from it. Write lr = %.3g, or set resume_optimizer = false to train with %g.", counts, written),
	}
}

// RateJumps says that a full recovery does not go on at the checkpoint's rate.
func RateJumps(whence string, from, to float64) Warning {
	return Warning{
		Code: diag.RateJumps, Attr: "lr",
		Summary: fmt.Sprintf("the learning rate goes from %.3g, in which %s has ended, to %.3g", from, whence, to),
		Detail:  "Full recovery restores the step, and the stage's own optimizer and lr_updater say the rate from there: over the whole length of this stage. Write the other stage's, or resume_epoch_or_step = false to begin a schedule at step 0.",
	}
}

// NothingLeft says that a stage has no step to do.
func NothingLeft(whence string, step int) Warning {
	return Warning{
		Code: diag.NothingLeft, Attr: "num_epochs",
		Summary: fmt.Sprintf("no step is left to train: %s has ended after %s, and so does this one", whence, part.Count(step, "step")),
		Detail:  "Full recovery continues counting where the checkpoint was written: the length is that of both together. Make it longer, or set resume_epoch_or_step = false.",
	}
}

// SchedulePassed says that a callback's points lie before the stage's first step.
func SchedulePassed(callback string, when *program.Schedule, step int, left bool) Warning {
	w := Warning{
		Code: diag.SchedulePassed, Attr: "when",
		Summary: fmt.Sprintf("%s never acts: %q lies before step %d, where the stage continues", callback, when.Text, step),
		Detail:  `To act before the first step of the stage write when = "start". Full recovery continues counting: points are those of the whole training.`,
	}
	if left {
		w.Summary = fmt.Sprintf("%s does not act at the points of %q that lie before step %d, where the stage continues", callback, when.Text, step)
	}
	return w
}

func bestLost(whence string) Warning {
	return Warning{
		Code: diag.BestLost, Attr: "resume_optimizer",
		Summary: fmt.Sprintf("the best checkpoint of %s is not beside the one that is continued: the best begins anew", whence),
		Detail:  "What was best before cannot be handed on without its file, best.safetensors.",
	}
}
