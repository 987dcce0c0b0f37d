// Package lrupdaters is the shelf of learning rate schedules: it turns a moment of training into the rate of the next
// step. It has no state, so a resumed run gets its rate from just the epoch and the step.
package lrupdaters

import (
	"math"

	"qpipe/interp/part"
)

// warmup is common to all updaters and has HAT's meaning: during it the rate rises linearly with every step from begin
// to the optimizer's rate. Its length is counted in epochs or in steps.
type warmup struct {
	byStep bool
	length int
	begin  float64
}

func newWarmup(by string, length int, begin float64) (warmup, error) {
	if most := mostOf(by); length < 0 || length > most {
		return warmup{}, part.Bad("warmup_len", "%d %ss; it must be 0 to %d", length, by, most)
	}
	if !rate(begin) {
		return warmup{}, part.Bad("warmup_begin_lr", "%v is not a learning rate; it must be 0 or larger", begin)
	}
	return warmup{by == "step", length, begin}, nil
}

// mostOf is the largest number of epochs or steps of a stage.
func mostOf(unit string) int {
	if unit == "step" {
		return part.MostSteps
	}
	return part.MostEpochs
}

// rate reports whether v can be a learning rate.
func rate(v float64) bool { return v >= 0 && !math.IsInf(v, 0) }

// steps returns the warm-up's length in steps.
func (w warmup) steps(p part.Progress) int {
	if w.byStep {
		return w.length
	}
	return w.length * p.StepsPerEpoch
}

// WarmupSteps implements part.Warmer.
func (w warmup) WarmupSteps(p part.Progress) int { return w.steps(p) }

// epochs returns the warm-up's length in epochs, rounded up.
func (w warmup) epochs(p part.Progress) int {
	if w.byStep {
		return ceilDiv(w.length, p.StepsPerEpoch)
	}
	return w.length
}

// rising returns the rate during the warm-up; ok is false after it.
func (w warmup) rising(base float64, p part.Progress) (lr float64, ok bool) {
	n := w.steps(p)
	if p.Step >= n {
		return 0, false
	}
	return w.begin + (base-w.begin)*float64(p.Step)/float64(n), true
}

// past returns how many steps (or epochs) have been done since the end of the warm-up, and how many there are after it
// in total.
func (w warmup) past(byStep bool, p part.Progress) (done, all int) {
	if byStep {
		n := w.steps(p)
		return p.Step - n, total(p.Steps, p.Epochs*p.StepsPerEpoch) - n
	}
	n := w.epochs(p)
	return max(p.Epoch-n, 0), total(p.Epochs, ceilDiv(p.Steps, p.StepsPerEpoch)) - n
}

// total returns n, or other if n is not known.
func total(n, other int) int {
	if n > 0 {
		return n
	}
	return other
}

func ceilDiv(a, b int) int {
	if b <= 0 {
		return a
	}
	return (a + b - 1) / b
}
