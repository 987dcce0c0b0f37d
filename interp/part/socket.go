// Package part has the sockets that parts plug into, the catalogue of parts, and what parts work with: images,
// randomness, the state of a run. It is all that a part sees of the interpreter. How parts are used is not its matter.
package part

import (
	"qpipe/lang/program"
	"qpipe/ops/nn"
	"qpipe/ops/quant"
)

// Optimizer updates parameters. Slots names the state tensors of each parameter
// ("momentum_buffer"), zero at first. Update is called once a step for every parameter,
// for several at the same time.
type Optimizer interface {
	LR() float64 // the base learning rate
	Slots() []string
	Update(u *Update)
}

// Update is one parameter's update: W and G in memory order, Slots as named.
// Decayed tells whether the parameter takes weight decay (all do, unless the part says otherwise).
type Update struct {
	Name  string
	W, G  []float32
	Slots [][]float32
	LR    float32
	Step  int // completed steps, from 0
	Set   *Kernels
}

// Progress is a moment of training, as a learning rate schedule sees it.
type Progress struct {
	Epoch, Step   int // completed
	StepsPerEpoch int
	Epochs, Steps int // the whole stage
}

// LRUpdater gives the learning rate of the next step.
type LRUpdater interface {
	LR(base float64, p Progress) float64
}

// Warmer is an LRUpdater whose rate rises over so many steps at first.
type Warmer interface {
	WarmupSteps(p Progress) int
}

// Callback is any value that has at least one of the hook interfaces below.
type Callback any

// The hooks. Schedule points are those of the meta-argument `when`; modules are
// the nodes that `modules` selected (all that qualify without it).
type (
	// Firer acts at its `when`, or at the start where a callback that may go without has none.
	Firer interface {
		Fire(s *State, modules []string) error
	}
	// Starter runs before the first step, also after a resume.
	Starter interface{ Start(s *State) error }
	// StepEnder runs after every optimizer step.
	StepEnder interface{ StepEnd(s *State) error }
	// EpochEnder runs after every epoch, in the order of Priority, then as written.
	EpochEnder interface{ EpochEnd(s *State) error }
	// Ender runs after the last epoch's hooks.
	Ender interface{ End(s *State) error }
	// Prioritized orders StepEnd and EpochEnd: validation 10, others 50 (the default), checkpoints 90.
	Prioritized interface{ Priority() int }
	// Shadower keeps a second set of weights that evaluation and checkpoints use.
	Shadower interface{ Shadow() *nn.Graph }
	// Validator governs validation: a stage that has one is not validated at the end of every epoch
	// by itself (but after the last epoch, where the Validator did not do it).
	Validator interface{ GovernsValidation() }
	// Checkpointer governs checkpoints: a stage that has one does not save "last" at the end of every
	// epoch by itself. At the end of the stage, and on an interrupt, "last" is written in any case.
	Checkpointer interface{ GovernsCheckpoints() }
	// Stateful callbacks have state of their own in the checkpoint's metadata.
	Stateful interface {
		State() map[string]float64
		SetState(map[string]float64)
	}
)

// Converter is a step of model_convert_pipeline.
type Converter interface {
	Convert(c *Conversion) error
}

// Conversion is what a converter works on; it replaces Model.
type Conversion struct {
	Model   *nn.Graph
	Mode    nn.Mode
	QConfig func(m nn.Module) nn.QConfig
	// Load loads a checkpoint into Model.
	Load func(from program.Checkpoint, o LoadOptions) error
}

// LoadOptions are LoadCheckpoint's arguments.
type LoadOptions struct {
	AllowMiss, IgnoreExtra, IgnoreTensorShape, CheckHash, LoadEMAModel bool
	Rename                                                             map[string]string
}

// Observer is ops/quant's.
type Observer = quant.Observer
