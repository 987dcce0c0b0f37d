package graph

import (
	"fmt"

	"qpipe/lang/diag"
	"qpipe/ops/nn"
)

func unquantized() Rule {
	return Rule{
		About: diag.About{
			Name: "unquantized", Code: diag.NoRange, Severity: diag.Warning,
			Summary: "a stage evaluates a quantized model whose nodes have no ranges",
			Doc:     "A node without a range is computed in float32, so that what is measured is not what an int8 model would give.",
		},
		Check: func(p *Plan, report diag.Reporter) {
			for _, s := range p.Stages {
				if s.Model == nil || s.steps() || s.Model.Form() != nn.QAT && s.Model.Form() != nn.Calibration {
					continue
				}
				none := s.Model.Unobserved()
				if len(none) == 0 {
					continue
				}
				report(&diag.Diagnostic{
					Subject: s.Origin.Header, Address: s.Origin.Address, Module: none[0],
					Summary: fmt.Sprintf("stage %q evaluates %s without quantizing, since no range is known", s.Name, Some(none)),
					Detail:  "What it measures is not what an int8 model would give. Load a model that was calibrated or trained quantized, behind the converter that prepares it.",
				})
			}
		},
	}
}

// Some names one of a few nodes.
func Some(nodes []string) string {
	if more := len(nodes) - 1; more > 0 {
		return fmt.Sprintf("%s and %s", nodes[0], diag.Count(more, "more node"))
	}
	return nodes[0]
}
