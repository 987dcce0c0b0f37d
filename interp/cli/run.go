package cli

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"qpipe/interp/command"
	"qpipe/interp/complete"
	"qpipe/interp/console"
	"qpipe/interp/exec"
	"qpipe/lang/diag"
	"qpipe/lang/files"
)

const aboutRun = `Run a pipeline: its stages in the order of their references, each leaving its
checkpoints, metrics and receipts under runs/<name>/ (-out says otherwise).

A stage whose text, data, inputs and program version have not changed since it last
ended is up to date and is not run again; -force runs it anyway. When a stage fails,
those that need it are not run; the others are.

Ctrl-C (or SIGTERM) finishes the step, writes a checkpoint and exits 130; a second
one aborts at once. The next run continues an interrupted stage from its newest sound
checkpoint, and ends in the same bytes as a run that was never interrupted; --resume
insists on it, -force starts over. Where the stage's text or inputs have changed it
starts over too; what was there is kept until the new result is complete, and comes
back when the change is taken back.

Files in the run's folder that no run has written are never moved, removed or written
over. A stage that is no longer in the pipeline keeps its files and its metrics.`

// runFlags are the flags of `qpipe run`.
type runFlags struct {
	command.Inputs
	out     string
	stages  []string
	force   bool
	adopt   bool
	resume  string
	threads int
	json    bool
}

// newest is --resume without a file: the newest intact checkpoint.
const newest = "newest"

func (a *app) runCmd() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run [PIPELINE]",
		Short: "Run a pipeline, except for what is up to date",
		Long:  aboutRun,
		Example: `  qpipe run pipelines/quickstart.hcl
  qpipe run -var data_dir=data/mnist pipelines/mnist.hcl
  qpipe run -stage qat -force pipelines/mnist.hcl
  qpipe run --resume pipelines/mnist.hcl
  qpipe run -json pipelines/mnist.hcl | jq 'select(.event == "absorb")'`,
		ValidArgsFunction: complete.Pipeline,
		RunE:              func(_ *cobra.Command, args []string) error { return a.run(f, args) },
	}
	fl := cmd.Flags()
	f.Register(fl)
	f.choose(fl)
	fl.StringVar(&f.resume, "resume", "", "continue an interrupted run, from the newest intact checkpoint or from this `CHECKPOINT`")
	fl.Lookup("resume").NoOptDefVal = newest
	fl.IntVar(&f.threads, "threads", 0, "`NUMBER` of threads (default: the pipeline's setting, else all cores); never changes a result")
	fl.BoolVar(&f.json, "json", false, "print every event as a line of JSON")
	_ = cmd.RegisterFlagCompletionFunc("stage", complete.Stage)
	return cmd
}

// choose registers the flags that select parts of the pipeline.
func (f *runFlags) choose(fl *pflag.FlagSet) {
	fl.StringVar(&f.out, "out", "", "`FOLDER` of the run (default runs/<name of the pipeline>)")
	fl.StringArrayVar(&f.stages, "stage", nil, "only this stage `NAME` and what it needs (repeatable)")
	fl.BoolVar(&f.force, "force", false, "run also what is up to date (with -stage: those stages), from the beginning")
	fl.BoolVar(&f.adopt, "adopt", false, "take over the folder of a run whose pipeline has been moved and edited since")
}

func (a *app) run(f runFlags, args []string) error {
	args = f.takeCheckpoint(args)
	if f.force && f.resume != "" {
		return command.Wrong("-force starts over, and --resume continues: give one of them")
	}
	if err := command.Threads(f.threads); err != nil {
		return err
	}
	a.threads = f.threads
	path, err := one(args)
	if err != nil {
		return err
	}
	l, err := a.runnable(path, f)
	if err != nil {
		return err
	}
	o, err := a.options(l, f)
	if err != nil {
		return err
	}
	return a.execute(l, f, o)
}

// runnable is sound for a run: with -json the errors are a line as well, the last one.
func (a *app) runnable(path string, f runFlags) (*loaded, error) {
	if !f.json {
		return a.staged(path, f.Inputs, false)
	}
	l := a.lower(path, f.Inputs)
	l.insist()
	if err := failed(l.diags); err != nil {
		return nil, cmp.Or(a.jsonEnd(l, f.out, outcome{}, 0), err)
	}
	return l, nil
}

// takeCheckpoint lets `--resume FILE PIPELINE` work: an argument that is a
// checkpoint belongs to the flag before it.
func (f *runFlags) takeCheckpoint(args []string) []string {
	if f.resume != newest || len(args) == 0 || filepath.Ext(args[0]) != ".safetensors" {
		return args
	}
	f.resume = args[0]
	return args[1:]
}

// options collects what a run needs to know about its environment.
func (a *app) options(l *loaded, f runFlags) (exec.Options, error) {
	set, err := a.kernels()
	if err != nil {
		return exec.Options{}, err
	}
	o := exec.Options{
		Out: f.out, Only: f.stages, Force: f.force, Adopt: f.adopt, Resume: f.resume != "", Threads: f.threads,
		Kernels: set, Version: version, Clock: time.Now,
		FS: files.Folder,
	}
	if o.Out, err = a.folder(l, f.out); err != nil {
		return exec.Options{}, err
	}
	if o.Resume && f.resume != newest {
		o.From = f.resume
	}
	o.Again = a.resumeCommand(l, f)
	return o, nil
}

// folder is the run's folder: the one that -out names, otherwise the one with the pipeline's name below runs. It must
// not be a file, or be below one.
func (a *app) folder(l *loaded, out string) (string, error) {
	if name := l.program.Name; out == "" {
		if name == "" || name == "." || name == ".." || filepath.Base(name) != name || !filepath.IsLocal(name) || console.Printable(name) != name {
			return "", command.Wrong("no folder below runs can be called %q, as the pipeline %s is; name the run's folder with -out", name, l.path)
		}
		out = filepath.Join("runs", name)
	}
	for dir := filepath.Clean(out); ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		switch {
		case err == nil && info.IsDir():
			return out, nil
		case err == nil:
			return "", command.Wrong("the run's folder cannot be %s: %s is not a folder; name another one with -out", out, dir)
		case dir == filepath.Dir(dir):
			return out, nil // the run reports what is wrong
		}
	}
}

// outcome is what exec.Run returned, or its panic.
type outcome struct {
	report *exec.Report
	diags  diag.List
	panic  any
	stack  []byte
}

// execute runs the plan together with the signal handler, and shows the output of both.
func (a *app) execute(l *loaded, f runFlags, o exec.Options) error {
	show := a.display(f.json)
	stop := a.watch(show)
	defer stop.release()
	o.Stop, o.Events = stop.stop, show.Event
	defer a.collect(garbage)()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan outcome, 1)
	began := time.Now()
	go func() {
		var out outcome
		defer func() {
			if p := recover(); p != nil {
				out.panic, out.stack = p, debug.Stack()
			}
			done <- out
		}()
		out.report, out.diags = exec.Run(ctx, l.plan, o)
	}()
	select {
	case out := <-done:
		show.Close()
		return a.finish(l, f, o, out, time.Since(began), stop.why())
	case <-stop.abort:
		cancel()
		show.Close()
		fmt.Fprintf(a.Err, "Aborted. Finished checkpoints are kept; to continue from the newest: %s\n", o.Again)
		return exit(exitInterrupted)
	}
}

// finish shows how a run ended; why says what stopped it, if anything did.
func (a *app) finish(l *loaded, f runFlags, o exec.Options, out outcome, took time.Duration, why string) error {
	if out.panic != nil {
		return exit(a.bug(out.panic, out.stack))
	}
	if err := a.closing(l, f.json, o.Out, out, took); err != nil {
		return err
	}
	if out.report != nil && out.report.Interrupted && !hasBug(out.diags) {
		fmt.Fprintf(a.Err, "%s; the checkpoint is written. To continue: %s\n", why, o.Again)
		return exit(exitInterrupted)
	}
	return failed(out.diags)
}

// closing prints the rest of the output after the last event.
func (a *app) closing(l *loaded, asJSON bool, out string, o outcome, took time.Duration) error {
	if asJSON {
		return a.jsonEnd(l, out, o, took)
	}
	if err := a.diagnostics(l.files.Source, o.diags); err != nil {
		return err
	}
	if o.report != nil && len(o.report.Stages) > 0 {
		s := a.sheet()
		s.Summary(o.report, out, took)
		_, _ = a.Out.Write(s.Bytes()) // the run has ended as it did, even if nobody reads this
	}
	return nil
}

// resumeCommand is the command line that continues this run.
func (a *app) resumeCommand(l *loaded, f runFlags) string {
	words := []string{"qpipe"}
	if a.chdir != "" {
		words = append(words, "-chdir", console.Quote(a.chdir))
	}
	words = append(words, "run", "--resume")
	words = append(words, f.Words()...)
	if f.out != "" {
		words = append(words, "-out", console.Quote(f.out))
	}
	for _, s := range f.stages {
		words = append(words, "-stage", console.Quote(s))
	}
	path := l.path
	if strings.HasPrefix(path, "-") {
		path = "./" + path // no flag
	}
	return strings.Join(append(words, console.Quote(path)), " ")
}
