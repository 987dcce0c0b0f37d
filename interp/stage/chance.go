package stage

import (
	"fmt"
	"math"

	"qpipe/interp/part"
	"qpipe/lang/diag"
)

// warnOfChance says that the stage's validation found the model no better than
// guessing.
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

// guessed reports whether a share v of n images is not above the share p that
// guessing reaches by two standard deviations. Where so few images cannot tell a
// model halfway between guessing and perfect from a guess (four deviations), nothing
// is said.
func guessed(v, p float64, n int) bool {
	sd := math.Sqrt(p * (1 - p) / float64(max(n, 1)))
	return 4*sd < (1-p)/2 && v <= p+2*sd
}

func (r *run) atChance(name string, v, chance float64, n int) Warning {
	w := Warning{
		Code:    diag.AtChance,
		Summary: fmt.Sprintf("the model is no better than guessing: %s %.2f %% of %s, and the same answer for every image has %.2f %%", name, 100*v, part.Count(n, "image"), 100*chance),
	}
	switch {
	case r.Trainer != nil:
		w.Detail = "Likely causes, the usual one first: a learning rate too large for the beginning (a smaller lr, or an lr_updater with warmup_len); too few steps; labels that do not belong to the images; a Normalize that differs between training and validation."
	case r.Calibrator != nil:
		w.Detail = "Likely causes: the checkpoint that is loaded has not learned; a Normalize other than in its training; too few calibration steps, so that ranges are not known."
	default:
		w.Detail = "Likely causes: the checkpoint that is loaded has not learned, or none is loaded; a Normalize other than in its training; labels in another order."
	}
	return w
}
