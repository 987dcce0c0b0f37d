// Package cli is qpipe's command line: it turns arguments, environment and streams into calls of the rooms below, and
// their results into text, JSON and an exit code. Each verb has a file. It decides nothing about pipelines: the rooms
// below know what a mistake is, what runs and in which order.
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
	exitInterrupted = 130 // by a signal, with a checkpoint, or because nobody reads the output
)

// Streams is everything outside that the program uses.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	Environ  []string     // "NAME=value"
	Memory   func() int64 // how much memory the process may have in bytes, 0 if unknown; nil: no check
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
		if code != exitInterrupted { // otherwise a late second signal must not prevent the exit code
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
	unknown  error // a word that help does not know
	chdir    string
	threads  int // from the command line, 0 if not given
}

func newApp(s Streams, c part.Catalog) *app {
	a := &app{Streams: s, catalog: c}
	a.out, a.err = console.NewStreams(s.Out, s.Err, s.Getenv("TERM") == "dumb")
	a.Out, a.Err = a.out, a.err
	return a
}

// guarded is main; it reports a panic as a bug.
func (a *app) guarded(args []string) (code int) {
	defer func() {
		if p := recover(); p != nil {
			if of := part.Recovered(p); of != nil {
				a.errorf("a part fails: %v. %s", of, of.Detail())
				code = exitFailed
				return
			}
			code = a.bug(p, debug.Stack())
		}
	}()
	return a.main(args)
}

// end changes the exit code if the output could not be written completely: a reader must not take a part for the whole.
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

// cutOff ends the program at a signal that nothing handles.
func (a *app) cutOff() int {
	a.err.Last("Interrupted.")
	return exitInterrupted
}

// exit is an error that has already been reported; it only has the exit code.
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
		err = a.unknown // the word that help was asked about
	}
	if back != "" {
		defer os.Chdir(back) //nolint:errcheck // back to the old folder, which a caller in the same process needs
	}
	return a.code(cmd, err)
}

// enter changes to the folder that -chdir names and returns the previous one.
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

// code reports what went wrong, if that has not been done, and returns the exit code.
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

// errorf prints an error that has no place in a pipeline.
func (a *app) errorf(format string, args ...any) {
	fmt.Fprintf(a.Err, "%s %s\n", a.paint(a.Err).Red("Error:"), console.Readable(fmt.Sprintf(format, args...)))
}

// bug reports a panic. It is always a bug of qpipe, whatever the input was.
func (a *app) bug(p any, stack []byte) int {
	fmt.Fprintf(a.Err, "%s this is a bug in qpipe, not in your pipeline: %v\n\n%s\n", a.paint(a.Err).Red("Error "+string(diag.Bug)+":"), p, stack)
	fmt.Fprintln(a.Err, "Please report it with the command line, the pipeline and the lines above. Finished checkpoints are not affected.")
	return exitBug
}

// hasBug reports whether a diagnostic is about a bug of qpipe.
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

// root builds the command tree. It must be fast, because every command runs it.
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
		a.showCmd(), a.evalCmd(), a.exportCmd(), a.verifyCmd(), a.predictCmd(), a.benchCmd(), a.partsCmd(), a.docsCmd(), a.versionCmd(), a.benchWorkerCmd())
	root.AddCommand(a.topics()...)
	root.SetHelpFunc(a.help)
	root.SetHelpCommand(a.helpCmd())
	return root
}

// bare is qpipe without a verb, or with an unknown one.
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
