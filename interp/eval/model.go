package eval

import (
	"fmt"
	"slices"

	"qpipe/interp/artifact"
	"qpipe/interp/checkpoint"
	"qpipe/interp/place"
	"qpipe/lang/diag"
)

// load reads the model's file and builds the model.
func (e *evaluation) load() error {
	ref, err := e.locate()
	if err != nil {
		return err
	}
	if e.snap, err = artifact.Read(e.path); err != nil {
		p := place.As(err)
		if ref {
			p.Diagnostic.Detail = "Run the stage first; -out names the folder of the run."
		}
		return p
	}
	averaged := len(e.snap.Shadow) > 0
	switch {
	case e.o.EMA && !averaged:
		return &place.Error{Diagnostic: &diag.Diagnostic{
			Code: diag.CannotLoad, Summary: fmt.Sprintf("%s holds no averaged weights", e.path),
			Detail: "Leave out -ema. Only checkpoints of a stage with ExponentialMovingAverage have them, and an int8 model has one set of weights.",
		}}
	case averaged && !e.o.EMA:
		e.fail(&diag.Diagnostic{
			Code: diag.AveragedBest, Severity: diag.Warning,
			Summary: fmt.Sprintf("%s also holds averaged weights, which are not evaluated", e.path),
			Detail:  "The metrics in the file were measured with the averaged weights. Use -ema to evaluate these.",
		})
	}
	if e.model, err = checkpoint.Restore(e.snap, e.o.EMA); err != nil {
		return &artifact.FileError{Path: e.path, Code: diag.CannotLoad, Err: err}
	}
	return nil
}

// locate sets the path of the model's file. ref says that the model was named by its stage.
func (e *evaluation) locate() (ref bool, err error) {
	path, stage, ref := artifact.Reference(e.o.Model, e.o.Out)
	if !ref {
		e.path = e.o.Model
		return false, nil
	}
	var names []string
	for _, st := range e.prog.Stages {
		names = append(names, st.Name)
	}
	if !slices.Contains(names, stage) {
		return true, &place.Error{Diagnostic: &diag.Diagnostic{
			Code: diag.UnknownStage, Summary: fmt.Sprintf("no stage is named %q", stage),
			Detail: diag.DidYouMean(stage, names, "stages"),
		}}
	}
	e.path = path
	return true, nil
}
