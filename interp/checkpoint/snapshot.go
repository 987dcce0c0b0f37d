// Package checkpoint defines what a checkpoint holds, checks whether it fits a model, and loads it into one.
package checkpoint

import (
	"slices"
	"strings"

	"qpipe/interp/part"
	"qpipe/ops/nn"
)

// Snapshot is the content of a checkpoint. Its tensors are in file order (see nn.Tensor).
type Snapshot struct {
	Stage     string
	Form      nn.Form
	Mode      nn.Mode
	Structure []byte               // nn.Graph.Structure
	Inputs    []part.Preprocessing // for each input of the data; nil if unknown
	Classes   [][]string           // names of the classes, by target of the data and label; nil if no target has names
	Seed      int64
	Epoch     int // completed epochs
	Step      int // completed steps
	LR        float64
	Kernels   string // the kernel set's name
	Absorbed  []Absorption
	FrozenBN  []string
	Position  Position
	Metrics   map[string]float64 // of the model in this checkpoint
	Best      map[string]float64 // metrics of the best checkpoint so far; nil if there is none
	Callbacks []CallbackState    // one for each callback, in written order
	Model     []nn.Tensor
	Shadow    []nn.Tensor            // averaged weights; nil without weight averaging
	Optimizer map[string][]nn.Tensor // for each slot, a tensor for each parameter with the parameter's name
}

// CallbackState is what a snapshot holds of a callback. The name identifies the callback:
// "FuseBN[1]" is the second one of type FuseBN in its stage. A file of format version 1
// has no types: there "[1]" is the second of all callbacks. State is nil if the callback
// is not a [part.Stateful].
type CallbackState struct {
	Name  string
	State map[string]float64
}

// Position is the place in a training where a snapshot was made, and the sums that are
// being collected there. The place is between two steps, and within the list of hooks
// that act between them. A resumed run continues at exactly this place.
type Position struct {
	Hooks         int       `json:"hooks"`               // number of hooks that are done since the last step
	Validated     int       `json:"validated"`           // 1 + the step after which the model was last validated; 0 for never
	LossSum       float64   `json:"loss_sum"`            // sum of the loss over this epoch's images so far
	LossSums      []float64 `json:"loss_sums,omitempty"` // where there are several losses, the same for each, times its weight
	Images        int       `json:"images"`              // number of images in LossSum
	StepsPerEpoch int       `json:"steps_per_epoch"`     // the length of an epoch in this training; 0 in a calibration
	Begins        bool      `json:"begins"`              // the stage has not done a step yet
}

// Absorption is the receipt of one absorbed BN. It compares the node's output before and
// after, evaluated on a fixed batch.
type Absorption struct {
	Module      string  `json:"module"`
	BN          string  `json:"bn"`
	Mode        nn.Mode `json:"qat_mode"`
	WeightScale string  `json:"weight_scale"` // "keep" or "recompute"
	Epoch       int     `json:"epoch"`
	Step        int     `json:"step"`
	MaxChange   float64 `json:"max_change"` // the largest change of a real value
	MaxSteps    float64 `json:"max_steps"`  // the largest change in quantization steps of the output; 0 if it is not quantized
	Changed     int     `json:"changed"`    // how many integers of the output have changed
	Integers    int     `json:"integers"`   // how many integers the output has
}

// Typed reports whether the name contains the type of the callback.
func (c CallbackState) Typed() bool { return !strings.HasPrefix(c.Name, "[") }

// Has reports whether the snapshot's stage had a callback of the name.
func (s *Snapshot) Has(name string) bool {
	return slices.ContainsFunc(s.Callbacks, func(c CallbackState) bool { return c.Name == name })
}

// Unobserved reports whether the tensor is the range of a quant node that has not seen
// any data yet. Such a range is (+Inf, -Inf).
func Unobserved(name string, data []float32) bool {
	return strings.HasSuffix(name, ".min_max") && len(data) == 2 && data[0] > data[1]
}
