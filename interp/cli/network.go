package cli

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"qpipe/interp/command"
	"qpipe/interp/console"
	"qpipe/interp/lower"
	"qpipe/interp/view"
	"qpipe/lang/diag"
	"qpipe/lang/program"
)

// networkDocument is what `graph -model -json` prints.
type networkDocument struct {
	FormatVersion string `json:"format_version"`
	Program       string `json:"program"`
	*view.NetworkItem
	diag.Items
}

// networkGraph prints a network. It does so for a pipeline with mistakes, too, as long as they are not the model's; a stage's network
// only for a pipeline without.
func (a *app) networkGraph(f graphFlags, path string) error {
	l := a.lower(path, f.Inputs)
	if l.program == nil {
		_, err := a.shown(l, f.json)
		return err
	}
	n, err := f.network(l)
	if err != nil {
		return err
	}
	if f.json && n != nil {
		return cmp.Or(a.writeJSON(networkDocument{diag.FormatVersion, l.program.Name, n, l.report(nil)}), failed(l.diags))
	}
	if _, err = a.shown(l, f.json); n == nil {
		return cmp.Or(err, errors.New("the network cannot be built"))
	}
	s := a.sheet()
	s.Network(n)
	return cmp.Or(a.draw(f.format, s, view.NetworkDiagram(n)), err)
}

// network is what the flags choose; nil if it cannot be built, for which l has the reason.
func (f graphFlags) network(l *loaded) (*view.NetworkItem, error) {
	of := view.Shown{Fused: f.fused, Depth: f.depth}
	var model *program.Model
	var err error
	if f.stage != "" {
		if of.Stage = l.plan.Stage(f.stage); of.Stage == nil {
			var have []string
			for _, s := range l.plan.Stages {
				have = append(have, s.Name)
			}
			return nil, command.Wrong("-stage: the pipeline has no stage %q%s", f.stage, console.DidYouMean(f.stage, have, ""))
		}
		if model = of.Stage.Stage.Model; model == nil {
			return nil, nil // which is a mistake that has been reported
		}
	}
	if model, err = command.Model(l.program, f.model, model); err != nil {
		return nil, err
	}
	var data *program.Dataset
	if of.Stage != nil {
		data = cmp.Or(of.Stage.Train, of.Stage.Val)
	} else if f.data != "" {
		if data, err = command.Dataset(l.program, f.data); err != nil {
			return nil, err
		}
	}
	built, list := lower.Build(l.plan, model, data)
	l.add(list)
	switch {
	case built == nil && l.diags.HasErrors():
		return nil, nil
	case built == nil:
		return nil, command.Wrong("no stage uses model.%s, and its inputs have no shapes of their own: name data for it, as -data dataset.NAME", model.Name)
	case built.Graph == nil || of.Stage != nil && (of.Stage.Model == nil || l.diags.HasErrors()): // what a stage has depends on the whole pipeline
		return nil, nil
	}
	of.Network = built
	return view.NewNetwork(of), nil
}

// add adds diagnostics that are not there yet.
func (l *loaded) add(list diag.List) {
	for _, d := range list {
		same := func(o *diag.Diagnostic) bool {
			return o.Code == d.Code && o.Summary == d.Summary && fmt.Sprint(o.Subject) == fmt.Sprint(d.Subject)
		}
		if !slices.ContainsFunc(l.diags, same) {
			l.diags = append(l.diags, d)
		}
	}
	l.diags = l.diags.Sorted()
}
