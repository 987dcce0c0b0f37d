package transforms

import "qpipe/interp/part"

type mixup struct{ MixArgs }

// NewMixup returns the transform of Zhang et al., "mixup: Beyond Empirical Risk Minimization" (2017): each image of a batch becomes the
// weighted mean of itself and the one before it, and so does its label. All images of a batch have the same share.
func NewMixup(a MixArgs) (part.Transform, error) { return mixup{a}, a.Validate() }

// Mix implements part.Mixer.
func (t mixup) Mix(m *part.Mixture, r *part.Rand) bool {
	keep := float32(t.share(r))
	if keep == 1 {
		return false
	}
	rest := 1 - keep
	for k := range m.Inputs {
		turn(m, k, func(own, other []float32) {
			for i, v := range other {
				own[i] = float32(keep*own[i]) + float32(rest*v)
			}
		})
	}
	shared(m, float64(keep))
	return true
}
