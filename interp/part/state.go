package part

import (
	"errors"
	"slices"

	"qpipe/lang/program"
	"qpipe/ops/nn"
)

// State is what a callback may see and touch.
type State struct {
	Stage   string
	Mode    nn.Mode
	Epoch   int // completed epochs
	Step    int // completed optimizer steps
	Length  program.Length
	LR      float64
	Model   *nn.Graph          // the weights being trained
	Metrics map[string]float64 // of the present weights: of their validation, and "loss" at the end of an epoch
	Kernels *Kernels
	Loop    Loop // what runs the stage
}

// Loop does for callbacks what only the loop that runs the stage can do: see the methods of [State].
type Loop interface {
	Absorb(modules []string, recompute bool) error
	Freeze(modules []string) error
	Metrics() []Metric
	Validate() error
	Validated() bool
	Save(name string) error
	Remove(name string) error
}

var errNoRun = errors.New("the state belongs to no run")

// AbsorbBN absorbs the BN of the named modules, one after the other; optimizer
// state and shadow follow, and a receipt of each goes to the event log. Modules
// whose BN is gone already are passed over.
func (s *State) AbsorbBN(modules []string, recompute bool) error {
	if s.Loop == nil {
		return errNoRun
	}
	return s.Loop.Absorb(modules, recompute)
}

// FreezeBN makes the named BNs keep their running statistics. Modules whose BN
// is gone already are passed over.
func (s *State) FreezeBN(modules []string) error {
	if s.Loop == nil {
		return errNoRun
	}
	return s.Loop.Freeze(modules)
}

// SmallerIsBetter reports the direction of a metric: that of "loss", or of one that the validation measures.
func (s *State) SmallerIsBetter(metric string) bool {
	return s.Loop != nil && SmallerIsBetter(s.Loop.Metrics(), metric)
}

// SmallerIsBetter reports the direction of a metric of these, or of "loss".
func SmallerIsBetter(metrics []Metric, name string) bool {
	for _, m := range metrics {
		if slices.Contains(m.Names(), name) {
			_, descends := m.(Descending)
			return descends
		}
	}
	return name == "loss"
}

// Validate runs a validation pass (with the shadow weights, if there are) and sets Metrics.
func (s *State) Validate() error {
	if s.Loop == nil {
		return errNoRun
	}
	return s.Loop.Validate()
}

// Validated reports whether a validation pass has seen the weights as they are
// after the latest step, so that Metrics tells of them.
func (s *State) Validated() bool { return s.Loop != nil && s.Loop.Validated() }

// Save writes a checkpoint by that name ("last", "best", "epoch-0004", "step-00001200"); it is on disk when Save returns.
// Values that are not finite are not written.
func (s *State) Save(name string) error {
	if s.Loop == nil {
		return errNoRun
	}
	return s.Loop.Save(name)
}

// Remove deletes a periodic checkpoint.
func (s *State) Remove(name string) error {
	if s.Loop == nil {
		return errNoRun
	}
	return s.Loop.Remove(name)
}
