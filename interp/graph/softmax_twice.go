package graph

import (
	"fmt"

	"qpipe/interp/part"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/ops/nn"
)

func softmaxTwice() Rule {
	return Rule{
		About: diag.About{
			Name: "softmax-twice", Code: "QP339", Severity: diag.Warning,
			Summary: "the network ends in a softmax, and the loss computes one, too",
			Doc:     "A loss for labels takes scores and makes shares of them by itself. Of shares it makes nearly equal ones, so that the gradients are small and training hardly gets on.",
		},
		Check: func(p *Plan, report diag.Reporter) {
			said := map[string]bool{}
			for _, s := range p.Stages {
				for _, m := range p.normalizedTwice(s) {
					if key := s.Stage.Model.Name + " " + m.Name; !said[key] {
						said[key] = true
						report(s.twice(m))
					}
				}
			}
		},
	}
}

// normalizedTwice lists the softmaxes of a stage's model whose result goes to a loss that computes a softmax.
func (p *Plan) normalizedTwice(s *Stage) (list []nn.Module) {
	if s.Trainer == nil || s.Model == nil || s.Data.Train == nil {
		return nil
	}
	outputs, targets := s.Model.Outputs(), s.Data.Train.Spec.Targets
	all, _, err := part.NewLosses(p.Catalog, s.Trainer.Losses)
	if err != nil || part.Fits(all, outputs, targets) != nil {
		return nil // reported
	}
	at := map[string]nn.Module{}
	for _, m := range s.Model.Modules() {
		at[m.Name] = m
	}
	for i := range all.Len() {
		if !all.Normalizes(i) {
			continue
		}
		seen, _ := all.SeenBy(i, outputs, targets)
		for _, port := range seen {
			m := at[port.Name]
			for m.Op == "flatten" || m.Op == "reshape" || m.Op == "dequant" {
				m = at[m.Inputs[0]]
			}
			if m.Op == "softmax" || m.Op == "log_softmax" {
				list = append(list, m)
			}
		}
	}
	return list
}

// twice is the warning about one.
func (s *Stage) twice(m nn.Module) *diag.Diagnostic {
	model := s.Stage.Model
	d := &diag.Diagnostic{
		Subject: s.Trainer.Origin.Header, Address: s.Trainer.Origin.Address, Module: m.Name,
		Summary: fmt.Sprintf("%s of model %q is a %s, and the loss computes one, too", m.Name, model.Name, m.Op),
		Detail:  "Of shares the loss makes nearly equal ones: the gradients are small, and training hardly gets on.",
		Related: []diag.Related{{Message: "the model", Range: model.Origin.Header}},
	}
	if m.Op == "log_softmax" {
		d.Detail = "The loss is the same without it: it is computed twice."
	}
	if _, file := model.Args.(program.Weighted); file {
		d.Detail += fmt.Sprintf(" End the network in front of it: outputs = [%q].", m.Inputs[0])
	} else {
		d.Detail += " Leave the layer out."
	}
	if at := model.Origin.At(program.LayerPath(m.Name)); !at.Empty() {
		d.Related = []diag.Related{{Message: "the layer", Range: at}}
	}
	return d
}
