package main

import (
	"strings"
	"testing"

	"qpipe/lang/diag"
)

// TestTooMuchWork: thousands of overrides of a network in many stages are refused, instead of taking minutes.
func TestTooMuchWork(t *testing.T) {
	text := "dataset \"Glyphs\" \"d\" {}\nmodel \"MobileNetV2\" \"m\" {}\nqconfig \"q\" {\n" +
		strings.Repeat("  override \"**\" {\n    activation { dtype = \"int8\" }\n  }\n", 900) + "}\n"
	stage := "stage \"s#\" {\n  model = model.m\n  train_data = dataset.d\n  model_convert_pipeline {\n    qat_mode = \"fuse_bn\"\n    qconfig = qconfig.q\n    converter \"Float2QAT\" {}\n  }\n" +
		"  trainer {\n    num_epochs = 1\n    batch_size = 64\n    optimizer \"SGD\" { lr = 0.1 }\n  }\n" + "  callback \"FuseBN\" {\n    when = \"epoch 1\"\n    modules = [" + strings.Repeat("\"**\", ", 900) + "\"**\"]\n  }\n" + "}\n"
	for i := range 55 {
		text += strings.ReplaceAll(stage, "#", string(rune('a'+i/26))+string(rune('a'+i%26)))
	}
	list, _ := validated(t, text)
	for _, d := range list {
		if d.Code == diag.TooMuchWork {
			return
		}
	}
	t.Errorf("%d diagnostics, and not this one; the first: %v", len(list), list[0].Summary)
}
