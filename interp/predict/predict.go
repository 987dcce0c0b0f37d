// Package predict says what a trained network sees in image files: classes with scores, or a mask. It runs models with
// package infer, as any other Go program could.
package predict

import (
	"context"
	"errors"
	"time"

	"qpipe/infer"
	"qpipe/interp/artifact"
	"qpipe/interp/event"
	"qpipe/interp/number"
	"qpipe/lang/diag"
)

// Options are the arguments of Run.
type Options struct {
	Model   string   // a file, or stage.NAME.checkpoint.WHICH of the run in Out
	Files   []string // images, and folders of them
	Out     string   // folder of a run
	EMA     bool     // use the averaged weights of the checkpoint
	Top     int      // how many classes are listed
	Masks   string   // folder for masks, "" for none
	Given   Given
	Threads int
	Kernels string           // the kernel set
	Memory  int64            // bytes that the process may use, 0 if unknown
	Each    func(Prediction) // gets what is found in each file, in order; may be nil
	Events  func(event.Event)
	Clock   func() time.Time
}

// Given is what the command line says of images, where the model does not, or in the place of it.
type Given struct {
	Mean, Std []float64 // nil: as the model says
	Steps     []infer.Step
	Classes   []string
}

// Report is the result of Run.
type Report struct {
	Model       string       `json:"model"`
	Form        string       `json:"form"`
	Mode        string       `json:"qat_mode,omitempty"`
	EMA         bool         `json:"ema"`
	Kernels     string       `json:"kernels"`
	Threads     int          `json:"threads"`
	Files       int          `json:"files"`
	Failed      int          `json:"failed"`
	Seconds     float64      `json:"seconds"`
	Predictions []Prediction `json:"predictions"`
}

// Prediction is what the network says of a file, or why it says nothing.
type Prediction struct {
	File    string   `json:"file"`
	Error   string   `json:"error,omitempty"`
	Outputs []Answer `json:"outputs,omitempty"`
}

// Answer is what one output says: its likeliest classes, the classes of its pixels, or its values.
type Answer struct {
	Output  string         `json:"output,omitempty"`  // the output's name, if there are several
	Classes []Class        `json:"classes,omitempty"` // the likeliest first
	Regions []Region       `json:"regions,omitempty"` // of a map: the largest first
	Mask    string         `json:"mask,omitempty"`    // of a map: the file with the mask
	Values  []number.Float `json:"values,omitempty"`  // of an output that does not stand for classes
}

// Class is a class of an image.
type Class struct {
	Label int     `json:"label"`
	Name  string  `json:"name,omitempty"`
	Score float64 `json:"score"` // the softmax of the output
}

// Region is what a class covers of a map.
type Region struct {
	Label  int    `json:"label"`
	Name   string `json:"name,omitempty"`
	Pixels int    `json:"pixels"`
}

// Run predicts. A file that cannot be used is one of the predictions, and the others still get theirs; of what concerns
// all of them the list has an error, and there is no report. There may be warnings together with a report.
func Run(ctx context.Context, o Options) (*Report, diag.List) {
	w := &work{ctx: ctx, o: o}
	err := w.load()
	if err == nil {
		err = w.find()
	}
	if err == nil {
		err = w.begin()
	}
	if err == nil {
		err = w.all()
	}
	w.close()
	if err != nil {
		d := &diag.Diagnostic{Code: diag.CannotLoad, Summary: err.Error()}
		if f := (*artifact.FileError)(nil); errors.As(err, &f) {
			d.Code = f.Code
		}
		return nil, append(w.list, d)
	}
	return w.report(), w.list
}

// report is the report of a finished prediction.
func (w *work) report() *Report {
	about := w.model.About()
	r := &Report{
		Model: w.o.Model, Form: about.Form, Mode: about.Mode, EMA: w.o.EMA, Kernels: w.session.Kernels(), Threads: w.o.Threads,
		Files: len(w.sources), Seconds: w.seconds, Predictions: w.found,
	}
	for _, p := range w.found {
		if p.Error != "" {
			r.Failed++
		}
	}
	return r
}
