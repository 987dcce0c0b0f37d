package lower

import (
	"errors"
	"fmt"

	"qpipe/interp/graph"
	"qpipe/interp/part"
	"qpipe/lang/diag"
	"qpipe/lang/program"
)

// feed returns the description of a data set after its transforms. It returns nil if d is nil, and after
// a mistake, which it reports once.
func (l *lowerer) feed(d *program.Dataset) *graph.Feed {
	if d == nil {
		return nil
	}
	f, known := l.data[d]
	if known {
		return f
	}
	l.data[d] = nil
	set, err := part.New[part.Dataset](l.plan.Catalog, d.Call)
	if err != nil {
		l.part(diag.BadData, d.Call, err)
		return nil
	}
	spec, err := part.Peeked(set, l.folder)
	if err == nil {
		err = spec.Validate()
	}
	if err != nil {
		l.part(diag.BadData, d.Call, err)
		return nil
	}
	for _, t := range d.Transforms {
		tr, err := part.New[part.Transform](l.plan.Catalog, t)
		if err == nil {
			spec, err = part.Transformed(spec, tr)
		}
		if err != nil {
			l.part(diag.BadData, t, err)
			return nil
		}
	}
	if err := spec.Sized(); err != nil {
		l.part(diag.BadData, d.Call, err)
		return nil
	}
	f = &graph.Feed{Set: d, Part: set, Spec: spec}
	l.data[d] = f
	return f
}

// part reports the error of a part, at the argument that the error names. It says nothing of an
// unknown part or one whose arguments contain mistakes: lang/check has reported those.
func (l *lowerer) part(code diag.Code, c program.Call, err error) {
	if _, known := l.plan.Catalog.Signature(c.Kind, c.Type); !known || c.Args == nil || c.Faulty {
		return
	}
	at, err := place(c.Origin, err)
	d := diag.Diagnostic{
		Code: code, Subject: at, Address: c.Origin.Address,
		Summary: fmt.Sprintf("%s: %v", c.Type, err),
	}
	panics(&d, err)
	l.fail(d)
}

// panics adds to a diagnostic where a part has panicked.
func panics(d *diag.Diagnostic, err error) {
	var p *part.Panic
	if errors.As(err, &p) {
		d.Detail, d.Stack = p.Detail(), string(p.Stack)
	}
}

// place returns the range of the argument that an error names, and the error without that name.
func place(o program.Origin, err error) (diag.Range, error) {
	var arg *program.ArgError
	if !errors.As(err, &arg) {
		return o.Header, err
	}
	at := o.At(arg.Attr)
	if _, written := o.Attrs[arg.Attr]; written {
		return at, arg.Err
	}
	return at, fmt.Errorf("%s (not written, so it has its default): %w", arg.Attr, arg.Err)
}

// length returns the length of a stage's training. If the size of the data is unknown, the
// number of steps in an epoch is -1, and only one of epochs and steps is set.
func (l *lowerer) length(s *graph.Stage) program.Length {
	train := s.Data.Train
	n := program.Length{StepsPerEpoch: -1}
	if s.Calibrator != nil {
		return program.Length{Epochs: 1, Steps: s.Calibrator.NumSteps, StepsPerEpoch: s.Calibrator.NumSteps}
	}
	t := s.Trainer
	if t == nil {
		return program.Length{}
	}
	n.Epochs, n.Steps = t.NumEpochs, t.NumSteps
	if train == nil || train.Spec.Len < 0 || t.BatchSize <= 0 {
		return n
	}
	per := program.Batches(train.Spec.Len, t.BatchSize, t.DropLast)
	if per == 0 {
		l.fail(diag.Diagnostic{
			Code: diag.BadData, Subject: t.Origin.At("batch_size"), Address: t.Origin.Address,
			Summary: fmt.Sprintf("%d training images do not fill one batch of %d", train.Spec.Len, t.BatchSize),
			Detail:  "Make batch_size smaller, or set drop_last = false.",
		})
		return n
	}
	if t.NumEpochs > program.MostSteps/per {
		l.fail(diag.Diagnostic{
			Code: diag.BadData, Subject: t.Origin.At("num_epochs"), Address: t.Origin.Address,
			Summary: fmt.Sprintf("%d epochs of %d steps are more than a stage may have, which is %d steps", t.NumEpochs, per, program.MostSteps),
			Detail:  fmt.Sprintf("Make num_epochs at most %d.", program.MostSteps/per),
		})
		return n
	}
	n.StepsPerEpoch = per
	if t.NumSteps > 0 {
		n.Epochs = (t.NumSteps + per - 1) / per
	} else {
		n.Steps = t.NumEpochs * per
	}
	return n
}
