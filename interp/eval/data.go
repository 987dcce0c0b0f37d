package eval

import (
	"fmt"
	"io/fs"

	"qpipe/interp/data"
	"qpipe/interp/part"
	"qpipe/interp/place"
	"qpipe/lang/diag"
)

// open opens the data, checks that the model can take it, and finds the metrics.
func (e *evaluation) open() (err error) {
	if e.feed, err = data.Open(e.catalog, e.o.Data, e.folder); err != nil {
		return err
	}
	if w := data.Skips(e.o.Data, e.feed); w != nil {
		e.fail(w)
	}
	if e.images = e.feed.Samples.Len(); e.o.Images > 0 {
		e.images = min(e.images, e.o.Images)
	}
	if err := e.fits(); err != nil {
		return err
	}
	e.compare()
	e.counters = countersOf(e)
	e.judges, err = judgesOf(e)
	return err
}

// folder returns the file system of a folder of data; root is relative to the pipeline's folder.
func (e *evaluation) folder(root string) fs.FS { return e.o.FS(e.prog.Path(root)) }

// fits returns an error if the model cannot take the data: inputs of other shapes, or more classes than it knows.
func (e *evaluation) fits() error {
	spec, origin := e.feed.Spec, e.o.Data.Origin
	misfit := part.Takes(e.model, spec.Shapes())
	few, have, apart := -1, 0, 0
	for _, m := range part.Matches(e.model.Outputs(), spec.Targets) {
		if n := spec.Targets[m.Target].Classes; n > m.Gives {
			few, have, apart = m.Target, n, m.Gives
		}
	}
	d := &diag.Diagnostic{Code: diag.OtherData, Subject: origin.Header, Address: origin.Address}
	switch {
	case e.images < 1:
		d.Summary, d.Detail = "the data set has no images", "Give it at least one: look at its split, offset and number of samples."
	case misfit != nil && len(spec.Inputs) == 1 && len(e.model.Inputs()) == 1:
		d.Summary = fmt.Sprintf("the images are %s, and %s takes %v", spec.InputText(), e.path, e.model.Input().WithN(0))
		d.Detail = "Choose the data set that the model was trained on, or give this one the same transforms that change the size."
	case misfit != nil:
		d.Summary = fmt.Sprintf("%s does not take the data: %v", e.path, misfit)
		d.Detail = "Choose the data set that the model was trained on."
	case few >= 0:
		d.Summary = fmt.Sprintf("the data has %s, but %s has %d", diag.Count(have, "class"), e.path, apart)
		d.Detail = "Choose the data set that the model was trained on."
	default:
		return nil
	}
	return &place.Error{Diagnostic: d}
}

// compare warns of data that the model takes, but that differs from what it was trained on.
func (e *evaluation) compare() {
	spec, origin := e.feed.Spec, e.o.Data.Origin
	warn := func(code diag.Code, summary, detail string) {
		e.fail(&diag.Diagnostic{
			Code: code, Severity: diag.Warning, Subject: origin.Header, Address: origin.Address, Summary: summary, Detail: detail,
		})
	}
	own, theirs := spec.Preprocessing(), e.snap.Inputs
	if i := part.OtherValues(own, theirs); i >= 0 {
		warn(diag.OtherValues, fmt.Sprintf("the images are normalized with %s, but %s was trained with %s", own[i].Normalization(), e.path, theirs[i].Normalization()),
			"The network gets other values than in its training. Give the data set the same Normalize.")
	}
	for _, m := range part.Matches(e.model.Outputs(), spec.Targets) {
		k, apart := m.Target, m.Gives
		t, names := spec.Targets[k], []string(nil)
		if k < len(e.snap.Classes) {
			names = e.snap.Classes[k]
		}
		i := otherName(names, t.Names)
		switch {
		case t.Classes < apart && t.Classes >= 0:
			warn(diag.OtherLabels, fmt.Sprintf("%s has %s, but the data has %d", e.path, diag.Count(apart, "class"), t.Classes),
				fmt.Sprintf("Answers with one of the last %d are always wrong.", apart-t.Classes))
		case i >= 0:
			warn(diag.OtherLabels, fmt.Sprintf("label %d is %q in the data, but %q in %s", i, t.Names[i], names[i], e.path),
				"Accuracy compares labels, not names. Give the data set the same classes as in training, in the same order.")
		}
	}
}

// otherName returns the first label that has different names in a and b, or -1 if there is none. Missing names do not count.
func otherName(a, b []string) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return -1
}
