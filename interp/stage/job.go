package stage

import (
	"errors"
	"time"

	"qpipe/lang/program"
	"qpipe/ops/kernel"
	"qpipe/ops/nn"
)

// Job is one stage, ready to run: its model converted and loaded, its parts
// made, its selectors resolved. At most one of Trainer and Calibrator is set;
// with neither, the job validates.
type Job struct {
	Name       string
	Seed       int64
	Model      *nn.Graph
	Mode       nn.Mode
	Train, Val *Feed // Val may be nil
	ValBatch   int
	Metrics    []Metric
	Trainer    *TrainerJob
	Calibrator *CalibratorJob
	Callbacks  []BoundCallback
	Resume     *Snapshot // full recovery or optimizer-only, as Trainer says; nil: fresh
	// Interrupted: Resume is of this stage's own attempt, which goes on inside of the moment where it
	// stopped. Otherwise the stage begins at the checkpoint's step, and all before it is behind it.
	Interrupted bool
	// Best is the checkpoint whose metrics Resume holds as its best. Without it the best begins anew.
	Best    *Snapshot
	Keeper  Keeper
	Events  func(Event)
	Warn    func(Warning)    // what the user should know, nil: nobody asks
	Clock   func() time.Time // for rates only; never reaches a checkpoint
	Stop    <-chan struct{}  // closed: finish the step, save "last", return ErrInterrupted
	Kernels *kernel.Set
	Pool    *nn.Pool
	Readers int // goroutines that prepare batches ahead; 0: one for each core
}

// Feed is a data set with its transforms.
type Feed struct {
	Samples    Samples
	Transforms []Transform
	Spec       Spec // after the transforms
}

// TrainerJob is what `trainer {}` says.
type TrainerJob struct {
	Epochs, Steps     int // exactly one is positive
	BatchSize         int
	DropLast          bool
	ResumeOptimizer   bool
	ResumeEpochOrStep bool
	Optimizer         Optimizer
	LRUpdater         LRUpdater // nil: the rate stays
	Loss              Loss
}

// CalibratorJob is what `calibrator {}` says.
type CalibratorJob struct {
	Steps, BatchSize int
}

// BoundCallback is a callback with its meta-arguments resolved.
type BoundCallback struct {
	Type     string
	Address  string // for messages and receipts
	Callback Callback
	When     *program.Schedule // nil when not given
	Modules  []string          // names of nodes; all that qualify when `modules` was not given
}

// ErrInterrupted is what [Job.Run] returns after Stop was closed: "last" holds all that is needed to go on.
var ErrInterrupted = errors.New("interrupted")

// Result is what a finished job reports.
type Result struct {
	Model       *nn.Graph
	Metrics     map[string]float64 // of the validation after the last step, and the last epoch's "loss"
	BestMetrics map[string]float64 // of the checkpoint named "best", nil without one
	Steps       int
}

// Failure is a stop for a reason inside training: a value that is not finite, an
// absorption that cannot be done.
type Failure struct {
	Module  string // the node, "" when none can be named
	Attr    string // the argument concerned, "" when none
	Address string // the callback's or part's address, "" for the stage itself
	Epoch   int
	Step    int
	Kept    string // the checkpoint that survives, "" when none
	Err     error
}

// Error returns the message without its coordinates.
func (f *Failure) Error() string { return f.Err.Error() }

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// Keeper makes snapshots outlive the run.
type Keeper interface {
	// Save writes the snapshot under the name; it is durable on return. The snapshot's tensors are
	// those being trained: they are valid only during the call.
	Save(name string, s *Snapshot) error
	Remove(name string) error
}

// Snapshot is all that a checkpoint holds. Tensors are in file order.
type Snapshot struct {
	Stage     string
	Form      nn.Form
	Mode      nn.Mode
	Structure []byte        // nn.Graph.Structure
	Input     Preprocessing // zero where it is not known
	Classes   []string      // their names by label, nil where the data has none
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
// that of a [Stateful] one, nil for the others. A file of format version 1 names no
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

// Event is a line of events.jsonl and what a progress display is fed with. Data
// holds JSON-able values.
type Event struct {
	Kind  string         `json:"event"` // see the constants
	Stage string         `json:"stage,omitempty"`
	Epoch int            `json:"epoch"`
	Step  int            `json:"step"`
	Data  map[string]any `json:"data,omitempty"`
}

// The kinds of events that a job emits. Progress comes at most ten times a
// second, for displays; it is not logged.
const (
	EventStart      = "stage_start" // total_steps, steps_per_epoch, train_images, val_images
	EventProgress   = "progress"    // phase (train|calibrate|validate|prove), done, total, rate (images/s), eta (s), loss, lr
	EventEpoch      = "epoch"       // loss, lr, images_per_second, metrics
	EventValidation = "validation"  // metrics, images
	EventAbsorb     = "absorb"      // an Absorption
	EventFreeze     = "freeze_bn"   // modules
	EventCheckpoint = "checkpoint"  // name
	EventResume     = "resume"      // scenario, from epoch and step
	EventInterrupt  = "interrupted" //
	EventEnd        = "stage_end"   // metrics, seconds
)
