package eval

import (
	"fmt"
	"io/fs"
	"reflect"
	"slices"

	"qpipe/interp/data"
	"qpipe/interp/part"
	"qpipe/interp/place"
	"qpipe/lang/diag"
	"qpipe/lang/program"
)

// open opens the data and holds it against the model.
func (e *evaluation) open() (err error) {
	if e.feed, err = data.Open(e.catalog, e.o.Data, e.folder); err != nil {
		return err
	}
	if e.images = e.feed.Samples.Len(); e.o.Images > 0 {
		e.images = min(e.images, e.o.Images)
	}
	e.classes = e.model.Output().WithN(1).Len()
	if err := e.fits(); err != nil {
		return err
	}
	e.compare()
	if e.metric, err = standard[part.Metric](e, program.MetricKind, "Accuracy"); err != nil {
		return err
	}
	e.loss, err = standard[part.Loss](e, program.LossKind, "CrossEntropyLoss")
	return err
}

// folder opens a folder of data, relative to the pipeline's.
func (e *evaluation) folder(root string) fs.FS { return e.o.FS(e.prog.Path(root)) }

// standard makes a part with its defaults.
func standard[S any](e *evaluation, kind program.Kind, name string) (S, error) {
	sig, ok := e.catalog.Signature(kind, name)
	if !ok {
		var none S
		return none, fmt.Errorf("this program has no %s %q", kind, name)
	}
	return part.New[S](e.catalog, program.Call{Kind: kind, Type: name, Args: reflect.ValueOf(sig.Args()).Elem().Interface()})
}

// fits refuses images and classes that the model cannot take.
func (e *evaluation) fits() error {
	spec, origin := e.feed.Spec, e.o.Data.Origin
	got, want := spec.Shape.WithN(0), e.model.Input().WithN(0)
	d := &diag.Diagnostic{Code: diag.OtherData, Subject: origin.Header, Address: origin.Address}
	switch {
	case e.images < 1:
		d.Summary, d.Detail = "the data set has no images", "Give it at least one: look at its split, offset and number of samples."
	case got != want:
		d.Summary = fmt.Sprintf("the images are %v, and %s takes %v", got, e.path, want)
		d.Detail = "Choose the data set that the model was made for, or give this one the transforms of size that it had."
	case spec.Classes > e.classes:
		d.Summary = fmt.Sprintf("the data has %s, and %s tells %d apart", diag.Count(spec.Classes, "class"), e.path, e.classes)
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
	own, theirs := spec.Preprocessing(), e.snap.Input
	if theirs.Height > 0 && !own.SameValues(theirs) {
		warn(diag.OtherValues, fmt.Sprintf("the images are normalized with %s, and %s was made for %s", own.Normalization(), e.path, theirs.Normalization()),
			"The network sees other values than it was made for. Give the data set the Normalize that it had.")
	}
	switch names := e.snap.Classes; {
	case spec.Classes > 0 && spec.Classes < e.classes:
		warn(diag.OtherLabels, fmt.Sprintf("%s tells %s apart, and the data has %d", e.path, diag.Count(e.classes, "class"), spec.Classes),
			fmt.Sprintf("The last %d can never be right.", e.classes-spec.Classes))
	case len(names) > 0 && len(spec.Names) > 0 && !slices.Equal(names, spec.Names):
		i := 0
		for i < min(len(names), len(spec.Names)) && names[i] == spec.Names[i] {
			i++
		}
		warn(diag.OtherLabels, fmt.Sprintf("label %d is %q in the data, and %q in %s", i, spec.Names[i], names[i], e.path),
			"Accuracy counts labels, whatever they are called. Give the data set the classes that the model was made for, in their order.")
	}
}
