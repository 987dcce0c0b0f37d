package part

import (
	"errors"
	"slices"
	"strings"

	"qpipe/lang/program"
	"qpipe/ops/nn"
)

// State is what a callback can see of a running stage, and through its methods, what it can do.
type State struct {
	Stage   string
	Mode    nn.Mode
	Epoch   int // completed epochs
	Step    int // completed optimizer steps
	Length  program.Length
	LR      float64
	Loss    float64            // of the last training step's batch
	Model   *nn.Graph          // the weights being trained
	Metrics map[string]float64 // of the present weights: what validation measured, and "loss" at the end of an epoch
	Kernels *Kernels
	Loop    Loop // runs the stage; nil outside of a run
}

// Loop has what only the loop that runs the stage can do. Callbacks use it through the methods of [State], which
// explain it.
type Loop interface {
	Absorb(modules []string, recompute bool) error
	Freeze(modules []string) error
	Metrics() []Metric
	Validate() error
	Validated() bool
	Save(name string) error
	Remove(name string) error
	Note() error
}

var errNoRun = errors.New("the state belongs to no run")

// AbsorbBN absorbs the BN of the named modules, one after the other. The averaged weights
// absorb theirs, too, and the optimizer's state follows the changed parameters. Each
// absorption adds a receipt to the event log. A module without a BN left is skipped.
func (s *State) AbsorbBN(modules []string, recompute bool) error {
	if s.Loop == nil {
		return errNoRun
	}
	return s.Loop.Absorb(modules, recompute)
}

// FreezeBN fixes the running statistics of the BNs of the named modules. A module without
// a BN left is skipped.
func (s *State) FreezeBN(modules []string) error {
	if s.Loop == nil {
		return errNoRun
	}
	return s.Loop.Freeze(modules)
}

// SmallerIsBetter reports whether smaller values of a metric are better. The name is "loss" or one of the metrics of
// the validation.
func (s *State) SmallerIsBetter(metric string) bool {
	return s.Loop != nil && SmallerIsBetter(s.Loop.Metrics(), metric)
}

// SmallerIsBetter does the same, given the metrics of the validation.
func SmallerIsBetter(metrics []Metric, name string) bool {
	for _, m := range metrics {
		if slices.Contains(m.Names(), name) {
			_, descends := m.(Descending)
			return descends
		}
	}
	return IsLoss(name)
}

// IsLoss reports whether a name that no metric has is that of a loss: "loss", or one of several losses (Losses.Names).
func IsLoss(name string) bool { return name == "loss" || strings.Contains(name, "_loss") }

// Validate runs a validation pass and sets Metrics. It uses the averaged weights if there are any.
func (s *State) Validate() error {
	if s.Loop == nil {
		return errNoRun
	}
	return s.Loop.Validate()
}

// Validated reports whether the present weights have been validated, so that Metrics
// describes them.
func (s *State) Validated() bool { return s.Loop != nil && s.Loop.Validated() }

// Save writes a checkpoint of the name ("last", "best", "epoch-0004", "step-00001200"); it is on disk when Save returns.
// If a value is not finite, it writes nothing and returns an error.
func (s *State) Save(name string) error {
	if s.Loop == nil {
		return errNoRun
	}
	return s.Loop.Save(name)
}

// Remove deletes a checkpoint that Save has written.
func (s *State) Remove(name string) error {
	if s.Loop == nil {
		return errNoRun
	}
	return s.Loop.Remove(name)
}

// Note measures the step that was just done: its loss and learning rate become a [Point], once however often it is called.
// Where nothing is trained it does nothing.
func (s *State) Note() error {
	if s.Loop == nil {
		return errNoRun
	}
	return s.Loop.Note()
}
