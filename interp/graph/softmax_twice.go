package graph

import (
	"fmt"

	"qpipe/interp/part"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/ops/layer"
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
				for _, x := range p.normalizedTwice(s) {
					if key := s.Stage.Model.Name + " " + x.node; !said[key] {
						said[key] = true
						report(s.twice(x))
					}
				}
			}
		},
	}
}

// softmax is one at the end of a network.
type softmax struct {
	is          layer.Shares
	node, reads string
}

// normalizedTwice lists the softmaxes of a stage's model whose result goes to a loss that computes a softmax.
func (p *Plan) normalizedTwice(s *Stage) (list []softmax) {
	if s.Trainer == nil || s.Model == nil || s.Data.Train == nil {
		return nil
	}
	outputs, targets := s.Model.Outputs(), s.Data.Train.Spec.Targets
	all, _, err := part.NewLosses(p.Catalog, s.Trainer.Losses)
	if err != nil || part.Fits(all, outputs, targets) != nil {
		return nil // reported
	}
	for i := range all.Len() {
		if !all.Normalizes(i) {
			continue
		}
		seen, _ := all.SeenBy(i, outputs, targets)
		for _, port := range seen {
			if is, node, reads := s.Model.Shares(port.Name); is != layer.NoShares {
				list = append(list, softmax{is, node, reads})
			}
		}
	}
	return list
}

// twice is the warning about one.
func (s *Stage) twice(x softmax) *diag.Diagnostic {
	model, what := s.Stage.Model, "softmax"
	if x.is == layer.LogShares {
		what = "softmax's logarithm"
	}
	d := &diag.Diagnostic{
		Subject: s.Trainer.Origin.Header, Address: s.Trainer.Origin.Address, Module: x.node,
		Summary: fmt.Sprintf("%s of model %q is a %s, and the loss computes a softmax, too", x.node, model.Name, what),
		Detail:  "Of shares the loss makes nearly equal ones: the gradients are small, and training hardly gets on.",
		Related: []diag.Related{{Message: "the model", Range: model.Origin.Header}},
	}
	if x.is == layer.LogShares {
		d.Detail = "The loss is the same without it: it is computed twice."
	}
	if _, file := model.Args.(program.Weighted); file {
		d.Detail += fmt.Sprintf(" End the network in front of it: outputs = [%q].", x.reads)
	} else {
		d.Detail += " Leave the layer out."
	}
	if at := model.Origin.At(program.LayerPath(x.node)); !at.Empty() {
		d.Related = []diag.Related{{Message: "the layer", Range: at}}
	}
	return d
}
