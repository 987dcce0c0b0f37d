// Package stage is the loop that trains, calibrates or validates one stage: it turns a model, data and parts into a
// trained model and its events. It knows neither the stage graph nor the layout of files: what must be kept is handed to a [Keeper].
package stage

import (
	"errors"
	"runtime"
	"time"

	"qpipe/interp/checkpoint"
	"qpipe/interp/event"
	"qpipe/interp/feed"
	"qpipe/interp/part"
	"qpipe/lang/program"
	"qpipe/ops/engine"
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
	Train, Val *feed.Feed // Val may be nil
	ValBatch   int
	Metrics    []part.Metric
	Trainer    *TrainerJob
	Calibrator *CalibratorJob
	Callbacks  []BoundCallback
	Resume     *checkpoint.Snapshot // full recovery or optimizer-only, as Trainer says; nil: fresh
	// Interrupted: Resume is of this stage's own attempt, which goes on inside of the moment where it
	// stopped. Otherwise the stage begins at the checkpoint's step, and all before it is behind it.
	Interrupted bool
	// Best is the checkpoint whose metrics Resume holds as its best. Without it the best begins anew.
	Best    *checkpoint.Snapshot
	Keeper  Keeper
	Events  func(event.Event)
	Warn    func(Warning)    // what the user should know, nil: nobody asks
	Clock   func() time.Time // for rates only; never reaches a checkpoint
	Stop    <-chan struct{}  // closed: finish the step, save "last", return ErrInterrupted
	Kernels *kernel.Set
	Workers *engine.Workers
	Engine  engine.Engine // what runs the networks; nil: the cores, with Kernels and Workers
	Readers int           // goroutines that prepare batches ahead; 0: one for each core
}

// engine is what runs the networks.
func (j *Job) engine() engine.Engine {
	if j.Engine != nil {
		return j.Engine
	}
	return engine.CPU{Kernels: j.Kernels, Workers: j.Workers}
}

// TrainerJob is what `trainer {}` says.
type TrainerJob struct {
	Epochs, Steps     int // exactly one is positive
	BatchSize         int
	DropLast          bool
	ResumeOptimizer   bool
	ResumeEpochOrStep bool
	Optimizer         part.Optimizer
	LRUpdater         part.LRUpdater // nil: the rate stays
	Loss              part.Loss
}

// CalibratorJob is what `calibrator {}` says.
type CalibratorJob struct {
	Steps, BatchSize int
}

// BoundCallback is a callback with its meta-arguments resolved.
type BoundCallback struct {
	Type     string
	Address  string // for messages and receipts
	Callback part.Callback
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
	Save(name string, s *checkpoint.Snapshot) error
	Remove(name string) error
}

// readers is the number of goroutines that prepare batches.
func (j *Job) readers() int {
	if j.Readers > 0 {
		return j.Readers
	}
	return readersOn(runtime.GOMAXPROCS(0))
}

// readersOn is how many goroutines prepare batches on so many cores.
func readersOn(cores int) int { return min(max(cores, 1), 8) }
