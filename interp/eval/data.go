package eval

import (
	"fmt"
	"io/fs"

	"qpipe/interp/data"
	"qpipe/interp/part"
	"qpipe/interp/place"
	"qpipe/lang/diag"
)

// open opens the data and holds it against the model.
func (e *evaluation) open() (err error) {
	if e.feed, err = data.Open(e.catalog, e.o.Data, e.folder); err != nil {
		return err
	}
	if e.images = e.feed.Samples.Len(); e.o.Images > 0 {
		e.images = min(e.images, e.o.Images)
	}
	if err := e.fits(); err != nil {
		return err
	}
	e.compare()
	e.judges, err = judgesOf(e)
	return err
}

// folder opens a folder of data, relative to the pipeline's.
func (e *evaluation) folder(root string) fs.FS { return e.o.FS(e.prog.Path(root)) }

// fits refuses images and classes that the model cannot take.
func (e *evaluation) fits() error {
	spec, origin := e.feed.Spec, e.o.Data.Origin
	misfit := part.Takes(e.model, spec.Shapes())
	few, have, apart := -1, 0, 0
	for k, classes := range spec.Apart(e.model) {
		if n := spec.Targets[k].Classes; n > classes {
			few, have, apart = k, n, classes
		}
	}
	d := &diag.Diagnostic{Code: diag.OtherData, Subject: origin.Header, Address: origin.Address}
	switch {
	case e.images < 1:
		d.Summary, d.Detail = "the data set has no images", "Give it at least one: look at its split, offset and number of samples."
	case misfit != nil && len(spec.Inputs) == 1 && len(e.model.Inputs()) == 1:
		d.Summary = fmt.Sprintf("the images are %s, and %s takes %v", spec.InputText(), e.path, e.model.Input().WithN(0))
		d.Detail = "Choose the data set that the model was made for, or give this one the transforms of size that it had."
	case misfit != nil:
		d.Summary = fmt.Sprintf("%s does not take the data: %v", e.path, misfit)
		d.Detail = "Choose the data set that the model was made for."
	case few >= 0:
		d.Summary = fmt.Sprintf("the data has %s, and %s tells %d apart", diag.Count(have, "class"), e.path, apart)
		d.Detail = "Choose the data set that the model was made for."
	default:
		return nil
	}
	return &place.Error{Diagnostic: d}
}

// compare warns of data that the model takes, but was not made for.
func (e *evaluation) compare() {
	spec, origin := e.feed.Spec, e.o.Data.Origin
	warn := func(code diag.Code, summary, detail string) {
		e.fail(&diag.Diagnostic{
			Code: code, Severity: diag.Warning, Subject: origin.Header, Address: origin.Address, Summary: summary, Detail: detail,
		})
	}
	own, theirs := spec.Preprocessing(), e.snap.Inputs
	if i := part.OtherValues(own, theirs); i >= 0 {
		warn(diag.OtherValues, fmt.Sprintf("the images are normalized with %s, and %s was made for %s", own[i].Normalization(), e.path, theirs[i].Normalization()),
			"The network sees other values than it was made for. Give the data set the Normalize that it had.")
	}
	for k, apart := range spec.Apart(e.model) {
		t, names := spec.Targets[k], []string(nil)
		if k < len(e.snap.Classes) {
			names = e.snap.Classes[k]
		}
		i := otherName(names, t.Names)
		switch {
		case t.Classes < apart:
			warn(diag.OtherLabels, fmt.Sprintf("%s tells %s apart, and the data has %d", e.path, diag.Count(apart, "class"), t.Classes),
				fmt.Sprintf("The last %d can never be right.", apart-t.Classes))
		case i >= 0:
			warn(diag.OtherLabels, fmt.Sprintf("label %d is %q in the data, and %q in %s", i, t.Names[i], names[i], e.path),
				"Accuracy counts labels, whatever they are called. Give the data set the classes that the model was made for, in their order.")
		}
	}
}

// otherName is the first label with another name; -1 where there is none, or nothing is known.
func otherName(a, b []string) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return -1
}
