package stage

import (
	"fmt"
	"math"

	"qpipe/interp/part"
	"qpipe/lang/diag"
)

// warnOfChance warns if the stage's validation found the model no better than guessing.
func (r *run) warnOfChance() {
	if r.Val == nil || !r.validated() {
		return
	}
	for _, m := range r.Metrics {
		g, ok := m.(part.Guesser)
		if !ok {
			continue
		}
		chance, n := g.Chance(), r.Val.Samples.Len()
		for i, name := range m.Names() {
			v, known := r.state.Metrics[name]
			if known && i < len(chance) && guessed(v, chance[i], n) {
				r.warn(r.atChance(name, v, chance[i], n))
				return
			}
		}
	}
}

// guessed reports whether a metric of v on n images may be the result of guessing, which
// would reach p on average. Both are shares of the images, from 0 to 1. The bound is two
// standard deviations above p. With very few images the answer is always false: if even
// a model halfway between guessing and perfect were less than four standard deviations
// above p, the result would say nothing.
func guessed(v, p float64, n int) bool {
	sd := math.Sqrt(p * (1 - p) / float64(max(n, 1)))
	return 4*sd < (1-p)/2 && v <= p+2*sd
}

func (r *run) atChance(name string, v, chance float64, n int) Warning {
	w := Warning{
		Code:    diag.AtChance,
		Summary: fmt.Sprintf("the model is no better than guessing: %s is %.2f %% of %s, and giving the same answer for every image reaches %.2f %%", name, 100*v, part.Count(n, "image"), 100*chance),
	}
	switch {
	case r.Trainer != nil:
		w.Detail = "Likely causes, the most common first: the learning rate is too large at the start (use a smaller lr, or an lr_updater with warmup_len); too few steps; labels that do not belong to the images; a Normalize that differs between training and validation."
	case r.Calibrator != nil:
		w.Detail = "Likely causes: the loaded checkpoint was never trained well; Normalize differs from its training; there were too few calibration steps to find the ranges."
	default:
		w.Detail = "Likely causes: no checkpoint is loaded, or it was never trained well; Normalize differs from its training; the labels are in another order."
	}
	return w
}
