// Package stage is the loop that trains, calibrates or validates one stage. It gets a model, data and parts, and
// produces a trained model and events. It knows neither the graph of stages nor the layout of files: checkpoints
// are handed to a [Keeper], which stores them.
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

// Job is one stage, ready to run: the model is converted and its weights are loaded, the
// parts are built, the selectors are resolved. At most one of Trainer and Calibrator is
// set; without either, the job only validates.
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
	Calls      Calls // the blocks of the parts
	// Resume is the checkpoint to continue from, nil for a fresh start. Trainer says whether everything is
	// restored from it (full recovery) or only the weights, the optimizer's state and the learning rate.
	Resume *checkpoint.Snapshot
	// Interrupted says that Resume was written by an earlier, interrupted attempt at this same stage. The stage then
	// continues exactly where that attempt stopped, even in the middle of the hooks between two steps. Otherwise
	// Resume is from another stage, or the stage was changed since, and this one begins at the checkpoint's step.
	Interrupted bool
	// Best is the best checkpoint written before Resume; its metrics are Resume.Best. If it is nil, the search for
	// the best checkpoint starts over.
	Best    *checkpoint.Snapshot
	Keeper  Keeper            // stores checkpoints; nil: they are not stored
	Events  func(event.Event) // gets every event; may be nil
	Warn    func(Warning)     // gets warnings for the user; may be nil
	Clock   func() time.Time  // for rates and durations only; never reaches a checkpoint
	Stop    <-chan struct{}   // once closed, the run finishes its step, saves "last" and returns ErrInterrupted
	Kernels *kernel.Set
	Workers *engine.Workers
	Engine  engine.Engine // runs the networks; nil: the CPU, with Kernels and Workers
	Readers int           // goroutines that prepare batches ahead; 0: one for each core, 8 at most
}

// engine returns the engine that runs the networks.
func (j *Job) engine() engine.Engine {
	if j.Engine != nil {
		return j.Engine
	}
	return engine.CPU{Kernels: j.Kernels, Workers: j.Workers}
}

// TrainerJob holds the settings of `trainer {}`.
type TrainerJob struct {
	Epochs, Steps     int // exactly one is positive
	BatchSize         int
	DropLast          bool
	ResumeOptimizer   bool
	ResumeEpochOrStep bool
	Optimizer         part.Optimizer
	LRUpdater         part.LRUpdater // nil: a constant learning rate
	Losses            *part.Losses
}

// Calls has the blocks that name a job's parts, for errors; a block that is not known is left out.
type Calls struct {
	Optimizer, LRUpdater program.Call
	Losses, Metrics      []program.Call
}

// loss returns the block of loss i.
func (c *Calls) loss(i int) program.Call {
	if i < len(c.Losses) {
		return c.Losses[i]
	}
	return program.Call{}
}

// metric returns the block of metric i.
func (c *Calls) metric(i int) program.Call {
	if i < len(c.Metrics) {
		return c.Metrics[i]
	}
	return program.Call{}
}

// CalibratorJob holds the settings of `calibrator {}`.
type CalibratorJob struct {
	Steps, BatchSize int
}

// BoundCallback is a callback with its meta-arguments resolved.
type BoundCallback struct {
	Type     string
	Address  string // for messages and receipts
	Callback part.Callback
	When     *program.Schedule // nil if `when` was not given
	Modules  []string          // names of the selected nodes; all suitable nodes if `modules` was not given
}

// ErrInterrupted is returned by [Job.Run] after Stop was closed. The checkpoint "last" then has all that is needed to
// continue.
var ErrInterrupted = errors.New("interrupted")

// Result is the outcome of a finished job.
type Result struct {
	Model       *nn.Graph
	Metrics     map[string]float64 // from the validation after the last step, and "loss" of the last epoch
	BestMetrics map[string]float64 // of the checkpoint named "best"; nil if there is none
	Steps       int
}

// Failure is an error of the training itself: a value that is not finite, an absorption
// that cannot be done, a callback that failed.
type Failure struct {
	Module  string // the node concerned, "" if unknown
	Attr    string // the argument concerned, "" if none
	Address string // the address of the callback or part, "" for the stage itself
	Epoch   int    // completed epochs
	Step    int    // completed steps
	Kept    string // the last checkpoint that was written, "" if none
	Err     error
}

// Error returns the message alone, without module, epoch and step.
func (f *Failure) Error() string { return f.Err.Error() }

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// Keeper stores checkpoints.
type Keeper interface {
	// Save stores the snapshot under the name. When it returns, the snapshot is on disk. The snapshot shares
	// its tensors with the model in training: they are valid only during the call.
	Save(name string, s *checkpoint.Snapshot) error
	Remove(name string) error
}

// readers returns the number of goroutines that prepare batches.
func (j *Job) readers() int {
	if j.Readers > 0 {
		return j.Readers
	}
	return readersOn(runtime.GOMAXPROCS(0))
}

// readersOn returns the default number of such goroutines on a machine with so many cores.
func readersOn(cores int) int { return min(max(cores, 1), 8) }
