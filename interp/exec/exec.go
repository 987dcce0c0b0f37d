// Package exec walks a plan: it skips what is up to date, resumes what was
// interrupted, runs the rest through interp/stage, and keeps the results through
// interp/artifact. It is the one place where an error from below gets its source
// range. It prints nothing.
package exec

import (
	"context"
	"io/fs"
	"time"

	"qpipe/interp/graph"
	"qpipe/interp/stage"
	"qpipe/lang/diag"
	"qpipe/ops/kernel"
)

// Options are the world that a run happens in.
type Options struct {
	Out     string   // folder of the run: runs/<name>
	Only    []string // run these stages and what they need; nil: all
	Force   bool     // run also what is up to date
	Resume  bool     // continue an interrupted run from its checkpoints
	From    string   // with Resume: a checkpoint file to continue from, "" for the newest sound one
	Threads int      // 0: the program's setting, else all cores
	Kernels *kernel.Set
	Version string // of the program, part of every stage's hash
	Events  func(stage.Event)
	Stop    <-chan struct{} // closed: stop after the step, with a checkpoint
	Clock   func() time.Time
	FS      func(root string) fs.FS
}

// Report is what a run did.
type Report struct {
	Stages      []StageReport
	Outputs     []OutputReport
	Interrupted bool
}

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

// Run executes the plan. Diagnostics carry the place in the pipeline's text.
func Run(ctx context.Context, p *graph.Plan, o Options) (*Report, diag.List) { panic("not built yet") }
