package cli

import (
	"cmp"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"qpipe/interp/console"
	"qpipe/lang/program"
	"qpipe/ops/kernel"
	"qpipe/ops/nn"
)

const aboutBench = `Measure how fast this machine trains and runs networks: whole steps and, with
-layers, every node. NET is

  a name        lenet, convnet, resnet18c, mnv2c, resnet18, mnv2 or resnet50
  a pipeline    a .hcl file: its models, or those that -stage and -model choose
  a model       an int8 model, measured as it is, or a checkpoint

Weights and images are random, from a seed. A training step is forward pass, loss,
backward pass and the optimizer's update, as a stage does it; an int8 model is made
from a calibrated float one. Times are medians of several turns. Operations are
counted as two a multiply-accumulate, and three times as many for a training step.
The machine's peak, of which shares are given, is measured first: the best that the
kernel set itself reaches on single large convolutions.`

// benchFlags are the flags of `qpipe bench`.
type benchFlags struct {
	inputs
	batches, threads []int
	what             []string
	stages, models   []string
	time             time.Duration
	layers           bool
	once             bool
	json             bool
}

func (a *app) benchCmd() *cobra.Command {
	var f benchFlags
	cmd := &cobra.Command{
		Use:   "bench NET",
		Short: "Measure how fast networks train and run",
		Long:  aboutBench,
		Example: `  qpipe bench resnet18c
  qpipe bench -batch 1,64 -threads 1,2 -what float,int8 -layers mnv2c
  qpipe bench -model net pipelines/mnist.hcl
  qpipe bench -batch 1 runs/mnist/int_infer/int8.safetensors`,
		Args:              wants(1, 1, "one NET"),
		ValidArgsFunction: completeBench,
		RunE:              func(_ *cobra.Command, args []string) error { return a.bench(f, args[0]) },
	}
	fl := cmd.Flags()
	f.register(fl)
	fl.Var(countsFlag{&f.batches, mostBatch}, "batch", "`NUMBERS` of images at a time, as 1,64 (default: 1 and a large one)")
	fl.Var(countsFlag{&f.threads, program.MostThreads}, "threads", "`NUMBERS` of threads, as 1,2 (default: all cores)")
	fl.StringSliceVar(&f.what, "what", nil, "what to measure: `FORMS` among float, fuse_bn, with_bn, with_bn_reverse_fold and int8 (default all)")
	fl.StringArrayVar(&f.stages, "stage", nil, "of a pipeline: the model of this stage `NAME` (repeatable)")
	fl.StringArrayVar(&f.models, "model", nil, "of a pipeline: the model of this `NAME` (repeatable)")
	fl.DurationVar(&f.time, "time", time.Second, "about how `LONG` a measurement takes, as 500ms or 3s")
	fl.BoolVar(&f.layers, "layers", false, "also what every node costs")
	fl.BoolVar(&f.once, "once", false, "only load the model, run it once and say how long that took")
	fl.BoolVar(&f.json, "json", false, "as JSON")
	_ = cmd.RegisterFlagCompletionFunc("stage", completeStage)
	return cmd
}

// completeBench offers the networks' names beside files.
func completeBench(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return benchNames(), cobra.ShellCompDirectiveDefault
}

// What bench takes at most: images at a time, and time for a measurement.
const (
	mostBatch = 4096
	mostTime  = time.Hour
)

// countsFlag is a list of numbers from 1 to most.
type countsFlag struct {
	list *[]int
	most int
}

func (f countsFlag) Set(s string) error {
	*f.list = nil
	for _, word := range strings.Split(s, ",") {
		n, err := strconv.Atoi(word)
		if err != nil || n < 1 || n > f.most {
			return fmt.Errorf("%q is not a number from 1 to %d", word, f.most)
		}
		*f.list = append(*f.list, n)
	}
	return nil
}

func (countsFlag) Type() string   { return "NUMBERS" }
func (countsFlag) String() string { return "" }

func (a *app) bench(f benchFlags, word string) error {
	if f.time < 0 || f.time > mostTime {
		return usagef("-time: %v is not a time from 0 to %v", f.time, mostTime)
	}
	set, err := a.kernels()
	if err != nil {
		return err
	}
	if len(f.threads) == 0 {
		f.threads = []int{runtime.GOMAXPROCS(0)}
	}
	began := time.Now()
	subjects, err := a.subjects(f, word)
	if err != nil {
		return err
	}
	if f.once {
		return a.benchOnce(f, set, subjects[0], began)
	}
	b := &benchRun{benchFlags: f, set: set, report: newBenchReport(set)}
	if !f.json && console.IsTerminal(a.Out) {
		a.out.Enliven()
		defer a.out.HideBar()
		b.status = func(text string) {
			a.out.ShowBar(func(columns int) string { return console.Clipped("bench: "+text, columns) })
		}
	}
	for _, s := range subjects {
		if _, err := s.wanted(f.what); err != nil {
			return err
		}
	}
	for _, n := range f.threads {
		if err := b.measurePeak(n); err != nil {
			return err
		}
	}
	if !f.json {
		a.benchHead(b.report)
	}
	for _, s := range subjects {
		if err := b.subject(s, a); err != nil {
			return err
		}
	}
	if f.json {
		return a.writeJSON(b.report)
	}
	return nil
}

// subjects are the networks that the command line's word names.
func (a *app) subjects(f benchFlags, word string) ([]*subject, error) {
	if filepath.Ext(word) != ".hcl" {
		if len(f.stages)+len(f.models) > 0 {
			return nil, usagef("-stage and -model choose among the models of a pipeline; %s is one network", word)
		}
		s, err := a.subjectOf(word)
		return []*subject{s}, err
	}
	l, err := a.staged(word, f.inputs, f.json)
	if err != nil {
		return nil, err
	}
	return a.subjectsOf(l, f.stages, f.models)
}

// benchRun is a bench under way.
type benchRun struct {
	benchFlags
	set    *kernel.Set
	report *benchReport
	status func(text string) // says what is measured, where somebody watches
}

func (b *benchRun) says(format string, args ...any) {
	if b.status != nil {
		b.status(fmt.Sprintf(format, args...))
	}
}

// measurePeak finds what the machine can do at most with so many threads.
func (b *benchRun) measurePeak(threads int) error {
	b.says("the peak of %s", console.Count(threads, "thread"))
	pool := nn.NewPool(threads)
	defer pool.Close()
	p := benchPeak{Threads: threads}
	var err error
	if p.Float, err = peak(b.set, pool, kindF32, b.time); err == nil {
		p.Int8, err = peak(b.set, pool, kindU8S8U8, b.time)
	}
	b.report.Peaks = append(b.report.Peaks, p)
	return err
}

// subject measures one network in all that is wanted, and shows it.
func (b *benchRun) subject(s *subject, a *app) error {
	forms, err := s.wanted(b.what)
	if err != nil {
		return err
	}
	batches := b.batches
	if len(batches) == 0 {
		batches = s.batches
	}
	out := &benchSubject{Name: s.name}
	b.report.Subjects = append(b.report.Subjects, out)
	for _, threads := range b.threads {
		pool := nn.NewPool(threads)
		for _, form := range forms {
			if err := b.form(s, form, batches, pool, out); err != nil {
				pool.Close()
				return fmt.Errorf("%s, %s: %w", s.name, form, err)
			}
		}
		pool.Close()
	}
	if !b.json {
		a.out.HideBar()
		a.benchTable(b.report, out)
	}
	return nil
}

// form measures a form of a network at every batch: what it infers with, and
// steps of more than one image in training, since BatchNorm needs several.
func (b *benchRun) form(s *subject, form string, batches []int, pool *nn.Pool, out *benchSubject) error {
	g, err := s.graph(form, b.set, pool)
	if err != nil {
		return err
	}
	out.describe(g, form)
	for i, batch := range batches {
		if infers(form) {
			w, err := s.inference(g, batch, b.set, pool)
			if err == nil {
				if i == len(batches)-1 && s.int8 == nil { // nobody needs g any more
					w.net.Release()
				}
				err = b.row(w, benchRow{What: form, Does: "inference", Batch: batch, Threads: pool.Size()}, out)
			}
			if err != nil {
				return err
			}
		}
		if trains(form) && (batch > 1 || slices.Max(batches) == 1) {
			w, err := s.training(g, batch, b.set, pool)
			if err == nil {
				err = b.row(w, benchRow{What: form, Does: "training", Batch: batch, Threads: pool.Size()}, out)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// row measures a piece of work and adds its line.
func (b *benchRun) row(w *work, r benchRow, out *benchSubject) (err error) {
	b.says("%s, %s, %s, %s", out.Name, r.What, r.Does, console.Count(r.Batch, "image"))
	if r.timing, err = w.measure(b.time); err != nil {
		return err
	}
	if b.layers {
		if r.Layers, err = w.layers(b.time); err != nil {
			return err
		}
	}
	r.Images = float64(w.items) / float64(r.Median) * 1e9
	r.Speed = w.flop / float64(r.Median)
	r.Integer = w.integer
	if p := b.report.peak(r.Threads, w.integer); p > 0 {
		r.Share = r.Speed / p
	}
	out.Rows = append(out.Rows, r)
	return nil
}

// benchOnce loads the model, runs it once and says how long that took.
func (a *app) benchOnce(f benchFlags, set *kernel.Set, s *subject, began time.Time) error {
	forms, err := s.wanted(f.what)
	if err != nil {
		return err
	}
	pool := nn.NewPool(f.threads[0])
	defer pool.Close()
	g, err := s.graph(forms[0], set, pool)
	if err != nil {
		return err
	}
	batch := 1
	if len(f.batches) > 0 {
		batch = f.batches[0]
	}
	w, err := s.inference(g, batch, set, pool)
	if err != nil {
		return err
	}
	loaded := time.Since(began)
	if err := w.run(); err != nil {
		return err
	}
	total := time.Since(began)
	if f.json {
		return a.writeJSON(map[string]any{
			"format_version": benchFormat, "name": s.name, "what": forms[0], "batch": batch,
			"load_ns": loaded.Nanoseconds(), "run_ns": (total - loaded).Nanoseconds(),
		})
	}
	fmt.Fprintf(a.Out, "%s, %s: ready in %s, %s in %s\n", s.name, cmp.Or(forms[0], benchFloat),
		fine(loaded.Nanoseconds()), console.Count(batch, "image"), fine((total - loaded).Nanoseconds()))
	return nil
}
