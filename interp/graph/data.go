package graph

import (
	"errors"
	"fmt"
	"slices"

	"qpipe/interp/part"
	"qpipe/lang/diag"
	"qpipe/lang/program"
)

// feed is what is known of a data set after its transforms.
type feed struct {
	set  *program.Dataset
	part part.Dataset
	spec part.Spec
}

// shares reports whether two different data sets are known to have images in common.
func (f *feed) shares(other *feed) bool {
	s, ok := f.part.(part.Sharer)
	return ok && f.set != other.set && s.Shares(other.part)
}

// feed asks a data set and its transforms what they give; nil for none and after
// a mistake.
func (l *lowerer) feed(d *program.Dataset) *feed {
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
	spec := set.Spec()
	for _, t := range d.Transforms {
		tr, err := part.New[part.Transform](l.plan.Catalog, t)
		if err == nil {
			spec, err = tr.Spec(spec)
		}
		if err != nil {
			l.part(diag.BadData, t, err)
			return nil
		}
	}
	f = &feed{d, set, spec}
	l.data[d] = f
	return f
}

// part reports what a part dislikes, at the argument that it names. Of a part that
// nobody knows, or whose arguments hold mistakes, lang/check has spoken.
func (l *lowerer) part(code diag.Code, c program.Call, err error) {
	if _, known := l.plan.Catalog.Signature(c.Kind, c.Type); !known || c.Args == nil || c.Faulty {
		return
	}
	at, err := place(c.Origin, err)
	l.fail(diag.Diagnostic{
		Code: code, Subject: at, Address: c.Origin.Address,
		Summary: fmt.Sprintf("%s: %v", c.Type, err),
	})
}

// place finds the range of the argument that an error names.
func place(o program.Origin, err error) (diag.Range, error) {
	var arg *program.ArgError
	if !errors.As(err, &arg) {
		return o.Header, err
	}
	if _, written := o.Attrs[arg.Attr]; written {
		return o.At(arg.Attr), arg.Err
	}
	return o.Header, fmt.Errorf("%s (not written, so its default): %w", arg.Attr, arg.Err)
}

// compare holds a stage's two data sets against each other, each pair once, and
// reports whether one network can take both.
func (l *lowerer) compare(s *Stage, train, val *feed) bool {
	if train == nil || val == nil {
		return true
	}
	d := diag.Diagnostic{
		Code: diag.DataDiffer, Subject: s.Origin.At("val_data"), Address: s.Origin.Address,
		Related: []diag.Related{
			{Message: "the training data", Range: train.set.Origin.Header},
			{Message: "the validation data", Range: val.set.Origin.Header},
		},
	}
	a, b := train.spec, val.spec
	switch {
	case a.Shape.WithN(0) != b.Shape.WithN(0):
		d.Summary = fmt.Sprintf("the training images are %v, the validation images %v", a.Shape.WithN(0), b.Shape.WithN(0))
		d.Detail = "One network takes both: give both data sets the same transforms of size."
	case a.Classes != b.Classes:
		d.Summary = fmt.Sprintf("the training data has %s, the validation data %d", diag.Count(a.Classes, "class"), b.Classes)
	case !slices.Equal(a.Mean, b.Mean) || !slices.Equal(a.Std, b.Std):
		d.Severity = diag.Warning
		d.Summary = "the training and the validation images are normalized differently"
		d.Detail = "The network then sees other values than it was trained on: give both data sets the same Normalize."
	case train.shares(val):
		d.Code, d.Severity = diag.SharedImages, diag.Warning
		d.Summary = "the validation data has images that the stage trains on"
		d.Detail = `What is chosen by them, like "best", is chosen by what was learnt. Take another split, or give both data sets the same seed and val_samples.`
	default:
		return true
	}
	l.once(fmt.Sprint("differ ", train.set.Name, " ", val.set.Name), d)
	return d.Severity == diag.Warning
}

// length is the extent of a stage's training; what needs the data's size is
// unknown where that is.
func (l *lowerer) length(s *Stage, train *feed) program.Length {
	n := program.Length{StepsPerEpoch: -1}
	if s.Calibrator != nil {
		return program.Length{Epochs: 1, Steps: s.Calibrator.NumSteps, StepsPerEpoch: s.Calibrator.NumSteps}
	}
	t := s.Trainer
	if t == nil {
		return program.Length{}
	}
	n.Epochs, n.Steps = t.NumEpochs, t.NumSteps
	if train == nil || train.spec.Len < 0 || t.BatchSize <= 0 {
		return n
	}
	per := program.Batches(train.spec.Len, t.BatchSize, t.DropLast)
	if per == 0 {
		l.fail(diag.Diagnostic{
			Code: diag.BadData, Subject: t.Origin.At("batch_size"), Address: t.Origin.Address,
			Summary: fmt.Sprintf("%d training images do not fill one batch of %d", train.spec.Len, t.BatchSize),
			Detail:  "Make batch_size smaller, or set drop_last = false.",
		})
		return n
	}
	if t.NumEpochs > program.MostSteps/per {
		l.fail(diag.Diagnostic{
			Code: diag.BadData, Subject: t.Origin.At("num_epochs"), Address: t.Origin.Address,
			Summary: fmt.Sprintf("%d epochs of %d steps are more than the %d steps that a stage may have", t.NumEpochs, per, program.MostSteps),
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
	l.warmup(t, n)
	return n
}

// warmup warns of a learning rate that training ends before it has reached.
func (l *lowerer) warmup(t *program.Trainer, n program.Length) {
	if t.LRUpdater == nil || t.LRUpdater.Faulty || n.Steps <= 0 {
		return
	}
	u, err := part.New[part.LRUpdater](l.plan.Catalog, *t.LRUpdater)
	w, ok := u.(part.Warmer)
	if err != nil || !ok {
		return
	}
	steps := w.WarmupSteps(part.Progress{StepsPerEpoch: n.StepsPerEpoch, Epochs: n.Epochs, Steps: n.Steps})
	if steps < n.Steps {
		return
	}
	o := t.LRUpdater.Origin
	l.fail(diag.Diagnostic{
		Code: diag.LongWarmup, Severity: diag.Warning, Subject: o.At("warmup_len"), Address: o.Address,
		Summary: fmt.Sprintf("the warm-up lasts %s, and training ends after %d", count(steps, "step"), n.Steps),
		Detail:  "The learning rate never reaches that of the optimizer. Make warmup_len smaller, or look at warmup_by.",
	})
}
