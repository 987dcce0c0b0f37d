// Package exec walks a plan: it skips what is up to date, resumes what was
// interrupted, runs the rest through interp/stage, and keeps the results through
// interp/artifact. Errors from below get their source range here. It prints nothing.
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

// Options are the world that a run happens in.
type Options struct {
	Out     string   // folder of the run: runs/<name>
	Only    []string // run these stages and what they need; nil: all
	Force   bool     // run also what is up to date: the stages of Only, or all
	Resume  bool     // continue an interrupted run from its checkpoints
	From    string   // with Resume: a checkpoint file to continue from, "" for the newest sound one
	Adopt   bool     // take over the folder of a pipeline that lay elsewhere
	Again   string   // the command line that continues this run, for messages
	Threads int      // 0: the program's setting, else all cores
	Kernels *kernel.Set
	Version string // of the program, part of every stage's hash
	Events  func(event.Event)
	Stop    <-chan struct{} // closed: stop after the step, with a checkpoint
	Clock   func() time.Time
	// FS opens a folder of data. Run resolves relative ones against the
	// pipeline's folder before it asks.
	FS func(root string) fs.FS

	trace  func(step, path string) error // between the steps of every write; tests crash with it
	nosync bool                          // artifact.Disk's NoSync
}

// Report is what a run did.
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
	State    string             `json:"state"`  // "ran", "up to date", "failed", "interrupted", "not run"
	Reason   string             `json:"reason"` // why it ran, or did not
	Form     string             `json:"form"`
	Metrics  map[string]float64 `json:"metrics"`
	Artifact string             `json:"artifact"` // path of the checkpoint or model that it leaves
	Bytes    int64              `json:"bytes"`
	Seconds  float64            `json:"seconds"`
}

// OutputReport is a computed output block.
type OutputReport struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	Value       any    `json:"value"`
}

// Run executes the plan. Diagnostics carry the place in the pipeline's text. A
// failed run leaves what earlier runs have made.
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
