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
			Doc:     "A node without a range is computed in float32, so the metrics are not those of an int8 model.",
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
					Summary: fmt.Sprintf("stage %q evaluates %s without quantization, because no range is known", s.Name, Some(none)),
					Detail:  "Its metrics are not those of an int8 model. Load a checkpoint that was calibrated or trained quantized, after the converter that prepares the model.",
				})
			}
		},
	}
}

// Some names the first node, and says how many more there are.
func Some(nodes []string) string {
	if more := len(nodes) - 1; more > 0 {
		return fmt.Sprintf("%s and %s", nodes[0], diag.Count(more, "more node"))
	}
	return nodes[0]
}
