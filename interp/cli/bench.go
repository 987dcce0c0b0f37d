package cli

import (
	"cmp"
	"fmt"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"qpipe/interp/bench"
	"qpipe/interp/command"
	"qpipe/interp/complete"
	"qpipe/interp/console"
	"qpipe/lang/program"
	"qpipe/ops/kernel"
)

const aboutBench = `Measure how fast this machine trains and runs networks: whole steps and, with
-layers, every node. NET is

  a name        lenet, convnet, resnet18c, mnv2c, resnet18, mnv2, resnet50, mnv3s or effb0
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
	command.Inputs
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
		Args:              command.Wants(1, 1, "one NET"),
		ValidArgsFunction: completeBench,
		RunE:              func(_ *cobra.Command, args []string) error { return a.bench(f, args[0]) },
	}
	fl := cmd.Flags()
	f.Register(fl)
	fl.Var(countsFlag{&f.batches, bench.MostBatch}, "batch", "`NUMBERS` of images at a time, as 1,64 (default: 1 and a large one)")
	fl.Var(countsFlag{&f.threads, program.MostThreads}, "threads", "`NUMBERS` of threads, as 1,2 (default: all cores)")
	fl.StringSliceVar(&f.what, "what", nil, "what to measure: `FORMS` among float, fuse_bn, with_bn, with_bn_reverse_fold and int8 (default all)")
	fl.StringArrayVar(&f.stages, "stage", nil, "of a pipeline: the model of this stage `NAME` (repeatable)")
	fl.StringArrayVar(&f.models, "model", nil, "of a pipeline: the model of this `NAME` (repeatable)")
	fl.DurationVar(&f.time, "time", time.Second, "about how `LONG` a measurement takes, as 500ms or 3s")
	fl.BoolVar(&f.layers, "layers", false, "also what every node costs")
	fl.BoolVar(&f.once, "once", false, "only load the model, run it once and say how long that took")
	fl.BoolVar(&f.json, "json", false, "as JSON")
	_ = cmd.RegisterFlagCompletionFunc("stage", complete.Stage)
	_ = cmd.RegisterFlagCompletionFunc("model", complete.Model)
	return cmd
}

// completeBench offers the names of networks as well as files.
func completeBench(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return bench.Names(), cobra.ShellCompDirectiveDefault
}

// mostTime is how long a measurement may take.
const mostTime = time.Hour

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
		return command.Wrong("-time: %v is not a time from 0 to %v", f.time, mostTime)
	}
	set, err := a.kernels()
	if err != nil {
		return err
	}
	if len(f.threads) == 0 {
		f.threads = []int{runtime.GOMAXPROCS(0)}
	}
	began := time.Now()
	lab := a.lab(set)
	subjects, err := a.subjects(lab, f, word)
	if err != nil {
		return err
	}
	b := &bench.Bench{Lab: lab, Report: bench.NewReport(version, set), Request: bench.Request{
		Batches: f.batches, Threads: f.threads, Forms: f.what, Time: f.time, Layers: f.layers,
	}}
	if f.once {
		return a.benchOnce(b, subjects[0], began, f.json)
	}
	if !f.json && console.IsTerminal(a.Out) {
		a.out.Enliven()
		defer a.out.HideBar()
		b.Status = func(text string) {
			a.out.ShowBar(func(columns int) string { return console.Clipped("bench: "+text, columns) })
		}
	}
	for _, s := range subjects {
		if _, err := s.Wanted(f.what); err != nil {
			return err
		}
	}
	if err := b.Peaks(); err != nil {
		return err
	}
	return a.benchAll(b, subjects, f.json)
}

// benchAll measures the networks and shows each.
func (a *app) benchAll(b *bench.Bench, subjects []*bench.Subject, asJSON bool) error {
	if !asJSON {
		head := a.sheet()
		head.BenchHead(b.Report)
		fmt.Fprint(a.Out, head)
	}
	for _, s := range subjects {
		net, err := b.Measure(s)
		if err != nil {
			return err
		}
		if !asJSON {
			a.out.HideBar()
			table := a.sheet()
			table.BenchNet(b.Report, net)
			fmt.Fprint(a.Out, table)
		}
	}
	if asJSON {
		return a.writeJSON(b.Report)
	}
	return nil
}

// lab is the program's own bench.Lab.
func (a *app) lab(set *kernel.Set) *bench.Lab {
	return &bench.Lab{Catalog: a.catalog, Kernels: set, Memory: a.machine().Memory, Clock: time.Now}
}

// subjects are the networks that the word on the command line names.
func (a *app) subjects(lab *bench.Lab, f benchFlags, word string) ([]*bench.Subject, error) {
	if filepath.Ext(word) != ".hcl" {
		if len(f.stages)+len(f.models) > 0 {
			return nil, command.Wrong("-stage and -model choose among the models of a pipeline; %s is one network", word)
		}
		s, err := lab.Named(word)
		if err != nil {
			return nil, a.fileError(err, false)
		}
		return []*bench.Subject{s}, nil
	}
	l, err := a.staged(word, f.Inputs, f.json)
	if err != nil {
		return nil, err
	}
	return lab.Of(l.plan, f.stages, f.models)
}

// benchOnce loads the model, runs it once and says how long that took.
func (a *app) benchOnce(b *bench.Bench, s *bench.Subject, began time.Time, asJSON bool) error {
	o, err := b.Once(s, began)
	if err != nil {
		return err
	}
	if asJSON {
		return a.writeJSON(o)
	}
	fmt.Fprintf(a.Out, "%s, %s: ready in %s, %s in %s\n", o.Name, cmp.Or(o.What, bench.Float),
		console.Nanoseconds(o.Load), console.Count(o.Batch, "image"), console.Nanoseconds(o.Run))
	return nil
}
