// Package check turns HCL files into a checked [program.Program]: it evaluates
// variables, locals and functions, resolves every name, decodes the arguments of
// parts into their Args structs, and asks lang/lint for the rules between blocks.
// It finds all mistakes in one run and reports each once. It asks about parts only
// through [program.Signatures]; it builds no network and reads no data.
//
// The door is [Check].
package check

import (
	"fmt"
	"io"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty/function"

	"qpipe/lang/check/functions"
	"qpipe/lang/config"
	"qpipe/lang/diag"
	"qpipe/lang/lint"
	"qpipe/lang/program"
	"qpipe/lang/syntax"
)

// Options are what a check needs besides the text.
type Options struct {
	Signatures program.Signatures
	// Vars are the -var and -var-file flags in the order of the command line.
	Vars []Var
	// Env is the environment (os.Environ's form); only QPIPE_VAR_* is looked at.
	Env []string
	// Version is the program's, for required_version; a text that is not a
	// version, such as "" or "dev", satisfies all.
	Version string
}

// Var is a -var flag (Name and Value), or a -var-file flag (File).
type Var struct {
	Name, Value string
	File        string
}

// Check checks the files, and returns the program and everything found, sorted
// by place. With errors in the list the program holds what could be made out: it
// may be looked at for more mistakes, but not run. Precedence of a
// variable's value, the stronger last: its default, the environment,
// *.auto.qvars in the order of their names, Options.Vars in order. The sources
// of variable values are added to the files, so that diagnostics can show them.
func Check(files *syntax.Files, o Options) (*program.Program, diag.List) {
	c := newChecker(files, o)
	c.run()
	c.prog.Faulty = c.list.HasErrors()
	return c.prog, c.list.Sorted()
}

// checker holds what is known so far. Every step adds to the list and leaves
// what it could not make out marked as bad, so that no later step complains
// about the same mistake again.
type checker struct {
	files   *syntax.Files
	opt     Options
	list    diag.List
	cfg     *config.Pipeline
	prog    *program.Program
	names   map[string]map[string]*name // by kind, as in references: "var", "local", "dataset", …
	folders map[string]*name            // of stages, in lower case
	locals  []*name                     // in an order in which they can be evaluated
	budget  *functions.Budget
	blocks  int // made by dynamic blocks so far
	context *hcl.EvalContext
	stages  []*stage
	sorted  map[string][]string // names by kind, when they have been asked for
	said    said
	spent   bool // that the budget of the whole pipeline is spent has been reported
	hints   int  // work that suggestions may still take
	late    late

	valuesLost bool // a file of variable values could not be read: what it gives is not known
}

func newChecker(files *syntax.Files, o Options) *checker {
	b := functions.NewBudget()
	return &checker{
		files: files, opt: o, budget: b, hints: maxHints,
		prog:  &program.Program{Name: files.Name, Dir: files.Dir, Folder: files.Folder, Files: files.Names(), SHA256: files.SHA256()},
		names: map[string]map[string]*name{}, folders: map[string]*name{},
		context: &hcl.EvalContext{
			Variables: roots(nil), Functions: tableFor(files, b),
		},
	}
}

func (c *checker) run() {
	var list diag.List
	c.cfg, list = config.Decode(c.files)
	c.list = append(c.list, list...)
	if c.tooMany() {
		return
	}
	c.declare()
	c.variables()
	c.scope()
	c.settings()
	c.datasets()
	c.models()
	c.qconfigs()
	c.decodeStages()
	c.outputs()
	c.list = lint.Run(c.forRules(), c.list)
}

// tableFor builds the functions that the files can call: for most pipelines none.
func tableFor(files *syntax.Files, b *functions.Budget) map[string]function.Function {
	if files.Calls() {
		return functions.Table(files.Dir, b)
	}
	return functions.Meter(b)
}

// at is where a message belongs: a block's address and a place in the text.
type at struct {
	address string
	subject diag.Range
	context diag.Range
}

func (c *checker) report(sev diag.Severity, code diag.Code, p at, detail, format string, a ...any) *diag.Diagnostic {
	d := &diag.Diagnostic{
		Code: code, Severity: sev, Summary: fmt.Sprintf(format, a...), Detail: detail,
		Address: p.address, Subject: p.subject, Context: p.context,
	}
	c.list = append(c.list, d)
	return d
}

func (c *checker) errorf(code diag.Code, p at, detail, format string, a ...any) *diag.Diagnostic {
	return c.report(diag.Error, code, p, detail, format, a...)
}

func (c *checker) warnf(code diag.Code, p at, detail, format string, a ...any) *diag.Diagnostic {
	return c.report(diag.Warning, code, p, detail, format, a...)
}

// add takes over diagnostics from the layers below and gives them the address.
func (c *checker) add(address string, list diag.List) bool {
	for _, d := range list {
		if d.Address == "" {
			d.Address = address
		}
	}
	c.list = append(c.list, list...)
	return !list.HasErrors()
}

// WriteFunctions writes the page of the functions that expressions can call.
func WriteFunctions(w io.Writer) error { return functions.WritePage(w) }
