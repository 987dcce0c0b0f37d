// Package check turns HCL files into a checked [program.Program]: it evaluates
// variables, locals and functions, resolves every name, decodes the arguments of
// parts into their Args structs, and asks lang/lint for the rules between blocks.
// Expressions are those of lang/scope.
// It finds all mistakes in one run and reports each once. It asks about parts only
// through [program.Signatures]; it builds no network and reads no data.
//
// The door is [Check].
package check

import (
	"io"
	"reflect"

	"qpipe/lang/config"
	"qpipe/lang/diag"
	"qpipe/lang/functions"
	"qpipe/lang/lint"
	"qpipe/lang/program"
	"qpipe/lang/scope"
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
type Var = scope.Var

// Check checks the files, and returns the program and everything found, sorted
// by place. With errors in the list the program is partial: it
// may be looked at for more mistakes, but not run. A variable's value, in
// increasing priority: its default, the environment, *.auto.qvars in the order of their
// names, Options.Vars in order. The sources
// of variable values are added to the files, so that diagnostics can show them.
func Check(files *syntax.Files, o Options) (*program.Program, diag.List) {
	c := newChecker(files, o)
	c.run()
	c.prog.Faulty, c.prog.SHA256 = c.List.HasErrors(), files.SHA256()
	return c.prog, c.List.Sorted()
}

// checker is a check under way.
type checker struct {
	*scope.Scope
	files  *syntax.Files
	opt    Options
	cfg    *config.Pipeline
	prog   *program.Program
	stages []*stage

	defined map[string]*scope.Name           // networks by name
	sources map[string]*library              // files of networks, by path
	fields  map[reflect.Type][]program.Field // of types of Args
}

func newChecker(files *syntax.Files, o Options) *checker {
	return &checker{
		Scope: scope.New(files), files: files, opt: o, fields: map[reflect.Type][]program.Field{},
		prog: &program.Program{Name: files.Name, Dir: files.Dir, Folder: files.Folder, Files: files.Names()},
	}
}

func (c *checker) run() {
	var list diag.List
	c.cfg, list = config.Decode(c.files)
	c.List = append(c.List, list...)
	if c.tooMany() {
		return
	}
	c.Declare(c.cfg)
	c.Variables(c.cfg.Variables, scope.Given{Vars: c.opt.Vars, Env: c.opt.Env})
	c.Locals()
	c.defined, c.sources = map[string]*scope.Name{}, map[string]*library{}
	for _, id := range c.Known("network") {
		c.defined[id] = c.Lookup("network", id)
	}
	c.shadows(c.cfg.Networks)
	c.settings()
	c.datasets()
	c.models()
	c.qconfigs()
	c.decodeStages()
	c.outputs()
	c.List = lint.Run(c.forRules(), c.List)
}

// WriteFunctions writes the page of the functions that expressions can call.
func WriteFunctions(w io.Writer) error { return functions.WritePage(w) }
