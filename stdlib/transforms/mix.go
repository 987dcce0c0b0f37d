package transforms

import (
	"math"

	"qpipe/interp/part"
	"qpipe/ops/elementary"
)

// MixArgs are the arguments of Mixup and CutMix.
type MixArgs struct {
	Alpha float64 `arg:"alpha,optional" doc:"The shares are drawn from the distribution Beta(alpha, alpha): small values leave most images nearly as they are, 1 makes all shares equally likely."`
	Prob  float64 `arg:"prob,optional" doc:"Probability that a batch is mixed, 0 to 1. A batch that an earlier transform has mixed is left as it is."`
}

// MixDefaults returns the defaults of Mixup and CutMix.
func MixDefaults() MixArgs { return MixArgs{Alpha: 1, Prob: 1} }

// Validate implements the language's check after decoding.
func (a MixArgs) Validate() error {
	switch {
	case !(a.Alpha >= 0.01 && a.Alpha <= 100):
		return part.Bad("alpha", "%v; it must be 0.01 to 100", a.Alpha)
	case !(a.Prob >= 0 && a.Prob <= 1):
		return part.Bad("prob", "%v is not a probability, 0 to 1", a.Prob)
	}
	return nil
}

// Spec implements part.Transform: labels become shares of two labels.
func (a MixArgs) Spec(in part.Spec) (part.Spec, error) {
	for k := range in.Targets {
		t := &in.Targets[k]
		if t.Numbers || t.Size() != 1 || t.Open() {
			return in, part.Bad("alpha", "it mixes images that have one label each, and the target of the data is %v", *t)
		}
		t.Mixed = true
	}
	return in, nil
}

// Apply implements part.Transform: a single sample stays as it is.
func (MixArgs) Apply(*part.Sample, *part.Rand) {}

// share draws the share that a sample keeps. It is 1 if the batch is not to be mixed.
func (a MixArgs) share(r *part.Rand) float64 {
	if r.Float64() >= a.Prob {
		return 1
	}
	return beta(r, a.Alpha)
}

// beta draws from the distribution Beta(a, a): the ratio of one of two gamma variables to their sum, by their logarithms.
func beta(r *part.Rand, a float64) float64 {
	x, y := logGamma(r, a), logGamma(r, a)
	return 1 / (1 + elementary.Exp(y-x))
}

// logGamma draws the logarithm of a variable of the distribution Gamma(a, 1), after Marsaglia and Tsang, "A simple method for
// generating gamma variables" (2000): for a below 1 it is that of a+1, plus log(u)/a.
func logGamma(r *part.Rand, a float64) float64 {
	boost := 0.0
	if a < 1 {
		boost = elementary.Log(1-r.Float64()) / a
		a++
	}
	d := a - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := normal(r)
		v := 1 + float64(c*x)
		if v <= 0 {
			continue
		}
		v = v * v * v
		bound := float64(x*x/2) + d - float64(d*v) + float64(d*elementary.Log(v))
		if elementary.Log(1-r.Float64()) < bound {
			return elementary.Log(d) + elementary.Log(v) + boost
		}
	}
}

// normal draws from the standard normal distribution, by Marsaglia's polar method.
func normal(r *part.Rand) float64 {
	for {
		x, y := float64(2*r.Float64())-1, float64(2*r.Float64())-1
		if s := float64(x*x) + float64(y*y); s > 0 && s < 1 {
			return x * math.Sqrt(-2*elementary.Log(s)/s)
		}
	}
}

// shared notes that every sample has the share keep of its own label, and the rest of that of the sample before it; the first one of
// the last.
func shared(m *part.Mixture, keep float64) {
	for _, t := range m.Targets {
		for i := range t.Labels {
			t.Other[i], t.Shares[i] = t.Labels[(i+m.Len-1)%m.Len], float32(keep)
		}
	}
}

// turn calls mix for every sample of an input and the one before it, of which the first is the last. It goes from the end to the
// beginning, so that the one before is still as it was.
func turn(m *part.Mixture, input int, mix func(own, other []float32)) {
	x := m.Inputs[input]
	size := len(x) / m.Len
	last := append([]float32(nil), x[len(x)-size:]...)
	for i := m.Len - 1; i > 0; i-- {
		mix(x[i*size:(i+1)*size], x[(i-1)*size:i*size])
	}
	mix(x[:size], last)
}
