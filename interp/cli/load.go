package cli

import (
	"cmp"
	"fmt"
	"path/filepath"
	"runtime"
	"runtime/debug"

	"qpipe/interp/command"
	"qpipe/interp/console"
	"qpipe/interp/graph"
	"qpipe/interp/lower"
	"qpipe/interp/stage"
	"qpipe/lang/check"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/lang/syntax"
)

// loaded is a pipeline, or as much of it as could be read.
type loaded struct {
	path    string // as named on the command line
	files   *syntax.Files
	program *program.Program // nil if the text is not HCL; incomplete if there are errors
	plan    *graph.Plan      // the same
	diags   diag.List
}

// one returns the pipeline that the arguments name; without arguments it is the current folder.
func one(args []string) (string, error) {
	if len(args) > 1 {
		return "", command.Wrong("want one pipeline, got %s; a folder's .hcl files are one pipeline", console.Count(len(args), "argument"))
	}
	if len(args) == 1 {
		return args[0], nil
	}
	if files, err := filepath.Glob("*.hcl"); err != nil || len(files) == 0 {
		return "", command.Wrong("no .hcl file in the current folder; name a pipeline: a file, or a folder of .hcl files")
	}
	return ".", nil
}

// load reads and checks the pipeline at path.
func (a *app) load(path string, in command.Inputs) *loaded {
	l := &loaded{path: path}
	if l.files, l.diags = syntax.Parse(path); l.diags.HasErrors() {
		return l
	}
	var more diag.List
	l.program, more = check.Check(l.files, check.Options{
		Signatures: a.catalog, Vars: in.All(), Env: a.Environ, Version: version,
	})
	l.diags = append(l.diags, more...)
	return l
}

// checked loads a pipeline for a verb that needs no networks, shows its mistakes, and fails if there are any.
func (a *app) checked(path string, in command.Inputs, asJSON bool) (*loaded, error) {
	l := a.load(path, in)
	err := failed(l.diags)
	switch {
	case err == nil:
		return l, nil
	case asJSON:
		return nil, cmp.Or(diag.WriteJSON(a.out.Raw(), l.diags, l.files.Source), err)
	}
	return nil, cmp.Or(a.diagnostics(l.files.Source, l.diags), err)
}

// lower loads the pipeline and lowers it. A pipeline with mistakes is lowered as far as possible, so that all of them
// are shown at once.
func (a *app) lower(path string, in command.Inputs) *loaded {
	defer a.collect(reading)()
	l := a.load(path, in)
	if l.program == nil {
		return l
	}
	var more diag.List
	l.plan, more = lower.For(l.program, a.catalog, a.machine())
	l.diags = append(l.diags, more...)
	if !l.diags.HasErrors() && len(l.program.Stages) == 0 {
		l.diags = append(l.diags, l.nothing())
	}
	l.diags = l.diags.Sorted()
	return l
}

// nothing is the diagnostic about a pipeline without a stage.
func (l *loaded) nothing() *diag.Diagnostic {
	d := &diag.Diagnostic{
		Code: diag.NoStage, Severity: diag.Warning, Summary: fmt.Sprintf("%s has no stage: there is nothing to run", l.path),
		Detail: "A pipeline has at least one block `stage \"name\" { … }`, which says what model is trained, calibrated or validated, and on which data. " +
			"`qpipe help` shows where to begin.",
	}
	if len(l.files.Files) > 0 {
		start := diag.Pos{Line: 1, Column: 1}
		d.Subject = diag.Range{File: l.files.Files[0].Name, Start: start, End: start}
	}
	return d
}

// staged is sound for a verb that needs stages: a pipeline without one is an error.
func (a *app) staged(path string, in command.Inputs, asJSON bool) (*loaded, error) {
	l := a.lower(path, in)
	l.insist()
	return a.shown(l, asJSON)
}

// insist turns the warning about a pipeline without a stage into an error.
func (l *loaded) insist() {
	for _, d := range l.diags {
		if d.Code == diag.NoStage {
			d.Severity = diag.Error
		}
	}
}

// machine describes what a pipeline would run on.
func (a *app) machine() stage.Machine {
	m := stage.Machine{Cores: runtime.GOMAXPROCS(0), Threads: a.threads}
	if a.Memory != nil {
		m.Memory = a.Memory()
	}
	m.Kernels, _ = a.kernels() // verbs that compute report what is wrong with the name
	return m
}

// garbage is the percentage of the memory in use that garbage may reach before it is collected. A step allocates
// nothing, so this costs no time, and checkpoints and validations do not make a training take twice the memory that it
// needs.
const garbage = 25

// reading is the same while a pipeline is read and checked: that takes some MiB and is over before they are worth collecting.
const reading = 400

// collect sets the garbage collector to a percentage, unless the environment has its own. The result sets it back.
func (a *app) collect(percent int) (back func()) {
	if a.Getenv("GOGC") != "" {
		return func() {}
	}
	before := debug.SetGCPercent(percent)
	return func() { debug.SetGCPercent(before) }
}

// sound lowers the pipeline, shows its diagnostics, and fails if there is an error. With asJSON it shows only errors;
// warnings are part of the document that the caller prints.
func (a *app) sound(path string, in command.Inputs, asJSON bool) (*loaded, error) {
	return a.shown(a.lower(path, in), asJSON)
}

func (a *app) shown(l *loaded, asJSON bool) (*loaded, error) {
	err := failed(l.diags)
	switch {
	case asJSON && err != nil:
		return nil, cmp.Or(diag.WriteJSON(a.out.Raw(), l.diags, l.files.Source), err)
	case asJSON:
		return l, nil
	}
	if shown := a.diagnostics(l.files.Source, l.diags); shown != nil {
		return nil, shown
	}
	return l, err
}

// diagnostics shows a list of diagnostics to a person.
func (a *app) diagnostics(src diag.Sources, list diag.List) error {
	style := diag.Style{Color: bool(a.paint(a.Err)), Width: min(console.Width(a.Err), 120)}
	if console.IsTerminal(a.Err) {
		style.Lines = console.Width(a.Err)
	}
	if err := diag.WriteText(a.Err, list, src, style); err != nil || a.Getenv("QPIPE_DEBUG") != "1" {
		return err
	}
	for _, d := range list {
		if d.Stack != "" {
			fmt.Fprintf(a.Err, "\n%s: %s\n\n%s", d.Code, d.Summary, d.Stack)
		}
	}
	return nil
}
