// Package eval evaluates a model as its file holds it, on a data set of a pipeline.
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

// Options say what Run evaluates, on what, and what it leaves.
type Options struct {
	Model   string // a file, or stage.NAME.checkpoint.WHICH of the run in Out
	Out     string // folder of that run
	Data    *program.Dataset
	Images  int    // at most so many, the first ones; 0: all
	Batch   int    // images at a time
	EMA     bool   // take a checkpoint's averaged weights
	Dump    string // folder for what the network computes, "" for none
	Threads int    // 0: the program's setting, else all cores
	Memory  int64  // bytes that the process may have, 0 where that is not known
	Kernels *kernel.Set
	Events  func(event.Event) // nil: nobody listens
	Clock   func() time.Time
	// FS opens a folder of data. Run resolves relative ones against the
	// pipeline's folder before it asks.
	FS func(root string) fs.FS
}

// Report is what Run found.
type Report struct {
	Model     string           `json:"model"`
	Form      nn.Form          `json:"form"`
	Mode      nn.Mode          `json:"qat_mode,omitempty"`
	EMA       bool             `json:"ema"`
	Data      string           `json:"data"`
	Images    int              `json:"images"`
	Metrics   artifact.Metrics `json:"metrics"` // accuracy, and loss: the mean cross-entropy; judgesOf says when others
	Kernels   string           `json:"kernels"`
	Threads   int              `json:"threads"`
	Batch     int              `json:"batch"`
	Seconds   float64          `json:"seconds"`
	PerSecond float64          `json:"images_per_second"`
	Dump      *Dumped          `json:"dump,omitempty"`
}

// Dumped says what a dump holds.
type Dumped struct {
	Folder string `json:"folder"`
	Arrays int    `json:"arrays"`
	Bytes  int64  `json:"bytes"`
}

// Run evaluates a checkpoint or an int8 model, as its file holds it, on a data set of
// the program. Diagnostics carry the place in the pipeline's text where there is one;
// warnings may come with a result. Where ctx ends before, nothing is left of a dump.
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

// evaluation is one under way.
type evaluation struct {
	ctx     context.Context
	prog    *program.Program
	catalog part.Catalog
	o       Options
	list    diag.List

	path    string // of the model
	snap    *checkpoint.Snapshot
	model   *nn.Graph
	feed    *feed.Feed
	images  int
	judges  judges
	done    int
	seconds float64
	dump    *dump
}

// fail adds a diagnostic.
func (e *evaluation) fail(d *diag.Diagnostic) { e.list = append(e.list, d) }

// address is the data set's in the pipeline.
func (e *evaluation) address() string { return "dataset." + e.o.Data.Name }

func (e *evaluation) report() *Report {
	r := &Report{
		Model: e.o.Model, Form: e.model.Form(), Mode: e.model.Mode(), EMA: e.o.EMA, Data: e.address(), Images: e.images,
		Metrics: e.judges.values(),
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
