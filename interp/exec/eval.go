package exec

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"

	"qpipe/interp/artifact"
	"qpipe/interp/checkpoint"
	"qpipe/interp/data"
	"qpipe/interp/event"
	"qpipe/interp/feed"
	"qpipe/interp/graph"
	"qpipe/interp/part"
	"qpipe/interp/place"
	"qpipe/interp/stage"
	"qpipe/lang/diag"
	"qpipe/lang/files"
	"qpipe/lang/program"
	"qpipe/ops/engine"
	"qpipe/ops/nn"
)

// EvalOptions say what Eval evaluates, on what, and what it leaves. Of the Options
// Out, Threads, Kernels, Events, Clock and FS count.
type EvalOptions struct {
	Options
	Model  string // a file, or stage.NAME.checkpoint.WHICH of the run in Out
	Data   *program.Dataset
	Images int    // at most so many, the first ones; 0: all
	Batch  int    // images at a time
	EMA    bool   // take a checkpoint's averaged weights
	Dump   string // folder for what the network computes, "" for none
	Memory int64  // bytes that the process may have, 0 where that is not known
}

// Evaluation is what Eval found.
type Evaluation struct {
	Model     string           `json:"model"`
	Form      nn.Form          `json:"form"`
	Mode      nn.Mode          `json:"qat_mode,omitempty"`
	EMA       bool             `json:"ema"`
	Data      string           `json:"data"`
	Images    int              `json:"images"`
	Metrics   artifact.Metrics `json:"metrics"` // accuracy, and loss: the mean cross-entropy
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

// Eval evaluates a checkpoint or an int8 model, as its file holds it, on a data set of
// the program. Diagnostics carry the place in the pipeline's text where there is one;
// warnings may come with a result. Where ctx ends before, nothing is left of a dump.
func Eval(ctx context.Context, p *program.Program, c part.Catalog, o EvalOptions) (*Evaluation, diag.List) {
	e := &evaluation{
		session: session{Options: o.Options, ctx: ctx, plan: &graph.Plan{Program: p, Catalog: c}, prog: p},
		o:       o,
	}
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
	session
	o       EvalOptions
	path    string // of the model
	snap    *checkpoint.Snapshot
	model   *nn.Graph
	feed    *feed.Feed
	images  int
	classes int // the model's

	metric  part.Metric
	loss    part.Loss
	losses  float64 // their sum
	grad    []float32
	done    int
	seconds float64
	dump    *dump
}

// load reads the model.
func (e *evaluation) load() error {
	ref, err := e.locate()
	if err != nil {
		return err
	}
	if e.snap, err = artifact.Read(e.path); err != nil {
		p := place.As(err)
		if ref {
			p.Diagnostic.Detail = "Run the stage first; -out names the folder of the run."
		}
		return p
	}
	averaged := len(e.snap.Shadow) > 0
	switch {
	case e.o.EMA && !averaged:
		return &place.Error{Diagnostic: &diag.Diagnostic{
			Code: diag.CannotLoad, Summary: fmt.Sprintf("%s holds no averaged weights", e.path),
			Detail: "Leave out -ema. Only checkpoints of a stage with ExponentialMovingAverage have them, and an int8 model has one set of weights.",
		}}
	case averaged && !e.o.EMA:
		e.fail(&diag.Diagnostic{
			Code: diag.AveragedBest, Severity: diag.Warning,
			Summary: fmt.Sprintf("%s also holds averaged weights, and those are not evaluated", e.path),
			Detail:  "The metrics that the file carries are those of the averaged weights: -ema evaluates them.",
		})
	}
	if e.model, err = checkpoint.Restore(e.snap, e.o.EMA); err != nil {
		return &artifact.FileError{Path: e.path, Code: diag.CannotLoad, Err: err}
	}
	return nil
}

var checkpointRef = regexp.MustCompile(`^stage\.([^.]+)\.checkpoint\.(last|best|int8)$`)

// locate finds the model's file; ref says that it was named by its stage.
func (e *evaluation) locate() (ref bool, err error) {
	e.path = e.o.Model
	m := checkpointRef.FindStringSubmatch(e.o.Model)
	if m == nil {
		return false, nil
	}
	var names []string
	for _, st := range e.prog.Stages {
		names = append(names, st.Name)
	}
	if !slices.Contains(names, m[1]) {
		return true, &place.Error{Diagnostic: &diag.Diagnostic{
			Code: diag.UnknownStage, Summary: fmt.Sprintf("no stage is named %q", m[1]),
			Detail: diag.DidYouMean(m[1], names, "stages"),
		}}
	}
	e.path = filepath.Join(e.Out, m[1], m[2]+artifact.Ext)
	return true, nil
}

// open opens the data and holds it against the model.
func (e *evaluation) open() (err error) {
	if e.feed, err = data.Open(e.plan.Catalog, e.o.Data, e.data); err != nil {
		return err
	}
	if e.images = e.feed.Samples.Len(); e.o.Images > 0 {
		e.images = min(e.images, e.o.Images)
	}
	e.classes = e.model.Output().WithN(1).Len()
	if err := e.fits(); err != nil {
		return err
	}
	e.compare()
	if e.metric, err = standard[part.Metric](e, program.MetricKind, "Accuracy"); err != nil {
		return err
	}
	e.loss, err = standard[part.Loss](e, program.LossKind, "CrossEntropyLoss")
	return err
}

// standard makes a part with its defaults.
func standard[S any](e *evaluation, kind program.Kind, name string) (S, error) {
	sig, ok := e.plan.Catalog.Signature(kind, name)
	if !ok {
		var none S
		return none, fmt.Errorf("this program has no %s %q", kind, name)
	}
	return part.New[S](e.plan.Catalog, program.Call{Kind: kind, Type: name, Args: reflect.ValueOf(sig.Args()).Elem().Interface()})
}

// fits refuses images and classes that the model cannot take.
func (e *evaluation) fits() error {
	spec, origin := e.feed.Spec, e.o.Data.Origin
	got, want := spec.Shape.WithN(0), e.model.Input().WithN(0)
	d := &diag.Diagnostic{Code: diag.OtherData, Subject: origin.Header, Address: origin.Address}
	switch {
	case e.images < 1:
		d.Summary, d.Detail = "the data set has no images", "Give it at least one: look at its split, offset and number of samples."
	case got != want:
		d.Summary = fmt.Sprintf("the images are %v, and %s takes %v", got, e.path, want)
		d.Detail = "Choose the data set that the model was made for, or give this one the transforms of size that it had."
	case spec.Classes > e.classes:
		d.Summary = fmt.Sprintf("the data has %s, and %s tells %d apart", diag.Count(spec.Classes, "class"), e.path, e.classes)
		d.Detail = "Choose the data set that the model was made for."
	default:
		return nil
	}
	return &place.Error{Diagnostic: d}
}

// compare warns of data that the model takes, but was not made for.
func (e *evaluation) compare() {
	spec, origin := e.feed.Spec, e.o.Data.Origin
	warn := func(code diag.Code, summary, detail string) {
		e.fail(&diag.Diagnostic{
			Code: code, Severity: diag.Warning, Subject: origin.Header, Address: origin.Address, Summary: summary, Detail: detail,
		})
	}
	own, theirs := spec.Preprocessing(), e.snap.Input
	if theirs.Height > 0 && !own.SameValues(theirs) {
		warn(diag.OtherValues, fmt.Sprintf("the images are normalized with %s, and %s was made for %s", own.Normalization(), e.path, theirs.Normalization()),
			"The network sees other values than it was made for. Give the data set the Normalize that it had.")
	}
	switch names := e.snap.Classes; {
	case spec.Classes > 0 && spec.Classes < e.classes:
		warn(diag.OtherLabels, fmt.Sprintf("%s tells %s apart, and the data has %d", e.path, diag.Count(e.classes, "class"), spec.Classes),
			fmt.Sprintf("The last %d can never be right.", e.classes-spec.Classes))
	case len(names) > 0 && len(spec.Names) > 0 && !slices.Equal(names, spec.Names):
		i := 0
		for i < min(len(names), len(spec.Names)) && names[i] == spec.Names[i] {
			i++
		}
		warn(diag.OtherLabels, fmt.Sprintf("label %d is %q in the data, and %q in %s", i, spec.Names[i], names[i], e.path),
			"Accuracy counts labels, whatever they are called. Give the data set the classes that the model was made for, in their order.")
	}
}

// evaluate runs the model on the images.
func (e *evaluation) evaluate() (err error) {
	batch := min(e.o.Batch, e.images)
	if d := e.tooMuch(batch); d != nil {
		return &place.Error{Diagnostic: d}
	}
	e.pool = engine.NewWorkers(e.threads())
	defer e.pool.Close()
	net, err := engine.Compile(e.model, batch, false, e.Kernels, e.pool)
	if err != nil {
		return err
	}
	if e.o.Dump != "" {
		if e.dump, err = newDump(e, net); err != nil {
			return err
		}
		defer e.dump.Discard() // nothing is left to discard after Commit
	}
	e.metric.Reset()
	e.grad = make([]float32, e.classes)
	began := e.now()
	err = e.feed.Each(e.images, batch, e.prog.Settings.Seed, func(x []float32, labels []int32) error {
		if err := e.ctx.Err(); err != nil {
			return err
		}
		if err := e.judge(net.Forward(x, len(labels), engine.Eval), labels); err != nil {
			return err
		}
		if e.dump != nil {
			if err := e.dump.batch(x, labels); err != nil {
				return err
			}
		}
		e.done += len(labels)
		e.seconds = e.now().Sub(began).Seconds()
		e.tick()
		return nil
	})
	switch {
	case err == nil && e.dump != nil:
		return e.dump.Commit()
	case err != nil && e.ctx.Err() == nil:
		return e.misread(err)
	}
	return err
}

// tooMuch refuses batches that the machine cannot hold.
func (e *evaluation) tooMuch(batch int) *diag.Diagnostic {
	memory := func(batch int) int64 {
		m := stage.Machine{Threads: e.threads(), Kernels: e.Kernels}
		return stage.EvaluationMemory(e.model, batch, e.images, e.o.Dump != "", m)
	}
	need := memory(batch)
	if e.o.Memory <= 0 || need <= e.o.Memory {
		return nil
	}
	d := &diag.Diagnostic{
		Code: diag.TooMuchMemory, Summary: fmt.Sprintf("the evaluation in batches of %d needs about %s of memory, and this machine has %s", batch, files.Size(need), files.Size(e.o.Memory)),
		Detail: "Not even a batch of one image fits.",
	}
	if fits := stage.LargestBatch(batch, e.o.Memory, memory); fits > 0 {
		d.Detail = fmt.Sprintf("The largest -batch that fits is %d.", fits)
	}
	return d
}

// judge counts the network's answers y to images of these labels.
func (e *evaluation) judge(y []float32, labels []int32) error {
	for i, label := range labels {
		if int(label) >= e.classes {
			return fmt.Errorf("image %d: its label is %d, and %s knows 0 to %d", e.done+i, label, e.path, e.classes-1)
		}
		row := y[i*e.classes:][:e.classes]
		e.losses += float64(e.loss.Loss(row, labels[i:i+1], e.classes, e.grad))
	}
	e.metric.Update(y[:len(labels)*e.classes], labels, e.classes)
	if e.dump != nil {
		return e.dump.answers(y[:len(labels)*e.classes])
	}
	return nil
}

// misread places an error of a pass over the data: it is the dump's, or the data's.
func (e *evaluation) misread(err error) error {
	var file *artifact.FileError
	if errors.As(err, &file) {
		return err
	}
	return place.Unreadable(e.o.Data.Origin, err)
}

// tick shows how far the evaluation has come.
func (e *evaluation) tick() {
	if e.Events == nil {
		return
	}
	e.Events(event.Event{Stage: "eval", Data: progress(e.address(), e.done, e.images, e.seconds)})
}

// address is the data set's in the pipeline.
func (e *evaluation) address() string { return "dataset." + e.o.Data.Name }

func (e *evaluation) report() *Evaluation {
	r := &Evaluation{
		Model: e.o.Model, Form: e.model.Form(), Mode: e.model.Mode(), EMA: e.o.EMA, Data: e.address(), Images: e.images,
		Metrics: artifact.Metrics{"loss": e.losses / float64(e.images)},
		Kernels: e.Kernels.Name, Threads: e.threads(), Batch: e.o.Batch, Seconds: e.seconds,
	}
	for i, v := range e.metric.Values() {
		r.Metrics[e.metric.Names()[i]] = v
	}
	if e.seconds > 0 {
		r.PerSecond = float64(e.images) / e.seconds
	}
	if d := e.dump; d != nil {
		r.Dump = &Dumped{Folder: e.o.Dump, Arrays: len(d.Index.Arrays), Bytes: d.Bytes()}
	}
	return r
}
