// Package eval evaluates the model in a file on a data set of a pipeline. It needs no run.
package eval

import (
	"cmp"
	"context"
	"io/fs"
	"runtime"
	"time"

	"qpipe/interp/artifact"
	"qpipe/interp/checkpoint"
	"qpipe/interp/event"
	"qpipe/interp/feed"
	"qpipe/interp/part"
	"qpipe/interp/place"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/ops/kernel"
	"qpipe/ops/nn"
)

// Options are the arguments of Run.
type Options struct {
	Model   string // a file, or stage.NAME.checkpoint.WHICH of the run in Out
	Out     string // folder of that run
	Data    *program.Dataset
	Images  int    // evaluate only the first so many; 0: all
	Batch   int    // images at a time
	EMA     bool   // use the averaged weights of the checkpoint
	Dump    string // folder for a dump of what the network computes, "" for none
	Threads int    // 0: the program's setting, or else all cores
	Memory  int64  // bytes that the process may use, 0 if unknown
	Kernels *kernel.Set
	Events  func(event.Event) // gets progress; may be nil
	Clock   func() time.Time
	// FS returns the file system of a folder of data. Run calls it with relative paths already resolved against the
	// pipeline's folder.
	FS func(root string) fs.FS
}

// Report is the result of Run.
type Report struct {
	Model     string           `json:"model"`
	Form      nn.Form          `json:"form"`
	Mode      nn.Mode          `json:"qat_mode,omitempty"`
	EMA       bool             `json:"ema"`
	Data      string           `json:"data"`
	Images    int              `json:"images"`
	Metrics   artifact.Metrics `json:"metrics"`             // accuracy, and loss (the mean cross-entropy), unless judgesOf chooses others
	Confusion []Confusion      `json:"confusion,omitempty"` // one for each target of labels
	Kernels   string           `json:"kernels"`
	Threads   int              `json:"threads"`
	Batch     int              `json:"batch"`
	Seconds   float64          `json:"seconds"`
	PerSecond float64          `json:"images_per_second"`
	Dump      *Dumped          `json:"dump,omitempty"`
}

// Dumped describes the dump that Run has written.
type Dumped struct {
	Folder string `json:"folder"`
	Arrays int    `json:"arrays"`
	Bytes  int64  `json:"bytes"`
}

// Run evaluates a checkpoint or an int8 model on a data set of the program. There may be
// warnings together with a report. If there is an error, or ctx ends before the evaluation
// does, there is no report and no dump is left.
func Run(ctx context.Context, p *program.Program, c part.Catalog, o Options) (*Report, diag.List) {
	o.Threads = cmp.Or(o.Threads, p.Settings.Threads, runtime.GOMAXPROCS(0))
	e := &evaluation{ctx: ctx, prog: p, catalog: c, o: o}
	err := e.load()
	if err == nil {
		err = e.open()
	}
	if err == nil {
		err = e.evaluate()
	}
	if err != nil {
		e.fail(place.As(err).Diagnostic)
		return nil, e.list
	}
	return e.report(), e.list
}

// evaluation is an evaluation that is running.
type evaluation struct {
	ctx     context.Context
	prog    *program.Program
	catalog part.Catalog
	o       Options
	list    diag.List

	path     string // of the model
	snap     *checkpoint.Snapshot
	model    *nn.Graph
	feed     *feed.Feed
	images   int
	judges   judges
	counters []*counter
	done     int
	seconds  float64
	dump     *dump
}

// fail adds a diagnostic.
func (e *evaluation) fail(d *diag.Diagnostic) { e.list = append(e.list, d) }

// address returns the data set's address in the pipeline.
func (e *evaluation) address() string { return "dataset." + e.o.Data.Name }

// report returns the report of a finished evaluation.
func (e *evaluation) report() *Report {
	r := &Report{
		Model: e.o.Model, Form: e.model.Form(), Mode: e.model.Mode(), EMA: e.o.EMA, Data: e.address(), Images: e.images,
		Metrics: e.judges.values(), Confusion: e.confusion(),
		Kernels: e.o.Kernels.Name, Threads: e.o.Threads, Batch: e.o.Batch, Seconds: e.seconds,
	}
	if e.seconds > 0 {
		r.PerSecond = float64(e.images) / e.seconds
	}
	if d := e.dump; d != nil {
		r.Dump = &Dumped{Folder: e.o.Dump, Arrays: len(d.Index.Arrays), Bytes: d.Bytes()}
	}
	return r
}
