package cli

import (
	"cmp"
	"fmt"
	"path/filepath"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"qpipe/interp/bench"
	"qpipe/interp/command"
	"qpipe/interp/complete"
	"qpipe/interp/console"
	"qpipe/ops/kernel"
)

func (a *app) benchCmd() *cobra.Command {
	var f bench.Flags
	cmd := &cobra.Command{
		Use:   "bench NET",
		Short: "Measure how fast networks train and run",
		Long:  bench.About,
		Example: `  qpipe bench resnet18c
  qpipe bench -batch 1,64 -threads 1,2 -what float,int8 -layers mnv2c
  qpipe bench -model net pipelines/mnist.hcl
  qpipe bench -batch 1 runs/mnist/int_infer/int8.safetensors`,
		Args:              command.Wants(1, 1, "one NET"),
		ValidArgsFunction: completeBench,
		RunE:              func(_ *cobra.Command, args []string) error { return a.bench(f, args[0]) },
	}
	f.Register(cmd.Flags())
	_ = cmd.RegisterFlagCompletionFunc("stage", complete.Stage)
	_ = cmd.RegisterFlagCompletionFunc("model", complete.Model)
	return cmd
}

// completeBench offers the names of networks as well as files.
func completeBench(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return bench.Names(), cobra.ShellCompDirectiveDefault
}

func (a *app) bench(f bench.Flags, word string) error {
	if f.Time < 0 || f.Time > bench.MostTime {
		return command.Wrong("-time: %v is not a time from 0 to %v", f.Time, bench.MostTime)
	}
	set, err := a.kernels()
	if err != nil {
		return err
	}
	if len(f.Threads) == 0 {
		f.Threads = []int{runtime.GOMAXPROCS(0)}
	}
	began := time.Now()
	lab := a.lab(set)
	subjects, err := a.subjects(lab, f, word)
	if err != nil {
		return err
	}
	b := &bench.Bench{Lab: lab, Report: bench.NewReport(version, set), Request: bench.Request{
		Batches: f.Batches, Threads: f.Threads, Forms: f.What, Time: f.Time, Layers: f.Layers,
	}}
	if f.Once {
		return a.benchOnce(b, subjects[0], began, f.JSON)
	}
	if !f.JSON && console.IsTerminal(a.Out) {
		a.out.Enliven()
		defer a.out.HideBar()
		b.Status = func(text string) {
			a.out.ShowBar(func(columns int) string { return console.Clipped("bench: "+text, columns) })
		}
	}
	for _, s := range subjects {
		if _, err := s.Wanted(f.What); err != nil {
			return err
		}
	}
	if err := b.Peaks(); err != nil {
		return err
	}
	return a.benchAll(b, subjects, f.JSON)
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
func (a *app) subjects(lab *bench.Lab, f bench.Flags, word string) ([]*bench.Subject, error) {
	if filepath.Ext(word) != ".hcl" {
		if len(f.Stages)+len(f.Models) > 0 {
			return nil, command.Wrong("-stage and -model choose among the models of a pipeline; %s is one network", word)
		}
		s, err := lab.Named(word)
		if err != nil {
			return nil, a.fileError(err, false)
		}
		return []*bench.Subject{s}, nil
	}
	l, err := a.staged(word, f.Inputs, f.JSON)
	if err != nil {
		return nil, err
	}
	return lab.Of(l.plan, f.Stages, f.Models)
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
