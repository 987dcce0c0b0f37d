package lrupdaters

import (
	"math"
	"slices"

	"qpipe/interp/part"
)

// StepDecayArgs are the arguments of StepDecayLrUpdater.
type StepDecayArgs struct {
	LRDecayID     []int   `arg:"lr_decay_id" doc:"Epochs (or steps, see update_by) at which the rate is multiplied by lr_decay_factor, ascending, counted from the end of the warm-up."`
	LRDecayFactor float64 `arg:"lr_decay_factor,optional" doc:"Factor of every decay, 0 to 1."`
	UpdateBy      string  `arg:"update_by,optional" oneof:"epoch step" doc:"Unit of lr_decay_id."`
	WarmupBy      string  `arg:"warmup_by,optional" oneof:"epoch step" doc:"Unit of warmup_len."`
	WarmupLen     int     `arg:"warmup_len,optional" doc:"Length of the warm-up. During it the rate rises with every step, whatever the unit."`
	WarmupBeginLR float64 `arg:"warmup_begin_lr,optional" doc:"Learning rate of the first step of the warm-up."`
}

// StepDecayDefaults returns StepDecayLrUpdater's defaults.
func StepDecayDefaults() StepDecayArgs {
	return StepDecayArgs{LRDecayFactor: 0.1, UpdateBy: "epoch", WarmupBy: "epoch"}
}

// Validate implements the language's check after decoding.
func (a StepDecayArgs) Validate() error {
	if len(a.LRDecayID) == 0 {
		return part.Bad("lr_decay_id", "is empty; name the %ss at which the rate falls, or leave the lr_updater out to keep the rate", a.UpdateBy)
	}
	if first, most := a.LRDecayID[0], mostOf(a.UpdateBy); first < 0 || a.LRDecayID[len(a.LRDecayID)-1] > most || !slices.IsSorted(a.LRDecayID) {
		return part.Bad("lr_decay_id", "must be 0 to %d and ascending, and begins with %d", most, first)
	}
	if !(a.LRDecayFactor >= 0 && a.LRDecayFactor <= 1) {
		return part.Bad("lr_decay_factor", "%v must lie between 0 and 1", a.LRDecayFactor)
	}
	_, err := newWarmup(a.WarmupBy, a.WarmupLen, a.WarmupBeginLR)
	return err
}

type stepDecay struct {
	warmup
	byStep bool
	at     []int
	factor float64
}

// NewStepDecay returns HAT's StepDecayLrUpdater: after the warm-up
//
//	lr = base · lr_decay_factor^k
//
// where k is the number of entries of lr_decay_id that have been reached.
func NewStepDecay(a StepDecayArgs) (part.LRUpdater, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	w, err := newWarmup(a.WarmupBy, a.WarmupLen, a.WarmupBeginLR)
	return stepDecay{w, a.UpdateBy == "step", slices.Clone(a.LRDecayID), a.LRDecayFactor}, err
}

// LR implements part.LRUpdater.
func (d stepDecay) LR(base float64, p part.Progress) float64 {
	if lr, ok := d.rising(base, p); ok {
		return lr
	}
	done, _ := d.past(d.byStep, p)
	k, _ := slices.BinarySearch(d.at, done+1) // entries that are <= done
	return base * math.Pow(d.factor, float64(k))
}
