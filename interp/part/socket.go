// Package part has the sockets (the interfaces that parts implement), the catalogue of parts, and the types that parts
// work with: samples, batches, random numbers, the state of a run. It is all that a part sees of the interpreter. How
// parts are used is the business of other packages.
package part

import (
	"regexp"

	"qpipe/lang/program"
	"qpipe/ops/nn"
	"qpipe/ops/quant"
)

// Optimizer updates parameters. Slots names the state tensors that it keeps for each
// parameter ("momentum_buffer"); they begin with zeros. Update is called once a step for
// every parameter, from several goroutines at the same time.
type Optimizer interface {
	LR() float64 // the base learning rate
	Slots() []string
	Update(u *Update)
}

// Update is the update of one parameter in one step.
type Update struct {
	Name  string
	W, G  []float32   // the weights, which Update changes, and their gradient, in memory order
	Slots [][]float32 // the state tensors, in the order of Optimizer.Slots
	LR    float32
	Step  int // completed steps, from 0
	Set   *Kernels
}

// Progress says how far the training is, for a learning rate schedule.
type Progress struct {
	Epoch, Step   int // completed
	StepsPerEpoch int
	Epochs, Steps int // of the whole stage
}

// LRUpdater computes the learning rate of the next step; base is the optimizer's lr.
type LRUpdater interface {
	LR(base float64, p Progress) float64
}

// Warmer is an LRUpdater with a warmup: the rate rises during the first WarmupSteps steps.
type Warmer interface {
	WarmupSteps(p Progress) int
}

// Callback is any value that implements at least one of the hook interfaces below.
type Callback any

// The hooks of callbacks.
type (
	// Firer acts at the points of its meta-argument `when`, or at the start of the stage if `when` is optional and
	// not given. modules are the nodes that the meta-argument `modules` selects; without it, all suitable nodes.
	Firer interface {
		Fire(s *State, modules []string) error
	}
	// Starter acts before the first step, and again when a run is resumed.
	Starter interface{ Start(s *State) error }
	// StepEnder acts after every optimizer step.
	StepEnder interface{ StepEnd(s *State) error }
	// EpochEnder acts after every epoch, in the order of Priority, then in written order.
	EpochEnder interface{ EpochEnd(s *State) error }
	// Ender acts after the hooks of the last epoch.
	Ender interface{ End(s *State) error }
	// Prioritized sets the order of StepEnd and EpochEnd, smaller first: validation has 10, checkpoints have 90,
	// everything else 50, which is the default.
	Prioritized interface{ Priority() int }
	// Shadower keeps a second set of weights that evaluation and checkpoints use.
	Shadower interface{ Shadow() *nn.Graph }
	// Validator decides when to validate. Without one, a stage validates at the end of every epoch. With one, it
	// validates by itself only after the last epoch, and only if the Validator has not done so.
	Validator interface{ GovernsValidation() }
	// Checkpointer decides when to save checkpoints. Without one, a stage saves "last" at the end of every epoch.
	// With one, it saves "last" by itself only at the end of the stage and on an interrupt.
	Checkpointer interface{ GovernsCheckpoints() }
	// Stateful is a callback with state that is saved in checkpoints and restored from them.
	Stateful interface {
		State() map[string]float64
		SetState(map[string]float64)
	}
)

// Converter is a step of model_convert_pipeline.
type Converter interface {
	Convert(c *Conversion) error
}

// Convert lets a converter work.
func Convert(conv Converter, c *Conversion) (err error) {
	defer Guard(&err, "Convert")
	return conv.Convert(c)
}

// Conversion is what a converter works on. The converter changes Model or replaces it.
type Conversion struct {
	Model   *nn.Graph
	Mode    nn.Mode
	Target  nn.Target
	Names   []Rename                     // what the layers are called in PyTorch's files; nil if the model does not say
	QConfig func(m nn.Module) nn.QConfig // how each node is to be quantized; nil for no qconfig
	// Load loads a checkpoint into Model.
	Load func(from program.Checkpoint, o LoadOptions) error
}

// Configure gives the float model what the qconfig says: the target's nodes, and how each is quantized.
func (c *Conversion) Configure() error {
	if c.QConfig == nil {
		return nil
	}
	if err := c.Model.SetTarget(c.Target); err != nil {
		return err
	}
	c.Model.SetQConfig(c.QConfig)
	return nil
}

// LoadOptions are the arguments of the converter LoadCheckpoint.
type LoadOptions struct {
	AllowMiss, IgnoreExtra, IgnoreTensorShape, CheckHash, LoadEMAModel bool
	Rename                                                             map[string]string
	Torchvision                                                        bool     // the checkpoint has torchvision's names
	Names                                                              []Rename // them, as far as the model has a table
}

// Wildcards are the places of * and ** in a rule of LoadOptions.Rename.
func Wildcards(rule string) [][]int { return wildcard.FindAllStringIndex(rule, -1) }

var wildcard = regexp.MustCompile(`\*\*?`)

// SpecFitter is an observer that does not fit every type of codes. A mistake is named at an argument (see Bad).
type SpecFitter interface {
	Fits(s quant.Spec) error
}

// Observer finds the range of a quant node from the values that it sees.
type Observer = quant.Observer
