package lower_test

import (
	"strings"
	"testing"

	"qpipe/interp/parttest"
	"qpipe/lang/diag"
	"qpipe/lang/program"
)

// TestTargetTakes: a setting that the target has no integers for is a mistake at the attribute that says it.
func TestTargetTakes(t *testing.T) {
	for _, c := range []struct {
		target, attr, value string
		weight              bool
		want                string // "" for nothing
	}{
		{"tensorrt", "scheme", "affine", false, "tensorrt: its activations have no zero point"},
		{"tensorrt", "rounding", "half_up", true, "tensorrt: it rounds halves to the even code"},
		{"tensorrt", "dtype", "int4", true, "tensorrt: int4 is no type of its weights"},
		{"onnxruntime", "dtype", "int16", false, "onnxruntime: int16 is no type of its activations"},
		{"onnxruntime", "scheme", "affine", false, ""},
		{"onnxruntime", "dtype", "float32", false, ""},
		{"tflite", "dtype", "uint8", false, "tflite: uint8 is no type of its activations"},
		{"tflite", "scale_rule", "half_range", true, "tflite: its weights do not use the smallest code"},
		{"tflite", "dtype", "int4", true, ""},
		{"", "dtype", "int4", false, ""},
	} {
		p, text := parttest.Flow()
		q := p.QConfigs[0]
		q.Target = c.target
		set := &q.Activation
		if c.weight {
			set = &q.Weight
		}
		*map[string]*string{"dtype": &set.DType, "scheme": &set.Scheme, "rounding": &set.Rounding, "scale_rule": &set.ScaleRule}[c.attr] = c.value
		if c.value == "uint8" {
			set.Scheme = "affine"
		}
		set.Origin = text.Origin(set.Origin.Address, c.attr)
		_, list := lowered(t, p)
		var got []string
		for _, d := range list {
			if d.Code == diag.BadDType && strings.Contains(d.Summary, ":") {
				got = append(got, d.Summary)
				if d.Subject != set.Origin.At(c.attr) {
					t.Errorf("%s, %s = %s: it is said at %v", c.target, c.attr, c.value, d.Subject)
				}
			}
		}
		if strings.Join(got, "; ") != c.want {
			t.Errorf("%s, %s = %s: %q, want %q", c.target, c.attr, c.value, got, c.want)
		}
	}
}

// TestAnotherTarget: a checkpoint that was trained for another target is another model.
func TestAnotherTarget(t *testing.T) {
	p, _ := parttest.Flow()
	other := *p.QConfigs[0]
	other.Name, other.Target = "other", "tflite"
	p.QConfigs = append(p.QConfigs, &other)
	var last *program.Stage
	for _, s := range p.Stages {
		if s.Trainer == nil && s.Calibrator == nil && s.Convert != nil && s.Convert.QConfig != nil {
			last = s
		}
	}
	last.Convert.QConfig = &other
	_, list := lowered(t, p)
	for _, d := range list {
		if d.Code == diag.TrainedOtherwise && strings.Contains(d.Summary, "target = horizon, and here it is tflite") {
			return
		}
	}
	t.Errorf("stage %s takes the checkpoint: %v", last.Name, list)
}
