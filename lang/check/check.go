// Package check turns HCL files into a checked [program.Program]: it evaluates
// variables, locals and functions, resolves every name, decodes the arguments of
// parts into their Args structs, and applies the rules between blocks. It finds
// all mistakes in one run and reports each once. It asks about parts only
// through [program.Signatures]; it builds no network and reads no data.
//
// The door is [Check].
package check

import (
	"qpipe/lang/diag"
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
	// Version is the program's, for required_version; "" or "dev" satisfies all.
	Version string
}

// Var is a -var flag (Name and Value), or a -var-file flag (File).
type Var struct {
	Name, Value string
	File        string
}

// Check checks the files, and returns the program and everything found, sorted
// by place. With errors in the list the program is nil. Precedence of a
// variable's value, the stronger last: its default, the environment,
// *.auto.qvars in the order of their names, Options.Vars in order.
func Check(files *syntax.Files, o Options) (*program.Program, diag.List) {
	return nil, nil
}
