// Package exec runs a plan. It skips stages that are up to date, continues stages that were
// interrupted, runs the others with interp/stage, and stores the results with
// interp/runs. It gives errors their place in the pipeline's text. It prints nothing.
package exec

import (
	"context"
	"io/fs"
	"time"

	"qpipe/interp/event"
	"qpipe/interp/graph"
	"qpipe/lang/diag"
	"qpipe/ops/kernel"
)

// Options are the arguments of Run and Explain.
type Options struct {
	Out     string   // folder of the run: runs/<name>
	Only    []string // run only these stages and those that they need; nil: all
	Force   bool     // also run stages that are up to date: those in Only, or all
	Resume  bool     // continue an interrupted run from its checkpoints
	From    string   // with Resume: the checkpoint file to continue from; "" for the newest intact one
	Adopt   bool     // use the folder even if its run belongs to a pipeline in another place
	Again   string   // the command line that continues this run, for messages
	Threads int      // 0: the program's setting, or else all cores
	Kernels *kernel.Set
	Version string            // of qpipe; part of every stage's hash
	Events  func(event.Event) // gets every event; may be nil
	Stop    <-chan struct{}   // once closed, the run finishes its step, writes a checkpoint and stops
	Clock   func() time.Time
	// FS returns the file system of a folder of data. Run calls it with relative paths already resolved against the
	// pipeline's folder.
	FS func(root string) fs.FS

	trace  func(step, path string) error // called between the steps of every write; tests let it fail
	nosync bool                          // disk.Options.NoSync
}

// Report is the result of a run.
type Report struct {
	Stages      []StageReport
	Outputs     []OutputReport
	Interrupted bool
}

// The states of a stage in a report.
const (
	Ran         = "ran"
	UpToDate    = "up to date"
	Failed      = "failed"
	Interrupted = "interrupted"
	NotRun      = "not run"
)

// StageReport is a line of the closing table.
type StageReport struct {
	Name     string             `json:"name"`
	State    string             `json:"state"`  // "ran", "up to date", "failed", "interrupted" or "not run"
	Reason   string             `json:"reason"` // why it ran, or why not
	Form     string             `json:"form"`
	Metrics  map[string]float64 `json:"metrics"`
	Artifact string             `json:"artifact"` // path of its result: the int8 model, or else the best or last checkpoint
	Bytes    int64              `json:"bytes"`
	Seconds  float64            `json:"seconds"`
}

// OutputReport is the value of an output block.
type OutputReport struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	Value       any    `json:"value"`
}

// Run runs the plan. If a stage fails, results of earlier runs are still there.
func Run(ctx context.Context, p *graph.Plan, o Options) (*Report, diag.List) {
	s, list := open(ctx, p, o)
	if list.HasErrors() {
		return &Report{}, list
	}
	defer s.close()
	if d := s.edited(); d != nil {
		return &s.report, append(s.list, d)
	}
	for _, st := range s.wanted {
		s.visit(st)
	}
	s.outputs()
	return &s.report, s.list
}
