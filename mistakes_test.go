package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"qpipe/interp/lower"
	"qpipe/lang/check"
	"qpipe/lang/diag"
	"qpipe/lang/syntax"
	"qpipe/stdlib"
)

// mistake is a change to a correct pipeline, and everything that validation must report about it: for each diagnostic
// its code and the text that it points at.
type mistake struct {
	name  string
	edits []string // old text, new text, …
	want  []string
}

// TestMistakes breaks testdata/pipelines/tiny.hcl in one way each, and expects each mistake once: nothing is missed,
// and no consequence of a mistake is reported as well.
func TestMistakes(t *testing.T) {
	sound, err := os.ReadFile("testdata/pipelines/tiny.hcl")
	if err != nil {
		t.Fatal(err)
	}
	// Averaging together with absorption is a warning of its own.
	base := strings.Replace(string(sound), "  callback \"ExponentialMovingAverage\" { decay = 0.9 }\n", "", 1)
	for _, m := range mistakes() {
		t.Run(m.name, func(t *testing.T) {
			text := base
			for i := 0; i < len(m.edits); i += 2 {
				if !strings.Contains(text, m.edits[i]) {
					t.Fatalf("the pipeline has no %q", m.edits[i])
				}
				text = strings.Replace(text, m.edits[i], m.edits[i+1], 1)
			}
			list, src := validated(t, text)
			var got []string
			for _, d := range list {
				b := src(d.Subject.File)
				got = append(got, string(d.Code)+" "+string(b[d.Subject.Start.Byte:d.Subject.End.Byte]))
				if d.Detail == "" && !strings.ContainsAny(d.Summary, ";") {
					t.Errorf("no way out: %s", d.Summary)
				}
			}
			slices.Sort(got)
			if want := slices.Sorted(slices.Values(m.want)); !slices.Equal(got, want) {
				t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
			}
		})
	}
}

// validated is what `qpipe validate` finds.
func validated(t *testing.T, text string) (diag.List, diag.Sources) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.hcl")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	files, list := syntax.Parse(path)
	if list.HasErrors() {
		return list, files.Source
	}
	catalog := stdlib.Catalog()
	p, list := check.Check(files, check.Options{Signatures: catalog})
	_, more := lower.Lower(p, catalog)
	return append(list, more...), files.Source
}

func mistakes() []mistake {
	const (
		fold  = `qat_mode = "with_bn_reverse_fold"`
		float = `converter "LoadCheckpoint" { checkpoint_path = stage.float.checkpoint.best }`
		calib = `converter "LoadCheckpoint" { checkpoint_path = stage.calibration.checkpoint.last }`
		lr    = `lr       = var.lr`
	)
	return []mistake{
		{"nothing", nil, nil},
		{"validation by training data", []string{`split       = "test"`, `split       = "train"`}, []string{"QP317 dataset.test"}},
		{"no such checkpoint", []string{"stage.float.checkpoint.best", "stage.float.checkpoint.bset"}, []string{"QP203 stage.float.checkpoint.bset"}},
		{"no such stage", []string{"stage.float.checkpoint.best", "stage.flaot.checkpoint.best"}, []string{"QP203 stage.flaot.checkpoint.best"}},
		{"empty path", []string{"stage.float.checkpoint.best", `""`}, []string{`QP204 ""`}},
		{"absent file", []string{"stage.float.checkpoint.best", `"nowhere.safetensors"`}, []string{`QP314 "nowhere.safetensors"`, `QP263 stage "float"`}},
		{"no such metric", []string{"stage.int_infer.metrics.accuracy", "stage.int_infer.metrics.acuracy"}, []string{"QP315 stage.int_infer.metrics.acuracy"}},
		{"monitor", []string{`callback "Checkpoint" {}`, `callback "Checkpoint" { monitor = "acuracy" }`}, []string{`QP315 "acuracy"`}},
		{"monitor without validation", []string{"val_data   = dataset.test", "", `callback "Checkpoint" {}`, `callback "Checkpoint" { monitor = "accuracy" }`}, []string{`QP241 "accuracy"`}},
		{"best without validation", []string{"val_data   = dataset.test", ""}, []string{"QP237 stage.float.checkpoint.best"}},
		{"best by the loss", []string{"val_data   = dataset.test", "", `callback "Checkpoint" {}`, `callback "Checkpoint" { monitor = "loss" }`}, nil},
		{"mode misspelt", []string{fold, `qat_mode = "with_bn_reverse_fould"`}, []string{`QP205 "with_bn_reverse_fould"`}},
		{"modes differ", []string{fold, `qat_mode = "fuse_bn"`}, []string{`QP234 "with_bn_reverse_fold"`}},
		{"dtype misspelt", []string{`"float32"`, `"float16"`}, []string{`QP205 "float16"`}},
		{"observer misspelt", []string{`dtype = "float32"`, `observer = "minmax"`}, []string{`QP202 "minmax"`}},
		{"observer's argument, inherited", []string{`override "head.fc"`, "activation { averaging_constant = 2 }\n  override \"head.fc\""}, []string{"QP205 2"}},
		{"int16 activations", []string{`override "head.fc"`, "activation { dtype = \"int16\" }\n  override \"head.fc\""}, []string{`QP309 converter "QAT2Quantize"`}},
		{"no qconfig", []string{"qconfig  = qconfig.int8", ""}, []string{"QP242 model_convert_pipeline"}},
		{"loaded too late", []string{float + "\n    " + `converter "Float2Calibration" {}`, `converter "Float2Calibration" {}` + "\n    " + float}, []string{"QP233 stage.float.checkpoint.best"}},
		{"loaded too early", []string{`converter "Float2QAT" {}` + "\n    " + calib, calib + "\n    " + `converter "Float2QAT" {}`}, []string{"QP233 stage.calibration.checkpoint.last"}},
		{"converted twice", []string{`converter "QAT2Quantize" {}`, "converter \"QAT2Quantize\" {}\n converter \"QAT2Quantize\" {}"}, []string{`QP233 converter "QAT2Quantize"`}},
		{"FuseBN in float", []string{`callback "Checkpoint" {}`, "callback \"Checkpoint\" {}\n  callback \"FuseBN\" { when = \"epoch 1\" }"}, []string{`QP232 callback "FuseBN"`}},
		{"FuseBN and a selector in float", []string{`callback "Checkpoint" {}`, "callback \"Checkpoint\" {}\n  callback \"FuseBN\" {\n when = \"epoch 1\"\n modules = [\"bone\"]\n}"}, []string{`QP232 callback "FuseBN"`, `QP300 "bone"`}},
		{"long warm-up", []string{`optimizer "SGD" {`, "lr_updater \"CosLrUpdater\" { warmup_len = 2 }\n    optimizer \"SGD\" {"}, []string{"QP316 2"}},
		{"warm-up", []string{`optimizer "SGD" {`, "lr_updater \"CosLrUpdater\" { warmup_len = 1 }\n    optimizer \"SGD\" {"}, nil},
		{"float weight", []string{`activation { dtype = "float32" }`, `weight { dtype = "float32" }`}, []string{`QP343 stage "int_infer"`}},
		{"a calibration's optimizer", []string{"num_epochs = var.qat_epochs", "resume_optimizer = true\n    num_epochs = var.qat_epochs"}, []string{"QP236 true"}},
		{"a block with an equals sign", []string{`callback "Checkpoint" {}`, `callback = "Checkpoint"`}, []string{"QP201 callback"}},
		{"two that keep the best", []string{`callback "Checkpoint" {}`, "callback \"Checkpoint\" {}\n  callback \"Checkpoint\" { monitor = \"loss\" }"}, []string{`QP209 "loss"`}},
		{"dynamic at the top", []string{`output "int8_accuracy" {`, "dynamic \"stage\" {\n}\noutput \"int8_accuracy\" {"}, []string{"QP200 dynamic"}},
		{"inside a dataset", []string{"= dataset.train", "= dataset.train.root"}, []string{"QP203 dataset.train.root"}},
		{"a float model's optimizer", []string{
			"num_epochs = var.qat_epochs", "resume_optimizer = true\n    num_epochs = var.qat_epochs",
			`converter "Float2QAT" {}` + "\n    " + calib, `converter "LoadCheckpoint" { checkpoint_path = stage.float.checkpoint.last }` + "\n    " + `converter "Float2QAT" {}`,
		}, []string{"QP236 true"}},
		{"null is not written", []string{`callback "Checkpoint" {}`, "callback \"Checkpoint\" {}\n  callback \"FreezeBN\" {\n when = null\n modules = null\n}"}, nil},
		{"null where it is needed", []string{`when    = "step 7"`, "when    = null"}, []string{"QP110 null"}},
		{"named twice", []string{`["backbone.conv1"]`, `["backbone.conv1.bn", "backbone.conv1"]`}, []string{`QP301 "backbone.conv1"`}},
		{"no BN there", []string{`["backbone.conv1"]`, `["backbone.pool1"]`}, []string{`QP302 ["backbone.pool1"]`}},
		{"no BN to freeze", []string{`callback "Checkpoint" {}`, "callback \"Checkpoint\" {}\n  callback \"FreezeBN\" { modules = [\"head.fc\"] }"}, []string{`QP302 ["head.fc"]`}},
		{"a BN to freeze", []string{`callback "Checkpoint" {}`, "callback \"Checkpoint\" {}\n  callback \"FreezeBN\" { modules = [\"head.fc\", \"backbone.conv1\"] }"}, nil},
		{"two optimizers", []string{`optimizer "SGD" {`, "optimizer \"SGD\" { lr = 1 }\n    optimizer \"SGD\" {"}, []string{`QP209 optimizer "SGD"`}},
		{"data differ", []string{"size    = 28", "size    = 24"}, []string{"QP312 dataset.test"}},
		{"several at once", []string{lr, `lr = "x"`, `["backbone.conv1"]`, `["backbone.convv1"]`, `"head.fc"`, `"head.fcc"`, `"step 7"`, `"step 999"`}, []string{`QP204 "x"`, `QP300 "backbone.convv1"`, `QP300 "head.fcc"`, `QP306 "step 999"`}},
	}
}
