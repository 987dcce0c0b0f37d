package lrupdaters

import (
	"math"

	"qpipe/interp/part"
)

// CosArgs are the arguments of CosLrUpdater.
type CosArgs struct {
	UpdateBy      string  `arg:"update_by,optional" oneof:"step epoch" doc:"Whether the rate follows the cosine at every step or only at the start of every epoch."`
	StopLR        float64 `arg:"stop_lr,optional" doc:"Learning rate at the end of the cosine."`
	WarmupBy      string  `arg:"warmup_by,optional" oneof:"epoch step" doc:"Unit of warmup_len."`
	WarmupLen     int     `arg:"warmup_len,optional" doc:"Length of the warm-up. During it the rate rises with every step, whatever the unit."`
	WarmupBeginLR float64 `arg:"warmup_begin_lr,optional" doc:"Learning rate of the first step of the warm-up."`
}

// CosDefaults returns CosLrUpdater's defaults.
func CosDefaults() CosArgs { return CosArgs{UpdateBy: "step", WarmupBy: "epoch"} }

// Validate implements the language's check after decoding.
func (a CosArgs) Validate() error {
	if !rate(a.StopLR) {
		return part.Bad("stop_lr", "%v is not a learning rate; it must be 0 or larger", a.StopLR)
	}
	_, err := newWarmup(a.WarmupBy, a.WarmupLen, a.WarmupBeginLR)
	return err
}

type cos struct {
	warmup
	byStep bool
	stop   float64
}

// NewCos returns HAT's CosLrUpdater: after the warm-up, when t of T steps (or epochs) have been done,
//
//	lr = stop_lr + (base - stop_lr)·(1 + cos(π·t/T))/2
//
// T is the length of the stage after the warm-up. With update_by = "epoch", no warm-up and stop_lr = 0 this is base·(1
// + cos(π·epoch/epochs))/2.
func NewCos(a CosArgs) (part.LRUpdater, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	w, err := newWarmup(a.WarmupBy, a.WarmupLen, a.WarmupBeginLR)
	return cos{w, a.UpdateBy == "step", a.StopLR}, err
}

// LR implements part.LRUpdater.
func (c cos) LR(base float64, p part.Progress) float64 {
	if lr, ok := c.rising(base, p); ok {
		return lr
	}
	done, all := c.past(c.byStep, p)
	if done >= all {
		return c.stop
	}
	half := float64((base - c.stop) * (1 + math.Cos(math.Pi*float64(done)/float64(all))))
	return c.stop + half/2
}
