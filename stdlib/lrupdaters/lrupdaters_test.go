package lrupdaters

import (
	"errors"
	"math"
	"testing"

	"qpipe/interp/part"
)

const epochs, perEpoch = 10, 50

// at is the moment before the given step.
func at(step int) part.Progress {
	return part.Progress{Epoch: step / perEpoch, Step: step, StepsPerEpoch: perEpoch, Epochs: epochs, Steps: epochs * perEpoch}
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-12*(1+math.Abs(b)) }

type points map[int]float64

func check(t *testing.T, name string, u part.LRUpdater, err error, base float64, want points) {
	t.Helper()
	if err != nil {
		t.Fatal(name, err)
	}
	for step, lr := range want {
		if got := u.LR(base, at(step)); !near(got, lr) {
			t.Errorf("%s: step %d has %v, want %v", name, step, got, lr)
		}
	}
}

func TestCosAtKnownPoints(t *testing.T) {
	half := math.Sqrt2 / 2 // cos 45°
	u, err := NewCos(CosDefaults())
	check(t, "by step", u, err, 0.8, points{0: 0.8, 125: 0.4 * (1 + half), 250: 0.4, 375: 0.4 * (1 - half), 500: 0})

	a := CosDefaults()
	a.UpdateBy, a.StopLR = "epoch", 0.2
	u, err = NewCos(a)
	check(t, "by epoch", u, err, 1.2, points{0: 1.2, 49: 1.2, 250: 0.7, 299: 0.7, 500: 0.2, 900: 0.2})

	a = CosDefaults()
	a.WarmupLen = 2 // epochs: 100 steps; 400 are left
	u, err = NewCos(a)
	check(t, "warm-up of epochs", u, err, 0.8, points{0: 0, 1: 0.008, 50: 0.4, 99: 0.792, 100: 0.8, 200: 0.4 * (1 + half), 300: 0.4, 500: 0})

	a.UpdateBy, a.WarmupBeginLR = "epoch", 0.1
	u, err = NewCos(a)
	check(t, "warm-up, then by epoch", u, err, 0.9, points{0: 0.1, 50: 0.5, 100: 0.9, 149: 0.9, 300: 0.45, 349: 0.45})

	a = CosDefaults()
	a.WarmupBy, a.WarmupLen, a.WarmupBeginLR = "step", 20, 0.2
	u, err = NewCos(a)
	check(t, "warm-up of steps", u, err, 0.6, points{0: 0.2, 10: 0.4, 20: 0.6, 260: 0.3})
}

// The anchor's formula: lr·(1 + cos(π·e/epochs))/2 in epoch e.
func TestCosIsTheAnchors(t *testing.T) {
	a := CosDefaults()
	a.UpdateBy = "epoch"
	u, err := NewCos(a)
	for step := range epochs * perEpoch {
		e := float64(step / perEpoch)
		check(t, "anchor", u, err, 0.05, points{step: 0.05 * (1 + math.Cos(math.Pi*e/epochs)) / 2})
	}
}

func TestStepDecayAtKnownPoints(t *testing.T) {
	a := StepDecayDefaults()
	a.LRDecayID = []int{2, 5, 5}
	u, err := NewStepDecay(a)
	check(t, "by epoch", u, err, 1, points{0: 1, 99: 1, 100: 0.1, 249: 0.1, 250: 0.001, 499: 0.001})

	a.WarmupBy, a.WarmupLen, a.LRDecayFactor = "step", 60, 0.5 // ends in the second epoch: decays count from the third
	u, err = NewStepDecay(a)
	check(t, "after a warm-up", u, err, 1, points{0: 0, 30: 0.5, 60: 1, 199: 1, 200: 0.5, 350: 0.125})

	a.UpdateBy, a.LRDecayID = "step", []int{0, 100}
	u, err = NewStepDecay(a)
	check(t, "by step", u, err, 1, points{59: 59.0 / 60, 60: 0.5, 159: 0.5, 160: 0.25})
}

// Whatever the arguments, the rate is never negative, never above the base, and joins up with the warm-up.
func TestRatesStayInBounds(t *testing.T) {
	for _, by := range []string{"step", "epoch"} {
		for _, warm := range []int{0, 1, 7, 10, 600} {
			for _, unit := range []string{"step", "epoch"} {
				c, err1 := NewCos(CosArgs{UpdateBy: by, WarmupBy: unit, WarmupLen: warm})
				d, err2 := NewStepDecay(StepDecayArgs{LRDecayID: []int{1, 3}, LRDecayFactor: 0.3, UpdateBy: by, WarmupBy: unit, WarmupLen: warm})
				if err1 != nil || err2 != nil {
					t.Fatal(err1, err2)
				}
				for step := range epochs*perEpoch + 1 {
					for _, u := range []part.LRUpdater{c, d} {
						if lr := u.LR(0.3, at(step)); !(lr >= 0 && lr <= 0.3) {
							t.Fatalf("%T %s, warm-up %d %s, step %d: %v", u, by, warm, unit, step, lr)
						}
					}
				}
			}
		}
	}
}

func TestBadArguments(t *testing.T) {
	cos := func(change func(*CosArgs)) error { a := CosDefaults(); change(&a); return a.Validate() }
	dec := func(change func(*StepDecayArgs)) error {
		a := StepDecayDefaults()
		a.LRDecayID = []int{1}
		change(&a)
		return a.Validate()
	}
	for i, c := range []struct {
		attr string
		err  error
	}{
		{"stop_lr", cos(func(a *CosArgs) { a.StopLR = -1 })},
		{"warmup_len", cos(func(a *CosArgs) { a.WarmupLen = -1 })},
		{"warmup_begin_lr", cos(func(a *CosArgs) { a.WarmupBeginLR = math.Inf(1) })},
		{"lr_decay_id", dec(func(a *StepDecayArgs) { a.LRDecayID = nil })},
		{"lr_decay_id", dec(func(a *StepDecayArgs) { a.LRDecayID = []int{3, 2} })},
		{"lr_decay_id", dec(func(a *StepDecayArgs) { a.LRDecayID = []int{-1, 2} })},
		{"lr_decay_factor", dec(func(a *StepDecayArgs) { a.LRDecayFactor = 1.5 })},
		{"warmup_len", dec(func(a *StepDecayArgs) { a.WarmupLen = -1 })},
	} {
		var arg *part.ArgError
		if !errors.As(c.err, &arg) || arg.Attr != c.attr {
			t.Errorf("%d: %s: %v", i, c.attr, c.err)
		}
	}
}
