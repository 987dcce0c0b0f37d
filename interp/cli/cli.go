// Package cli is the part of qpipe that meets a person: it turns arguments,
// environment and streams into calls of the rooms below, and what they return
// into text, JSON and an exit code. A file is a verb. It decides nothing about
// pipelines: what a mistake is, what runs and in which order, is known below.
package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"qpipe/interp/bench"
	"qpipe/interp/command"
	"qpipe/interp/console"
	"qpipe/interp/memory"
	"qpipe/interp/part"
	"qpipe/lang/diag"
)

// The exit codes.
const (
	exitOK          = 0
	exitFailed      = 1 // the pipeline is wrong, or a stage failed
	exitUsage       = 2
	exitBug         = 3   // ours
	exitPending     = 2   // plan -detailed-exitcode: something would run
	exitUnformatted = 3   // fmt -check
	exitInterrupted = 130 // by a signal, with a checkpoint, or since nobody reads the output
)

// Streams is the world that a program talks to.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	Environ  []string     // "NAME=value"
	Memory   func() int64 // bytes that the process may have, 0 where that is not known; nil: nobody asks
}

// System returns the streams and the environment of the process.
func System() Streams {
	return Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Environ: os.Environ(), Memory: memory.Limit}
}

// Getenv returns the variable's value, "" where it is not set.
func (s Streams) Getenv(name string) string {
	value := ""
	for _, e := range s.Environ {
		if n, v, _ := strings.Cut(e, "="); n == name {
			value = v
		}
	}
	return value
}

// Main runs one command line (without the program's name) with the parts of the
// catalogue and returns the exit code: 0 fine, 1 the pipeline is wrong or a stage
// failed, 2 usage, 3 a bug of qpipe's, 130 interrupted.
func Main(args []string, s Streams, c part.Catalog) (code int) {
	a := newApp(s, c)
	a.signals.listen()
	defer func() {
		if code != exitInterrupted { // else a second signal that comes late must not keep the process from saying so
			a.signals.close()
		}
	}()
	done := make(chan int, 1)
	go func() { done <- a.guarded(args) }()
	for {
		select {
		case code := <-done:
			return a.end(code)
		case sig := <-a.signals.got:
			if !a.signals.heeded(sig) {
				return a.cutOff()
			}
		}
	}
}

// app is one run of the program.
type app struct {
	Streams
	out, err *console.Stream // those of Streams
	signals  signals
	catalog  part.Catalog
	noColor  bool
	unknown  error // a word that help knows nothing of
	chdir    string
	threads  int // that the command line asks for, 0 where it does not
}

func newApp(s Streams, c part.Catalog) *app {
	a := &app{Streams: s, catalog: c}
	a.out, a.err = console.NewStreams(s.Out, s.Err, s.Getenv("TERM") == "dumb")
	a.Out, a.Err = a.out, a.err
	return a
}

// guarded is main, whose panics are told as what they are.
func (a *app) guarded(args []string) (code int) {
	defer func() {
		if p := recover(); p != nil {
			code = a.bug(p, debug.Stack())
		}
	}()
	return a.main(args)
}

// end makes the exit code say, too, whether all could be written that there was to
// say: who reads half of it must not take it for the whole.
func (a *app) end(code int) int {
	a.out.Flush()
	a.err.Flush()
	failed := a.out.Failed()
	if failed != nil && !console.Gone(failed) {
		a.errorf("cannot write the output: %v", failed)
	}
	switch {
	case code == exitInterrupted:
	case code == exitOK && failed != nil && console.Gone(failed):
		return exitInterrupted
	case failed != nil, a.err.Failed() != nil && code == exitOK:
		return exitFailed
	}
	return code
}

// cutOff is the end at a signal that nobody heeds.
func (a *app) cutOff() int {
	a.err.Last("Interrupted.")
	return exitInterrupted
}

// exit is an error that has been told to the user already; it only carries the
// code to leave with.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

func (a *app) main(args []string) int {
	root := a.root()
	root.SetArgs(command.DoubleDashes(root, args))
	back, err := "", error(nil)
	root.PersistentPreRunE = func(cmd *cobra.Command, args []string) error {
		if err = command.NoneEmpty(cmd, args); err != nil {
			return err
		}
		back, err = a.enter()
		return err
	}
	cmd, err := root.ExecuteC()
	if err == nil {
		err = a.unknown // what help was asked for
	}
	if back != "" {
		defer os.Chdir(back) //nolint:errcheck // the way out; a caller in the same process wants its folder back
	}
	return a.code(cmd, err)
}

// enter changes to the folder that -chdir names and returns the one before.
func (a *app) enter() (back string, err error) {
	if a.chdir == "" {
		return "", nil
	}
	if back, err = os.Getwd(); err != nil {
		return "", err
	}
	if err = os.Chdir(a.chdir); err != nil {
		return "", command.Wrong("-chdir: %w", err)
	}
	return back, nil
}

// code tells the user what went wrong, if that has not been done, and returns
// the exit code.
func (a *app) code(cmd *cobra.Command, err error) int {
	var told exit
	var mistake command.Mistake
	var unknown bench.Unknown
	var unwritten *console.WriteError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &told):
		return int(told)
	case errors.As(err, &mistake) || errors.As(err, &unknown) || strings.HasPrefix(err.Error(), "unknown command"):
		fmt.Fprintf(a.Err, "%s: %s\n", cmd.CommandPath(), console.Readable(strings.TrimSpace(err.Error())))
		fmt.Fprintf(a.Err, "See `%s --help`.\n", cmd.CommandPath())
		return exitUsage
	case errors.As(err, &unwritten):
		return exitFailed // end says it
	default:
		a.errorf("%v", err)
		return exitFailed
	}
}

// errorf prints an error that no line of a pipeline is to blame for.
func (a *app) errorf(format string, args ...any) {
	fmt.Fprintf(a.Err, "%s %s\n", a.paint(a.Err).Red("Error:"), console.Readable(fmt.Sprintf(format, args...)))
}

// bug reports a panic: ours, whatever the input was.
func (a *app) bug(p any, stack []byte) int {
	fmt.Fprintf(a.Err, "%s this is a bug in qpipe, not in your pipeline: %v\n\n%s\n", a.paint(a.Err).Red("Error "+string(diag.Bug)+":"), p, stack)
	fmt.Fprintln(a.Err, "Please report it with the command line, the pipeline and the lines above. Finished checkpoints are not affected.")
	return exitBug
}

// hasBug reports whether a diagnostic says that the fault is ours.
func hasBug(l diag.List) bool {
	for _, d := range l {
		if d.Severity == diag.Error && strings.HasPrefix(string(d.Code), "QP9") {
			return true
		}
	}
	return false
}

const about = `qpipe trains a neural network, makes it int8 on the way, and keeps what it did.

A pipeline is a text file (HCL): data sets, a model, and stages such as float,
calibration, qat and int_infer. qpipe checks all of it before anything runs, runs
the stages in the order of their references, absorbs BatchNorms when the file says
so, and leaves checkpoints, an int8 model and a record of everything under runs/.`

// root builds the command tree. Nothing here may cost time: it is paid by every
// command.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "qpipe",
		Short:         "Quantization-aware training as a pipeline file",
		Long:          about,
		Example:       "  qpipe validate pipelines/quickstart.hcl\n  qpipe run pipelines/quickstart.hcl\n  qpipe show runs/quickstart",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE:          a.bare,
	}
	root.SetIn(a.In)
	root.SetOut(a.Out)
	root.SetErr(a.Err)
	root.SetFlagErrorFunc(command.FlagError)
	f := root.PersistentFlags()
	f.BoolVar(&a.noColor, "no-color", false, "no colours (also: NO_COLOR in the environment)")
	f.StringVar(&a.chdir, "chdir", "", "change to this `FOLDER` first")
	root.AddCommand(a.validateCmd(), a.runCmd(), a.planCmd(), a.fmtCmd(), a.graphCmd(),
		a.showCmd(), a.evalCmd(), a.benchCmd(), a.partsCmd(), a.docsCmd(), a.versionCmd(), a.benchWorkerCmd())
	root.AddCommand(a.topics()...)
	root.SetHelpFunc(a.help)
	root.SetHelpCommand(a.helpCmd())
	return root
}

// bare is qpipe without a verb, or with one that does not exist.
func (a *app) bare(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		if err := cmd.Help(); err != nil {
			return err
		}
		return exit(exitUsage)
	}
	if strings.HasSuffix(args[0], ".hcl") {
		return command.Wrong("%q is not a command; to run the pipeline: qpipe run %[1]s", args[0])
	}
	var verbs []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			verbs = append(verbs, c.Name())
		}
	}
	return command.Wrong("%q is not a command%s", args[0], console.DidYouMean(args[0], verbs, ""))
}
