package stage

import (
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
	Metrics map[string]float64 // of the latest validation, and "loss" of the latest epoch
	Kernels *Kernels
}

// AbsorbBN absorbs the BN of the named modules, one after the other; optimizer
// state and shadow follow, and a receipt of each goes to the event log.
func (s *State) AbsorbBN(modules []string, recompute bool) error { panic("not built yet") }

// FreezeBN makes the named BNs keep their running statistics.
func (s *State) FreezeBN(modules []string) error { panic("not built yet") }

// Validate runs a validation pass (with the shadow weights, if there are) and sets Metrics.
func (s *State) Validate() error { panic("not built yet") }

// Save writes a checkpoint by that name ("last", "best", "epoch-0004", "step-00001200"); it is on disk when Save returns.
func (s *State) Save(name string) error { panic("not built yet") }

// Remove deletes a periodic checkpoint.
func (s *State) Remove(name string) error { panic("not built yet") }
