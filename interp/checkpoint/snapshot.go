// Package checkpoint is what a checkpoint holds, whether it fits a model, and how it is loaded into one.
package checkpoint

import (
	"slices"
	"strings"

	"qpipe/interp/part"
	"qpipe/ops/nn"
)

// Snapshot is all that a checkpoint holds. Tensors are in file order.
type Snapshot struct {
	Stage     string
	Form      nn.Form
	Mode      nn.Mode
	Structure []byte               // nn.Graph.Structure
	Inputs    []part.Preprocessing // by input of the data, nil where it is not known
	Classes   [][]string           // their names by target of the data and label, nil where no target has any
	Seed      int64
	Epoch     int // completed epochs
	Step      int // completed steps
	LR        float64
	Kernels   string // the kernel set's name
	Absorbed  []Absorption
	FrozenBN  []string
	Position  Position
	Metrics   map[string]float64
	Best      map[string]float64
	Callbacks []CallbackState // one a callback, as written
	Model     []nn.Tensor
	Shadow    []nn.Tensor            // nil without weight averaging
	Optimizer map[string][]nn.Tensor // slot → tensors named like the parameters
}

// CallbackState is what a snapshot holds of a callback. Its name is its identity: its
// type and its place among the stage's callbacks of that type, "FuseBN[1]". State is
// that of a [part.Stateful] one, nil for the others. A file of format version 1 names no
// types: there the name is "[1]", the place among all callbacks.
type CallbackState struct {
	Name  string
	State map[string]float64
}

// Position is the place between two steps where a snapshot was made, and the
// sums that are under way there. A resumed run goes on at exactly this place.
type Position struct {
	Hooks         int     `json:"hooks"`           // hooks of the moment after Step that have acted
	Validated     int     `json:"validated"`       // 1 + the step of the last validation, 0 for none
	LossSum       float64 `json:"loss_sum"`        // over the epoch's images so far
	Images        int     `json:"images"`          // in LossSum
	StepsPerEpoch int     `json:"steps_per_epoch"` // what Step and Epoch were counted with; 0 in a calibration
	Begins        bool    `json:"begins"`          // whether the stage has done no step yet: it begins here, at step 0 or where another one has ended
}

// Absorption is a receipt of one absorbed BN: what it has done to the node's eval-mode
// output on a fixed batch. MaxChange is the largest change of a value, MaxSteps the same in
// output quantization steps (0 where the output is not quantized). Of the Integers of a
// quantized output Changed are no longer the same.
type Absorption struct {
	Module      string  `json:"module"`
	BN          string  `json:"bn"`
	Mode        nn.Mode `json:"qat_mode"`
	WeightScale string  `json:"weight_scale"` // "keep" or "recompute"
	Epoch       int     `json:"epoch"`
	Step        int     `json:"step"`
	MaxChange   float64 `json:"max_change"`
	MaxSteps    float64 `json:"max_steps"`
	Changed     int     `json:"changed"`
	Integers    int     `json:"integers"`
}

// Typed reports whether the state's name says of which type its callback is.
func (c CallbackState) Typed() bool { return !strings.HasPrefix(c.Name, "[") }

// Has reports whether the snapshot's stage had a callback of the name.
func (s *Snapshot) Has(name string) bool {
	return slices.ContainsFunc(s.Callbacks, func(c CallbackState) bool { return c.Name == name })
}

// Unobserved reports whether the tensor is a quant node's range before it has
// seen data, which is (+Inf, -Inf).
func Unobserved(name string, data []float32) bool {
	return strings.HasSuffix(name, ".min_max") && len(data) == 2 && data[0] > data[1]
}
