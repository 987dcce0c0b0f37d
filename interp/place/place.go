// Package place finds the place in the pipeline's text that an error is about.
package place

import (
	"errors"
	"strings"

	"qpipe/interp/artifact"
	"qpipe/interp/part"
	"qpipe/interp/stage"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/ops/nn"
)

// Error is an error that knows its place in the pipeline's text.
type Error struct{ Diagnostic *diag.Diagnostic }

// Error implements error.
func (e *Error) Error() string { return e.Diagnostic.Summary }

// At places an error at a block or, if the error names an argument, at that argument of
// the block. An error that has a place keeps it; an interrupt gets none.
func At(o program.Origin, err error) error {
	var known *Error
	if errors.As(err, &known) || errors.Is(err, stage.ErrInterrupted) {
		return err
	}
	return &Error{Diagnose(o, err)}
}

// AtArg places an error at an argument.
func AtArg(o program.Origin, attr string, err error) error {
	d := Diagnose(o, err)
	d.Subject = o.At(attr)
	return &Error{d}
}

// Unreadable places an error about data at the argument it names, or else at the one that
// names the folder.
func Unreadable(o program.Origin, err error) error {
	d := Diagnose(o, err)
	d.Code = diag.DataUnreadable
	var arg *program.ArgError
	if !errors.As(err, &arg) {
		d.Subject = o.At("root")
	}
	return &Error{d}
}

// Diagnose turns an error about a block into a diagnostic. An error of a part is about the part's own block.
func Diagnose(o program.Origin, err error) *diag.Diagnostic {
	var fault *part.Fault
	if errors.As(err, &fault) && !fault.Call.Origin.Header.Empty() {
		o = fault.Call.Origin
	}
	d := &diag.Diagnostic{Code: diag.StageFailed, Summary: err.Error(), Subject: o.Header, Address: o.Address}
	var p *part.Panic
	if errors.As(err, &p) {
		d.Detail, d.Stack = p.Detail(), string(p.Stack)
	}
	var file *artifact.FileError
	if errors.As(err, &file) {
		d.Code = file.Code
	}
	var node nn.NodeError
	if errors.As(err, &node) {
		d.Module, d.Summary = node.Node, node.Err.Error()
		d.Detail = strings.TrimSpace(node.Way)
	}
	var arg *program.ArgError
	if errors.As(err, &arg) {
		d.Subject, d.Summary = o.At(arg.Attr), arg.Err.Error()
		if _, written := o.Attrs[arg.Attr]; !written {
			d.Summary = arg.Attr + ": " + d.Summary
		}
	}
	return d
}

// File turns an error about a file or folder of the run into a diagnostic.
func File(err error) *diag.Diagnostic {
	d := Diagnose(program.Origin{}, err)
	if d.Code == diag.StageFailed {
		d.Code = diag.Unwritable
	}
	return d
}

// As returns the error as an Error. If it has no place, the diagnostic has none either.
func As(err error) *Error {
	var known *Error
	if errors.As(err, &known) {
		return known
	}
	return &Error{Diagnose(program.Origin{}, err)}
}
