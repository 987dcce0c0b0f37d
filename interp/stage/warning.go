package stage

import (
	"fmt"
	"math"

	"qpipe/interp/checkpoint"
	"qpipe/interp/part"
	"qpipe/lang/diag"
	"qpipe/lang/program"
)

// Warning tells the user about a possible mistake in a stage, which runs nevertheless.
// The rules of the plan (interp/graph) use the same texts for what is already known
// before a run.
type Warning struct {
	Code    diag.Code
	Address string // of the callback's or part's block, "" for `trainer {}`
	Attr    string // the attribute concerned, "" if none
	Summary string
	Detail  string
}

func (r *run) warn(w Warning) {
	if r.Warn != nil {
		r.Warn(w)
	}
}

// warnOfRecovery warns where a stage that continues from a checkpoint does something else
// than its text suggests.
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

// warnOfSchedules warns of callbacks with a `when` that lies before the stage's first
// step. There is no warning if the callback's work is done already: its BNs have been
// absorbed, or a callback of the same name has frozen them.
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

// done reports whether there is nothing left for a callback to do on its modules. before
// says that the stage of the checkpoint had the same callback, which may have frozen BNs.
func (r *run) done(c BoundCallback, before bool) bool {
	for _, name := range c.Modules {
		m, err := moduleOf(r.Model, name)
		if err == nil && m.BN != "" && (!before || !r.isFrozen(m.Name)) {
			return false
		}
	}
	return len(c.Modules) > 0 || before
}

// SameRate reports whether two learning rates are equal up to rounding.
func SameRate(a, b float64) bool { return math.Abs(a-b) <= 1e-9*math.Max(math.Abs(a), math.Abs(b)) }

// RateUnused warns that a stage which resumes the optimizer uses the checkpoint's
// learning rate (used), not its own (written). whence names where the
// checkpoint comes from: `stage "x"`, or its file.
func RateUnused(whence string, written, used float64) Warning {
	return Warning{
		Code: diag.NoEffect, Attr: "lr",
		Summary: fmt.Sprintf("lr = %g is not used: training continues with the learning rate of %s, which is %.3g", written, whence, used),
		Detail:  fmt.Sprintf("resume_optimizer restores the checkpoint's learning rate, and an lr_updater starts from it. Write lr = %.3g, or set resume_optimizer = false to train with %g.", used, written),
	}
}

// RateJumps warns that a full recovery continues with another learning rate than the checkpoint's.
func RateJumps(whence string, from, to float64) Warning {
	return Warning{
		Code: diag.RateJumps, Attr: "lr",
		Summary: fmt.Sprintf("the learning rate jumps from %.3g, where %s ended, to %.3g", from, whence, to),
		Detail:  "Full recovery restores the step. From there the rate follows this stage's own optimizer and lr_updater, over this stage's whole length. Write the same optimizer and lr_updater as before, or set resume_epoch_or_step = false to start the schedule at step 0.",
	}
}

// NothingLeft warns that a stage has no step left to do.
func NothingLeft(whence string, step int) Warning {
	return Warning{
		Code: diag.NothingLeft, Attr: "num_epochs",
		Summary: fmt.Sprintf("no step is left to train: %s has completed %s, and this stage ends there", whence, part.Count(step, "step")),
		Detail:  "Full recovery continues the checkpoint's count of steps, so the length of this stage includes the steps that are already done. Make it longer, or set resume_epoch_or_step = false.",
	}
}

// SchedulePassed warns that points of a callback's schedule lie before the stage's first
// step. left says that others still follow.
func SchedulePassed(callback string, when *program.Schedule, step int, left bool) Warning {
	w := Warning{
		Code: diag.SchedulePassed, Attr: "when",
		Summary: fmt.Sprintf("%s never acts: %q lies before step %d, where the stage continues", callback, when.Text, step),
		Detail:  `Full recovery continues the checkpoint's count of epochs and steps, and the points of "when" refer to that count. To act before the first step of this stage, write when = "start".`,
	}
	if left {
		w.Summary = fmt.Sprintf("%s does not act at the points of %q that lie before step %d, where the stage continues", callback, when.Text, step)
	}
	return w
}

// bestLost warns that the file of the best checkpoint so far is missing.
func bestLost(whence string) Warning {
	return Warning{
		Code: diag.BestLost, Attr: "resume_optimizer",
		Summary: fmt.Sprintf("the best checkpoint of %s is missing: this stage starts over in its search for the best", whence),
		Detail:  "The best checkpoint so far is kept only if its file, best.safetensors, is in the same folder as the checkpoint that the stage continues from.",
	}
}
