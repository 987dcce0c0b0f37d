package exec

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"

	"qpipe/interp/graph"
	"qpipe/interp/part"
	"qpipe/interp/place"
	"qpipe/interp/runs"
	"qpipe/interp/stage"
	"qpipe/lang/diag"
	"qpipe/lang/program"
)

// crash is a recovered panic.
type crash struct {
	value any
	stack []byte
}

// Error implements error.
func (c *crash) Error() string { return fmt.Sprintf("a bug in qpipe: %v", c.value) }

// guard calls f. A panic in it becomes an error, and the manifest records that the stage has failed.
func (s *session) guard(st *graph.Stage, f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			if p := part.Recovered(v); p != nil {
				err = p
			} else {
				err = &crash{v, debug.Stack()}
			}
			if e := s.manifest.Stage(st.Name); e != nil && e.State == runs.Running {
				err = s.stopped(e, err)
			}
		}
	}()
	return f()
}

// diagnose turns the error of a stage into a diagnostic with its place in the text, its node in
// the network, and its time in the training.
func (s *session) diagnose(st *graph.Stage, err error) *diag.Diagnostic {
	var known *place.Error
	var bug *crash
	var failure *stage.Failure
	switch {
	case errors.As(err, &bug):
		return &diag.Diagnostic{
			Code: diag.Bug, Subject: st.Origin.Header, Address: st.Origin.Address,
			Summary: fmt.Sprint("qpipe itself failed: ", bug.value), Detail: string(bug.stack),
		}
	case errors.As(err, &known):
		return known.Diagnostic
	case errors.As(err, &failure):
		return s.failure(st, failure)
	}
	o := owner(st, err)
	d := place.Diagnose(o, err)
	s.kept(d, st, "")
	return d
}

// owner returns the block that a stage's error is about: the one with the argument that the
// error names, or else the trainer or calibrator.
func owner(st *graph.Stage, err error) program.Origin {
	solver := st.Origin
	var all []program.Origin
	if t := st.Trainer; t != nil {
		solver = t.Origin
		all = append(all, t.Origin, t.Optimizer.Origin)
		for _, l := range t.Losses {
			all = append(all, l.Origin)
		}
		if t.LRUpdater != nil {
			all = append(all, t.LRUpdater.Origin)
		}
	}
	if c := st.Calibrator; c != nil {
		solver = c.Origin
		all = append(all, c.Origin)
	}
	all = append(all, st.Validation.Origin, st.Origin)
	var arg *program.ArgError
	if errors.As(err, &arg) {
		for _, o := range all {
			if _, written := o.Attrs[arg.Attr]; written {
				return o
			}
		}
	}
	if solver.Header.Empty() {
		return st.Origin
	}
	return solver
}

// failure turns an error of the training itself into a diagnostic.
func (s *session) failure(st *graph.Stage, f *stage.Failure) *diag.Diagnostic {
	err := f.Err
	if f.Attr != "" {
		err = &program.ArgError{Attr: f.Attr, Err: f.Err}
	}
	o, when := s.origin(st, f.Address)
	if f.Address == "" {
		o = owner(st, err)
	}
	d := place.Diagnose(o, err)
	if f.Attr != "" && f.Address == "" {
		if _, written := o.Attrs[f.Attr]; !written {
			d.Summary = f.Err.Error()
		}
	}
	if f.Module != "" {
		d.Module = f.Module
	}
	d.Time = fmt.Sprintf("epoch %d, step %d", f.Epoch, f.Step)
	if when != nil {
		d.Time += fmt.Sprintf(" (when = %q, line %d)", when.Text, when.Range.Start.Line)
	}
	s.kept(d, st, f.Kept)
	return d
}

// origin returns the block with an address, and its schedule if it is a callback.
func (s *session) origin(st *graph.Stage, address string) (program.Origin, *program.Schedule) {
	for _, c := range st.Callbacks {
		if c.Origin.Address == address {
			return c.Origin, c.When
		}
	}
	for _, c := range graph.Calls(st.Stage) {
		if c.Origin.Address == address {
			return c.Origin, nil
		}
	}
	for _, d := range []*program.Dataset{st.Train, st.Val} {
		if d != nil && d.Origin.Address == address {
			return d.Origin, nil
		}
	}
	return st.Origin, nil
}

// kept adds to a diagnostic which checkpoint is left, and the command that continues from it.
func (s *session) kept(d *diag.Diagnostic, st *graph.Stage, name string) {
	if name == "" {
		if e := s.manifest.Stage(st.Name); e == nil || e.State == runs.Complete || e.Artifact("last") == nil {
			return
		}
		name = "last"
	}
	path := s.folder.File(st.Name, name)
	if _, err := os.Lstat(path); err != nil { // the file was removed
		return
	}
	d.Kept, d.Next = filepath.ToSlash(path), cmp.Or(s.Again, "qpipe run --resume "+s.pipeline())
}

// pipeline returns the pipeline's file or folder, as on the command line.
func (s *session) pipeline() string {
	if s.prog.Folder || len(s.prog.Files) == 0 {
		return s.prog.Dir
	}
	return s.prog.Files[0]
}
