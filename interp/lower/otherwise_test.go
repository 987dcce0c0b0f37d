package lower_test

import (
	"slices"
	"strings"
	"testing"

	"qpipe/interp/parttest"
	"qpipe/lang/diag"
	"qpipe/lang/program"
)

// TestTrainedOtherwise: a change of the quantization that changes the integers of a trained
// model is an error if the stage converts the model, and a warning if it continues training.
// A change that only moves ranges while training is neither.
func TestTrainedOtherwise(t *testing.T) {
	for _, c := range []struct {
		says   string // "" where nothing is wrong
		change func(q *program.QConfig)
	}{
		{"activation.rounding = half_even, and here it is half_up", func(q *program.QConfig) { q.Activation.Rounding = "half_up" }},
		{"activation.scale_rule = max", func(q *program.QConfig) { q.Activation.ScaleRule = "half_range" }},
		{"activation.scheme = symmetric", func(q *program.QConfig) { q.Activation.Scheme = "affine" }},
		{"activation.dtype = int8, and here it is uint8", func(q *program.QConfig) { q.Activation.DType, q.Activation.Scheme = "uint8", "affine" }},
		{"activation.dtype = int8, and here it is int4", func(q *program.QConfig) { q.Activation.DType = "int4" }},
		{"weight.dtype = int8, and here it is int4", func(q *program.QConfig) { q.Weight.DType = "int4" }},
		{"weight.rounding = half_even", func(q *program.QConfig) { q.Weight.Rounding = "half_up" }},
		{"weight.scale_rule = max", func(q *program.QConfig) { q.Weight.ScaleRule = "half_range" }},
		{"activation.dtype = float32, and here it is int8 (head.fc)", func(q *program.QConfig) { q.Overrides = nil }},
		{"", func(q *program.QConfig) { q.Activation.Observer.Args = parttest.ObserverArgs{Constant: 0.5} }},
		{"", func(q *program.QConfig) { q.Name = "another" }},
	} {
		for stageName, severity := range map[string]diag.Severity{"int_infer": diag.Error, "qat": diag.Warning} {
			if stageName == "qat" && strings.HasSuffix(c.says, "(head.fc)") {
				continue // a range is missing, which is said in its own words
			}
			p, text := parttest.Flow()
			other := text.QConfig("other")
			c.change(other)
			p.QConfigs = append(p.QConfigs, other)
			st := p.Stages[slices.IndexFunc(p.Stages, func(s *program.Stage) bool { return s.Name == stageName })]
			st.Convert.QConfig = other
			if stageName == "qat" {
				p.Stages = p.Stages[:3]
			}
			_, list := lowered(t, p)
			if c.says == "" {
				if len(list) > 0 {
					t.Errorf("%s: %s", stageName, list[0].Summary)
				}
				continue
			}
			if len(list) != 1 || list[0].Code != diag.TrainedOtherwise || list[0].Severity != severity || !strings.Contains(list[0].Summary, c.says) {
				t.Errorf("%s, %s: %d diagnostics", stageName, c.says, len(list))
				for _, d := range list {
					t.Log(d.Code, d.Summary)
				}
			}
		}
	}
}
